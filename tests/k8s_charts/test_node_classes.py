"""Karpenter's node classes: images, disks and metadata of their nodes, and that AWS has what they name."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from blueprint import node_classes
from blueprint.cluster import NAME, OWNED_TAG
from blueprint.cold_start import COLD_START, ColdStart
from blueprint.pools import POOLS
from blueprint.regions import REGIONS
from blueprint.rules import RuleError
from k8s_charts.components.karpenter import EC2NodeClass, LocalDisks, RootVolume
from k8s_charts.facts import placeholders
from k8s_charts.folder import Folder, GitOps
from tests.support.manifests import Manifests
from tests.support.templates import Templates, synthesize
from tests.support.workloads import Asked


@pytest.fixture(scope="module", params=REGIONS)
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def templates(region: str) -> Templates:
    return synthesize(region=region)


@pytest.fixture(scope="module")
def asked(templates: Templates, region: str) -> Asked:
    return Asked(templates, region)


def node_class(manifests: Manifests, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifests.one("EC2NodeClass", name).body["spec"]
    return spec


def test_images_of_nodes_are_pinned_to_a_release(manifests: Manifests) -> None:
    for one in manifests.of("EC2NodeClass"):
        (term,) = one.body["spec"]["amiSelectorTerms"]
        assert re.fullmatch(r"al2023@v20\d{6}", term["alias"]), str(one)


def test_nodes_have_no_public_address_and_a_metadata_service_that_no_pod_reaches(manifests: Manifests) -> None:
    for one in manifests.of("EC2NodeClass"):
        spec = one.body["spec"]
        assert spec["associatePublicIPAddress"] is False
        assert spec["metadataOptions"]["httpTokens"] == "required"
        assert spec["metadataOptions"]["httpPutResponseHopLimit"] == 1, "a pod's network is the second hop"


def test_node_disks_are_encrypted_with_the_clusters_key(manifests: Manifests) -> None:
    for one in manifests.of("EC2NodeClass"):
        (mapping,) = one.body["spec"]["blockDeviceMappings"]
        assert mapping["deviceName"] == "/dev/xvda"
        assert mapping["ebs"]["encrypted"] is True
        assert mapping["ebs"]["kmsKeyID"] == manifests.app.facts["cluster/key-arn"]
        assert mapping["ebs"]["deleteOnTermination"] is True
        assert mapping["ebs"]["volumeType"] == "gp3"


def test_only_gpu_nodes_keep_images_on_their_own_disks_and_pull_side_by_side(manifests: Manifests) -> None:
    gpu, general = (node_class(manifests, f"{name}-nodeclass") for name in ("gpu", "general"))
    assert gpu["instanceStorePolicy"] == "RAID0"
    config = yaml.safe_load(gpu["userData"])
    assert (config["apiVersion"], config["kind"]) == ("node.eks.aws/v1alpha1", "NodeConfig")
    assert config["spec"] == {"featureGates": {"FastImagePull": True}}
    assert not {"instanceStorePolicy", "userData"} & set(general)
    for one in (gpu, general):
        assert "snapshotID" not in one["blockDeviceMappings"][0]["ebs"], "RAID0 would hide it"


# What AWS has


def test_nodes_stand_in_the_private_subnets_and_in_the_nodes_group(manifests: Manifests, templates: Templates) -> None:
    def tagged(kind: str, wanted: dict[str, str]) -> set[str]:
        return {
            one.path
            for one in templates.resources(kind)
            if wanted.items() <= {tag["Key"]: tag["Value"] for tag in one.properties.get("Tags", [])}.items()
        }

    for one in manifests.of("EC2NodeClass"):
        spec = one.body["spec"]
        (subnets,) = spec["subnetSelectorTerms"]
        found = tagged("AWS::EC2::Subnet", subnets["tags"])
        assert len(found) == 3
        assert all("/privateSubnet" in path for path in found), found
        own, cluster = spec["securityGroupSelectorTerms"]
        assert tagged("AWS::EC2::SecurityGroup", own["tags"]) == {"Network/NodesGroup/Resource"}
        assert cluster["tags"] == {"aws:eks:cluster-name": templates.one("AWS::EKS::Cluster").properties["Name"]}
        assert not tagged("AWS::EC2::SecurityGroup", cluster["tags"]), "EKS's own, which no template can tag"


def test_the_role_of_nodes_is_the_one_that_karpenter_may_pass_and_that_may_join(
    manifests: Manifests, templates: Templates, asked: Asked
) -> None:
    roles = {one.body["spec"]["role"] for one in manifests.of("EC2NodeClass")}
    assert len(roles) == 1
    role = templates.one("AWS::IAM::Role", RoleName=roles.pop())
    arn = asked.policies.arn(role)
    assert asked.may("karpenter", "iam:PassRole", arn, **{"iam:PassedToService": "ec2.amazonaws.com"})
    joins = [
        asked.policies.resolve(one.properties["PrincipalArn"], one.stack)
        for one in templates.resources("AWS::EKS::AccessEntry")
        if one.properties.get("Type") == "EC2_LINUX"
    ]
    assert arn in joins


def test_karpenter_may_launch_with_the_tags_of_each_class(manifests: Manifests, asked: Asked) -> None:
    for pool in POOLS:
        name = next(one.name for one in node_classes.NODE_CLASSES if one.pool is pool)
        tags = {
            **node_class(manifests, name)["tags"],
            OWNED_TAG: "owned",
            "eks:eks-cluster-name": NAME,
            "karpenter.sh/nodepool": pool.name,
            "karpenter.k8s.aws/ec2nodeclass": name,
        }
        request: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        request["aws:TagKeys"] = list(tags)
        for kind in ("instance/i-1", "volume/vol-1", "network-interface/eni-1", "spot-instances-request/sir-1"):
            assert asked.may("karpenter", "ec2:RunInstances", asked.ec2(kind), **request)
            made: dict[str, str | list[str]] = {**request, "ec2:CreateAction": "RunInstances"}
            assert asked.may("karpenter", "ec2:CreateTags", asked.ec2(kind), **made)


def test_what_nodes_cost_is_told_apart_by_project(manifests: Manifests, templates: Templates) -> None:
    template = templates.one("AWS::EC2::LaunchTemplate", stack="Cluster")
    system = {
        tag["Key"]: tag["Value"]
        for one in template.properties["LaunchTemplateData"]["TagSpecifications"]
        for tag in one["Tags"]
    }
    for one in manifests.of("EC2NodeClass"):
        tags = one.body["spec"]["tags"]
        assert tags == {key: system[key] for key in ("project", "environment")}


def test_karpenter_may_use_the_key_of_the_disks_through_ec2_alone(asked: Asked, region: str) -> None:
    assert asked.decrypts("karpenter", "cluster", **{"kms:ViaService": f"ec2.{region}.amazonaws.com"})
    assert not asked.decrypts("karpenter", "cluster")


# What cannot be


@pytest.mark.parametrize("tag", ["karpenter.sh/nodepool", OWNED_TAG, "karpenter.k8s.aws/ec2nodeclass"])
def test_karpenters_own_tags_stop_synthesis(tag: str) -> None:
    with pytest.raises(RuleError, match="is Karpenter's own"):
        EC2NodeClass(
            Folder(GitOps(placeholders()), "bad"),
            "one",
            ami=node_classes.AMI,
            role="one",
            subnet_tags={"a": "b"},
            security_group_tags=[{"a": "b"}],
            root=RootVolume(gib=30, key_arn="arn"),
            tags={tag: "x"},
            detailed_monitoring=False,
            disks=LocalDisks(),
        )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            {"classes": (replace(node_classes.GPU_CLASS, disk_gib=8), node_classes.GENERAL_CLASS)},
            "node_classes.gpu-nodeclass.disk_gib = 8",
        ),
        ({"classes": (node_classes.GPU_CLASS,)}, "node_classes = ['general']: are pools without a node class"),
        ({"ami": "al2023@latest"}, "node_classes.AMI = al2023@latest: must name a release"),
        ({"ami": "al2023"}, "node_classes.AMI = al2023"),
        ({"start": ColdStart(cache="snapshot", raid0=False)}, "cold_start.cache = snapshot"),
        ({"start": replace(COLD_START, cache="snapshot")}, "cold_start.raid0 = True: hides the snapshot"),
    ],
)
def test_a_node_class_that_cannot_be_stops_synthesis(arguments: dict[str, Any], told: str) -> None:
    node_classes.check()
    with pytest.raises(RuleError) as error:
        node_classes.check(**arguments)
    assert str(error.value).startswith(told)
