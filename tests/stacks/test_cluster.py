"""The cluster: its control plane, who gets in, and what it is encrypted and logged with."""

from dataclasses import replace

import pytest

from blueprint.cluster import CONTAINER_LOG_GROUP, KARPENTER_NODE_ROLE, LOG_GROUP, NAME, check
from blueprint.environments import PROD, Quota
from blueprint.pools import GENERAL, GPU
from blueprint.rules import RuleError
from tests.support.data import tier
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, after, synthesize

STACK = "Cluster"


def test_the_cluster_is_the_documents_with_the_newest_kubernetes_both_tools_address(cluster: Resource) -> None:
    assert cluster.properties["Name"] == "pingvas-shared-eks"
    assert cluster.properties["Version"] == "1.35"
    assert cluster.properties["UpgradePolicy"] == {"SupportType": "STANDARD"}
    assert cluster.properties["ZonalShiftConfig"] == {"Enabled": True}


def test_auto_mode_is_off_in_all_its_three_parts(cluster: Resource) -> None:
    assert cluster.properties["ComputeConfig"] == {"Enabled": False}
    assert cluster.properties["StorageConfig"] == {"BlockStorage": {"Enabled": False}}
    assert cluster.properties["KubernetesNetworkConfig"]["ElasticLoadBalancing"] == {"Enabled": False}


def test_the_control_plane_stands_in_the_private_subnets(
    templates: Templates, policies: Policies, cluster: Resource
) -> None:
    network = cluster.properties["ResourcesVpcConfig"]
    assert len(network["SubnetIds"]) == 3
    assert set(policies.resolve(network["SubnetIds"], STACK)) == set(tier(policies, "private"))
    assert cluster.properties["KubernetesNetworkConfig"]["ServiceIpv4Cidr"] == "172.20.0.0/16"


def test_the_public_endpoint_admits_the_allow_list_alone(cluster: Resource) -> None:
    network = cluster.properties["ResourcesVpcConfig"]
    assert network["EndpointPrivateAccess"] is True
    assert network["EndpointPublicAccess"] is True
    assert network["PublicAccessCidrs"] == ["203.0.113.0/24"]
    other = synthesize(region="us-east-1", kubernetes_public_cidrs=["198.51.100.0/24", "192.0.2.7/32"])
    given = other.one("AWS::EKS::Cluster").properties["ResourcesVpcConfig"]["PublicAccessCidrs"]
    assert given == ["198.51.100.0/24", "192.0.2.7/32"]


