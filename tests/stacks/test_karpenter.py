"""Karpenter's controller touches its own cluster's nodes and nothing else, by IAM's own evaluation."""

import pytest

from blueprint.cluster import KARPENTER_NODE_ROLE, NAME, OWNED_TAG
from tests.support.policies import ACCOUNT
from tests.support.templates import Templates
from tests.support.workloads import Asked

OURS = {f"aws:ResourceTag/{OWNED_TAG}": "owned", "aws:ResourceTag/karpenter.sh/nodepool": "gpu-workers"}
REQUESTED = {
    f"aws:RequestTag/{OWNED_TAG}": "owned",
    "aws:RequestTag/eks:eks-cluster-name": NAME,
    "aws:RequestTag/karpenter.sh/nodepool": "gpu-workers",
}


def test_karpenter_launches_this_clusters_nodes(asked: Asked) -> None:
    for action in ("ec2:RunInstances", "ec2:CreateFleet"):
        for kind in ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request"):
            assert asked.may("karpenter", action, asked.ec2(f"{kind}/1"), **REQUESTED)
        assert asked.may("karpenter", action, asked.ec2("image/ami-1", account=""))
        assert asked.may("karpenter", action, asked.ec2("launch-template/lt-1"), **OURS)
    assert asked.may("karpenter", "ec2:CreateLaunchTemplate", asked.ec2("launch-template/lt-1"), **REQUESTED)
    assert asked.may(
        "karpenter", "ec2:CreateTags", asked.ec2("instance/i-1"), **REQUESTED, **{"ec2:CreateAction": "CreateFleet"}
    )


@pytest.mark.parametrize("missing", REQUESTED)
def test_karpenter_launches_nothing_without_each_of_the_clusters_tags(asked: Asked, missing: str) -> None:
    tags = {name: value for name, value in REQUESTED.items() if name != missing}
    for wrong in (tags, tags | ({missing: "other"} if "nodepool" not in missing else {})):
        assert not asked.may("karpenter", "ec2:RunInstances", asked.ec2("instance/i-1"), **wrong)
        assert not asked.may("karpenter", "ec2:CreateLaunchTemplate", asked.ec2("launch-template/lt-1"), **wrong)
        assert not asked.may(
            "karpenter", "ec2:CreateTags", asked.ec2("instance/i-1"), **wrong, **{"ec2:CreateAction": "RunInstances"}
        )


def test_karpenter_launches_into_the_private_subnets_and_the_nodes_groups_alone(
    asked: Asked, templates: Templates
) -> None:
    def may(kind: str, id: str) -> bool:  # noqa: A002
        return asked.may("karpenter", "ec2:RunInstances", asked.ec2(f"{kind}/{id}"))

    parameter = {
        str(one.properties["Name"]): asked.policies.resolve(one.properties["Value"], one.stack)
        for one in templates.resources("AWS::SSM::Parameter")
        if str(one.properties["Name"]).startswith(("/pingvas/network", "/pingvas/cluster"))
    }
    for tier, admitted in (("private", True), ("public", False), ("data", False)):
        subnets = parameter[f"/pingvas/network/{tier}-subnet-ids"].split(",")
        assert len(subnets) == 3
        assert [may("subnet", one) for one in subnets] == [admitted] * 3
    assert may("security-group", parameter["/pingvas/network/node-security-group-id"])
    assert may("security-group", parameter["/pingvas/cluster/security-group-id"])
    assert not may("security-group", parameter["/pingvas/network/alb-security-group-id"])


def test_karpenter_ends_and_changes_its_own_nodes_only(asked: Asked) -> None:
    instance, template = asked.ec2("instance/i-1"), asked.ec2("launch-template/lt-1")
    assert asked.may("karpenter", "ec2:TerminateInstances", instance, **OURS)
    assert asked.may("karpenter", "ec2:DeleteLaunchTemplate", template, **OURS)
    strangers = (
        {},
        {"aws:ResourceTag/kubernetes.io/cluster/other": "owned", "aws:ResourceTag/karpenter.sh/nodepool": "default"},
        {f"aws:ResourceTag/{OWNED_TAG}": "shared", "aws:ResourceTag/karpenter.sh/nodepool": "default"},
        {f"aws:ResourceTag/{OWNED_TAG}": "owned"},
    )
    for tags in strangers:
        assert not asked.may("karpenter", "ec2:TerminateInstances", instance, **tags), tags
        assert not asked.may("karpenter", "ec2:DeleteLaunchTemplate", template, **tags), tags
        assert not asked.may("karpenter", "ec2:CreateTags", instance, **tags, **{"aws:TagKeys": ["Name"]}), tags
    assert asked.may(
        "karpenter", "ec2:CreateTags", instance, **OURS, **{"aws:TagKeys": ["Name", "karpenter.sh/nodeclaim"]}
    )
    taken = {"aws:TagKeys": [OWNED_TAG]}
    assert not asked.may("karpenter", "ec2:CreateTags", instance, **OURS, **taken), "tags are what its rights hang on"
    for action in ("ec2:StopInstances", "ec2:ModifyInstanceAttribute", "ec2:DeleteVolume", "ec2:CreateSecurityGroup"):
        assert not asked.may("karpenter", action, instance, **OURS)


def test_karpenter_passes_the_node_role_to_ec2_and_no_other_role_to_anybody(asked: Asked) -> None:
    def passes(role: str, service: str = "ec2.amazonaws.com") -> bool:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        return asked.may("karpenter", "iam:PassRole", arn, **{"iam:PassedToService": service})

    assert passes(KARPENTER_NODE_ROLE)
    assert not passes(KARPENTER_NODE_ROLE, "lambda.amazonaws.com")
    for role in ("DevOps-AssumeRole", "pingvas-node-system", "pingvas-karpenter", "pingvas-velero"):
        assert not passes(role)


def test_karpenter_keeps_its_own_instance_profiles_only(asked: Asked) -> None:
    profile = f"arn:aws:iam::{ACCOUNT}:instance-profile/{NAME}_1"

    def tags(kind: str, region: str, cluster: str = OWNED_TAG) -> dict[str, str]:
        return {
            f"aws:{kind}Tag/{cluster}": "owned",
            f"aws:{kind}Tag/eks:eks-cluster-name": NAME,
            f"aws:{kind}Tag/topology.kubernetes.io/region": region,
            f"aws:{kind}Tag/karpenter.k8s.aws/ec2nodeclass": "gpu-nodeclass",
        }

    own, made = tags("Resource", asked.region), tags("Request", asked.region)
    assert asked.may("karpenter", "iam:CreateInstanceProfile", profile, **made)
    assert not asked.may("karpenter", "iam:CreateInstanceProfile", profile)
    assert not asked.may("karpenter", "iam:CreateInstanceProfile", profile, **tags("Request", "eu-west-1"))
    assert asked.may("karpenter", "iam:TagInstanceProfile", profile, **own, **made)
    assert not asked.may("karpenter", "iam:TagInstanceProfile", profile, **made), "it would take somebody else's"
    for action in ("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile", "DeleteInstanceProfile"):
        assert asked.may("karpenter", f"iam:{action}", profile, **own)
        assert not asked.may("karpenter", f"iam:{action}", profile)
        assert not asked.may("karpenter", f"iam:{action}", profile, **tags("Resource", asked.region, "kubernetes.io/x"))
    assert not asked.may("karpenter", "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/x", **made)


def test_karpenter_reads_its_own_queue_and_what_has_no_owner(asked: Asked) -> None:
    queue = f"arn:aws:sqs:{asked.region}:{ACCOUNT}:{NAME}"
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl"):
        assert asked.may("karpenter", action, queue)
        assert not asked.may("karpenter", action, f"{queue}-2")
    assert not asked.may("karpenter", "sqs:SendMessage", queue)
    assert asked.may("karpenter", "ec2:DescribeInstanceTypes", "*")
    assert not asked.may("karpenter", "ec2:DescribeInstanceTypes", "*", **{"aws:RequestedRegion": "eu-west-1"})
    parameter = f"arn:aws:ssm:{asked.region}::parameter/aws/service/eks/optimized-ami/1.35/amazon-linux-2023"
    assert asked.may("karpenter", "ssm:GetParameter", parameter)
    assert not asked.may("karpenter", "ssm:GetParameter", f"arn:aws:ssm:{asked.region}:{ACCOUNT}:parameter/pingvas/x")
    assert asked.may("karpenter", "eks:DescribeCluster", f"arn:aws:eks:{asked.region}:{ACCOUNT}:cluster/{NAME}")
    assert not asked.may("karpenter", "eks:DescribeCluster", f"arn:aws:eks:{asked.region}:{ACCOUNT}:cluster/other")