def test_access_is_by_entries_and_nobody_is_an_administrator_for_having_made_the_cluster(cluster: Resource) -> None:
    assert cluster.properties["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }
    assert cluster.properties["BootstrapSelfManagedAddons"] is False


def test_operators_administer_github_looks_and_nodes_join(templates: Templates, policies: Policies) -> None:
    entries = {
        str(policies.resolve(one.properties["PrincipalArn"], STACK)).rpartition("/")[2]: one.properties
        for one in templates.resources("AWS::EKS::AccessEntry")
    }
    assert set(entries) == {"DevOps-AssumeRole", "pingvas-github", KARPENTER_NODE_ROLE}
    given = {
        role: [
            (str(policy["PolicyArn"]).rpartition("/")[2], policy["AccessScope"])
            for policy in entry.get("AccessPolicies", [])
        ]
        for role, entry in entries.items()
    }
    assert given == {
        "DevOps-AssumeRole": [("AmazonEKSClusterAdminPolicy", {"Type": "cluster"})],
        "pingvas-github": [
            ("AmazonEKSViewPolicy", {"Type": "namespace", "Namespaces": ["argocd", "dev", "prod"]}),
        ],
        KARPENTER_NODE_ROLE: [],
    }
    assert entries[KARPENTER_NODE_ROLE]["Type"] == "EC2_LINUX"
    assert "KubernetesGroups" not in entries["DevOps-AssumeRole"]


def test_the_roles_of_access_entries_are_there_before_them(templates: Templates) -> None:
    made = {
        str(one.properties.get("RoleName")): one.stack
        for one in templates.resources("AWS::IAM::Role")
        if one.properties.get("RoleName") in ("DevOps-AssumeRole", "pingvas-github")
    }
    assert set(made.values()) <= templates.before(STACK)
    assert len(made) == 2


def test_kubernetes_secrets_are_encrypted_by_the_clusters_key(
    templates: Templates, policies: Policies, cluster: Resource
) -> None:
    encryption = cluster.properties["EncryptionConfig"]
    assert [one["Resources"] for one in encryption] == [["secrets"]]
    assert policies.resolve(encryption[0]["Provider"]["KeyArn"], STACK) == policies.arn(policies.key("cluster"))


def test_every_control_plane_log_goes_to_a_group_that_is_encrypted_and_ends(
    templates: Templates, policies: Policies, cluster: Resource
) -> None:
    types = {one["Type"] for one in cluster.properties["Logging"]["ClusterLogging"]["EnabledTypes"]}
    assert types == {"api", "audit", "authenticator", "controllerManager", "scheduler"}
    for name, days in ((LOG_GROUP, 90), (CONTAINER_LOG_GROUP, 30)):
        made = templates.one("AWS::Logs::LogGroup", LogGroupName=name)
        assert made.properties["RetentionInDays"] == days
        assert policies.resolve(made.properties["KmsKeyId"], STACK) == policies.arn(policies.key("logs"))
        assert made.body["DeletionPolicy"] == "RetainExceptOnCreate"
    assert after(templates, cluster, templates.one("AWS::Logs::LogGroup", LogGroupName=LOG_GROUP))


def test_a_protected_cluster_cannot_be_deleted_and_a_trial_can(cluster: Resource) -> None:
    assert cluster.properties["DeletionProtection"] is True
    trial = synthesize(region="us-east-1", protected=False)
    assert trial.one("AWS::EKS::Cluster").properties["DeletionProtection"] is False
    for name in (LOG_GROUP, CONTAINER_LOG_GROUP):
        assert trial.one("AWS::Logs::LogGroup", LogGroupName=name).body["DeletionPolicy"] == "Delete"


def test_nothing_reaches_the_api_server_from_outside_but_the_vpn(
    templates: Templates, policies: Policies, cluster: Resource
) -> None:
    vpn = [
        policies.resolve({"Fn::GetAtt": [one.id, "GroupId"]}, "Network")
        for one in templates.resources("AWS::EC2::SecurityGroup", stack="Network")
        if one.path.split("/")[1] == "VpnGroup"
    ]
    rule = templates.one("AWS::EC2::SecurityGroupIngress", stack=STACK).properties
    assert rule["GroupId"] == {"Fn::GetAtt": [cluster.id, "ClusterSecurityGroupId"]}
    assert [policies.resolve(rule["SourceSecurityGroupId"], STACK)] == vpn
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    assert "CidrIp" not in rule


def test_no_function_and_no_custom_resource_stands_between_cloudformation_and_kubernetes(templates: Templates) -> None:
    kinds = {one.type for one in templates.resources(stack=STACK)}
    assert not {one for one in kinds if one.startswith(("Custom::", "AWS::Lambda", "AWS::CloudFormation"))}


def test_the_control_planes_role_is_for_this_cluster_alone(policies: Policies, region: str) -> None:
    trust = policies.trust(policies.role("pingvas-cluster"))

    def may(cluster: str) -> bool:
        request = Request(action="sts:AssumeRole", principal="eks.amazonaws.com", context={"aws:SourceArn": cluster})
        return allowed(request, resource=[trust], governed=True)

    assert may(f"arn:aws:eks:{region}:{ACCOUNT}:cluster/{NAME}")
    assert not may(f"arn:aws:eks:{region}:{ACCOUNT}:cluster/other")
    assert not may(f"arn:aws:eks:{region}:{OTHER_ACCOUNT}:cluster/{NAME}")


@pytest.mark.usefixtures("templates")  # CDK starts with what the first synthesis tells it
def test_synthesis_stops_at_a_quota_smaller_than_the_maxima(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(PROD, quota=Quota(cpu=50, memory_gib=200, gpu=3, pods=200))
    monkeypatch.setattr("stacks.cluster.cluster.check", lambda: check(environments=[small]))
    with pytest.raises(RuleError, match=r"^environments\.prod\.quota\.gpu = 3: smaller than the maxima: 15 workers$"):
        synthesize(region=region, kubernetes_public_cidrs=["192.0.2.0/24"])


def test_pools_are_the_documents() -> None:
    assert [one.name for one in GPU.types] == ["g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge"]
    assert (GPU.gpu, GPU.cpu, GPU.memory_gib) == (10, 100, 400)
    assert GPU.labels == {"workload-type": "gpu"}
    assert [(one.key, one.effect) for one in GPU.taints] == [("nvidia.com/gpu", "NoSchedule")]
    assert (GPU.consolidate_after_seconds, GPU.drift_budget, GPU.expires_hours) == (30, "0", None)
    assert GENERAL.architectures == ("arm64", "x86_64")
    assert GENERAL.gpu == 0
    assert not GENERAL.taints
