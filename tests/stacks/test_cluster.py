"""The cluster: its control plane, system nodes, add-ons, and Karpenter's queue, as the platform promises them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from blueprint.addons import ADDONS
from blueprint.cluster import (
    AMI,
    CONTAINER_LOG_GROUP,
    INTERRUPTION_EVENTS,
    KARPENTER_NODE_ROLE,
    LOG_GROUP,
    NAME,
    SYSTEM,
    SYSTEM_NODE_ROLE,
    check,
)
from blueprint.environments import PROD, Quota
from blueprint.instances import INSTANCE_TYPES
from blueprint.pools import GENERAL, GPU
from blueprint.rules import RuleError
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, synthesize

STACK = "Cluster"


@pytest.fixture(scope="module")
def policies(templates: Templates, region: str) -> Policies:
    return Policies(templates, region=region)


@pytest.fixture
def cluster(templates: Templates) -> Resource:
    return templates.one("AWS::EKS::Cluster")


@pytest.fixture
def group(templates: Templates) -> Resource:
    return templates.one("AWS::EKS::Nodegroup")


@pytest.fixture
def launch(templates: Templates, group: Resource) -> Mapping[str, Any]:
    """What the launch template of the system nodes says."""
    template = templates.one("AWS::EC2::LaunchTemplate", stack=STACK)
    assert group.properties["LaunchTemplate"]["Id"] == {"Ref": template.id}
    return template.properties["LaunchTemplateData"]  # type: ignore[no-any-return]


def addon(templates: Templates, name: str) -> Resource:
    return templates.one("AWS::EKS::Addon", AddonName=name)


def after(templates: Templates, later: Resource, earlier: Resource) -> bool:
    """Whether CloudFormation makes one resource after another, through however many between them."""
    waiting, seen = [later.id], set()
    while waiting:
        one = waiting.pop()
        if one == earlier.id:
            return True
        if one in seen or one not in templates[later.stack]["Resources"]:
            continue
        seen.add(one)
        body = templates[later.stack]["Resources"][one]
        explicit = body.get("DependsOn", [])
        waiting += [explicit] if isinstance(explicit, str) else explicit
        waiting += _references(body.get("Properties", {}))
    return False


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for one in value for name in _references(one)]
    if not isinstance(value, Mapping):
        return []
    if "Ref" in value:
        return [str(value["Ref"])]
    if "Fn::GetAtt" in value:
        return [str(value["Fn::GetAtt"][0])]
    return [name for one in value.values() for name in _references(one)]


def private_subnets(templates: Templates, policies: Policies) -> set[str]:
    return {
        policies.reference(one)
        for one in templates.resources("AWS::EC2::Subnet")
        if str(one.properties["CidrBlock"]).startswith("10.0.1") and len(str(one.properties["CidrBlock"])) == 12
    }


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
    assert set(policies.resolve(network["SubnetIds"], STACK)) == private_subnets(templates, policies)
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
    assert policies.resolve(encryption[0]["Provider"]["KeyArn"], STACK) == policies.arn(key(templates, "ClusterKey"))


def test_every_control_plane_log_goes_to_a_group_that_is_encrypted_and_ends(
    templates: Templates, policies: Policies, cluster: Resource
) -> None:
    types = {one["Type"] for one in cluster.properties["Logging"]["ClusterLogging"]["EnabledTypes"]}
    assert types == {"api", "audit", "authenticator", "controllerManager", "scheduler"}
    for name, days in ((LOG_GROUP, 90), (CONTAINER_LOG_GROUP, 30)):
        made = templates.one("AWS::Logs::LogGroup", LogGroupName=name)
        assert made.properties["RetentionInDays"] == days
        assert policies.resolve(made.properties["KmsKeyId"], STACK) == policies.arn(key(templates, "LogsKey"))
        assert made.body["DeletionPolicy"] == "RetainExceptOnCreate"
    assert after(templates, cluster, templates.one("AWS::Logs::LogGroup", LogGroupName=LOG_GROUP))


def key(templates: Templates, name: str) -> Resource:
    (found,) = [one for one in templates.resources("AWS::KMS::Key") if one.path.split("/")[1] == name]
    return found


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


def test_system_nodes_are_al2023_on_spot_of_several_types_of_one_size(group: Resource) -> None:
    assert group.properties["AmiType"] == "AL2023_x86_64_STANDARD"
    assert group.properties["CapacityType"] == "SPOT"
    types = [INSTANCE_TYPES[name] for name in group.properties["InstanceTypes"]]
    assert types[0].name == "t3.medium"
    assert len(types) >= 2, "with one type, one Spot pool a zone that runs dry stops the group"
    assert {(one.cpu, one.memory_gib, one.architecture) for one in types} == {(2, 4, "x86_64")}
    assert group.properties["ScalingConfig"] == {"MinSize": 2, "DesiredSize": 3, "MaxSize": 5}
    assert group.properties["Labels"] == {"role": "system"}
    assert "Taints" not in group.properties, "what has no place elsewhere may run here"
    assert group.properties["UpdateConfig"] == {"MaxUnavailable": 1}
    assert group.properties["NodeRepairConfig"] == {"Enabled": True}


def test_arm64_is_one_setting() -> None:
    group = synthesize(region="us-east-1", system_architecture="arm64").one("AWS::EKS::Nodegroup")
    assert group.properties["AmiType"] == "AL2023_ARM_64_STANDARD"
    types = [INSTANCE_TYPES[name] for name in group.properties["InstanceTypes"]]
    assert types[0].name == "t4g.medium"
    assert len(types) >= 2
    assert {(one.cpu, one.memory_gib, one.architecture) for one in types} == {(2, 4, "arm64")}


def test_every_architecture_has_its_image_and_types() -> None:
    assert set(AMI) == set(SYSTEM.types) == {"x86_64", "arm64"}
    assert all("AL2023" in ami for ami in AMI.values())


def test_no_node_is_public(
    templates: Templates, policies: Policies, group: Resource, launch: Mapping[str, Any]
) -> None:
    assert set(policies.resolve(group.properties["Subnets"], STACK)) == private_subnets(templates, policies)
    assert "NetworkInterfaces" not in launch
    assert "RemoteAccess" not in group.properties
    assert "KeyName" not in launch


def test_system_nodes_carry_the_platforms_group_and_the_clusters(
    templates: Templates, policies: Policies, cluster: Resource, launch: Mapping[str, Any]
) -> None:
    (nodes,) = [
        policies.resolve({"Fn::GetAtt": [one.id, "GroupId"]}, "Network")
        for one in templates.resources("AWS::EC2::SecurityGroup", stack="Network")
        if one.path.split("/")[1] == "NodesGroup"
    ]
    own, clusters = launch["SecurityGroupIds"]
    assert policies.resolve(own, STACK) == nodes
    assert clusters == {"Fn::GetAtt": [cluster.id, "ClusterSecurityGroupId"]}


def test_pods_cannot_ask_the_metadata_service_for_the_nodes_role(launch: Mapping[str, Any]) -> None:
    options = launch["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 1


def test_volumes_of_system_nodes_are_encrypted_by_the_clusters_key(
    templates: Templates, policies: Policies, launch: Mapping[str, Any]
) -> None:
    (device,) = launch["BlockDeviceMappings"]
    assert device["DeviceName"] == "/dev/xvda"
    assert device["Ebs"]["Encrypted"] is True
    assert device["Ebs"]["VolumeType"] == "gp3"
    assert policies.resolve(device["Ebs"]["KmsKeyId"], STACK) == policies.arn(key(templates, "ClusterKey"))


def test_nodes_have_what_a_node_needs_and_no_more(policies: Policies) -> None:
    for name in (SYSTEM_NODE_ROLE, KARPENTER_NODE_ROLE):
        role = policies.role(name)
        given = {str(one).rpartition("/")[2] for one in policies.resolve(role.properties["ManagedPolicyArns"], STACK)}
        assert given == {
            "AmazonEKSWorkerNodePolicy",
            "AmazonEC2ContainerRegistryPullOnly",
            "AmazonSSMManagedInstanceCore",
        }, "not the CNI's, and nothing of S3"
        assert "Policies" not in role.properties
        trust = policies.trust(role)
        assert allowed(Request(action="sts:AssumeRole", principal="ec2.amazonaws.com"), resource=[trust], governed=True)
        other = Request(action="sts:AssumeRole", principal="lambda.amazonaws.com")
        assert not allowed(other, resource=[trust], governed=True)


def test_the_add_ons_are_those_of_the_platform(templates: Templates) -> None:
    made = {one.properties["AddonName"]: one.properties for one in templates.resources("AWS::EKS::Addon")}
    assert set(made) == {
        "vpc-cni",
        "coredns",
        "kube-proxy",
        "aws-ebs-csi-driver",
        "aws-efs-csi-driver",
        "eks-pod-identity-agent",
        "metrics-server",
    }
    assert {one["ResolveConflicts"] for one in made.values()} == {"OVERWRITE"}
    assert not [name for name, one in made.items() if "AddonVersion" in one], "EKS's default follows Kubernetes'"


def test_the_cni_enforces_network_policies_in_mode_standard_and_keeps_few_addresses_warm(templates: Templates) -> None:
    assert json.loads(addon(templates, "vpc-cni").properties["ConfigurationValues"]) == {
        "enableNetworkPolicy": "true",
        "env": {
            "NETWORK_POLICY_ENFORCING_MODE": "standard",
            "WARM_IP_TARGET": "2",
            "MINIMUM_IP_TARGET": "10",
        },
    }


def test_what_must_run_before_karpenter_stays_on_system_nodes(templates: Templates) -> None:
    configured = {
        name: json.loads(addon(templates, name).properties["ConfigurationValues"])
        for name in ("coredns", "aws-ebs-csi-driver", "aws-efs-csi-driver")
    }
    assert configured["coredns"]["nodeSelector"] == {"role": "system"}
    for name in ("aws-ebs-csi-driver", "aws-efs-csi-driver"):
        assert configured[name]["controller"]["nodeSelector"] == {"role": "system"}


def test_volumes_of_claims_are_tagged_as_this_clusters(templates: Templates) -> None:
    tags = json.loads(addon(templates, "aws-ebs-csi-driver").properties["ConfigurationValues"])["controller"]
    assert tags["extraVolumeTags"] == {f"kubernetes.io/cluster/{NAME}": "owned"}


@pytest.mark.parametrize("name", ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
def test_what_makes_nodes_ready_comes_before_them(templates: Templates, group: Resource, name: str) -> None:
    assert after(templates, group, addon(templates, name))
    assert not after(templates, addon(templates, name), group), "it would wait for nodes that wait for it"


@pytest.mark.parametrize("name", ["coredns", "aws-ebs-csi-driver", "aws-efs-csi-driver", "metrics-server"])
def test_what_needs_nodes_comes_after_them(templates: Templates, group: Resource, name: str) -> None:
    assert after(templates, addon(templates, name), group)


def test_an_add_on_starts_with_its_role(templates: Templates) -> None:
    for one in ADDONS:
        if one.workload:
            (bound,) = [
                made
                for made in templates.resources("AWS::EKS::PodIdentityAssociation")
                if made.path.split("/")[-1] == one.workload
            ]
            assert after(templates, addon(templates, one.name), bound)
    assert {one.name for one in ADDONS if one.workload} == {"vpc-cni", "aws-ebs-csi-driver", "aws-efs-csi-driver"}


def test_the_interruption_queue_is_karpenters_and_forgets_soon(templates: Templates) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK).properties
    assert queue["QueueName"] == NAME
    assert queue["MessageRetentionPeriod"] == 300
    assert queue["SqsManagedSseEnabled"] is True


def test_every_warning_reaches_the_queue(templates: Templates) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK)
    rules = list(templates.resources("AWS::Events::Rule", stack=STACK))
    heard = {
        (one.properties["EventPattern"]["source"][0], one.properties["EventPattern"]["detail-type"][0]) for one in rules
    }
    assert heard == {
        ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        ("aws.ec2", "EC2 Instance State-change Notification"),
        ("aws.health", "AWS Health Event"),
    }
    for rule in rules:
        assert [one["Arn"] for one in rule.properties["Targets"]] == [{"Fn::GetAtt": [queue.id, "Arn"]}]
        assert rule.properties.get("State", "ENABLED") == "ENABLED"


def test_only_these_rules_send_to_the_queue_and_only_over_tls(
    templates: Templates, policies: Policies, region: str
) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK)
    rules = [
        policies.resolve({"Fn::GetAtt": [one.id, "Arn"]}, STACK)
        for one in templates.resources("AWS::Events::Rule", stack=STACK)
    ]

    def sends(rule: str, principal: str = "events.amazonaws.com", account: str = ACCOUNT, tls: str = "true") -> bool:
        request = Request(
            action="sqs:SendMessage",
            resource=policies.arn(queue),
            principal=principal,
            context={"aws:SourceArn": rule, "aws:SourceAccount": account, "aws:SecureTransport": tls},
        )
        return allowed(request, resource=policies.of(queue), owner=ACCOUNT)

    assert len(rules) == len(INTERRUPTION_EVENTS)
    assert all(sends(rule) for rule in rules)
    assert not sends(rules[0], tls="false")
    assert not sends(rules[0], principal="s3.amazonaws.com")
    assert not sends(rules[0], account=OTHER_ACCOUNT)
    assert not sends(f"arn:aws:events:{region}:{ACCOUNT}:rule/somebody-elses")


def test_the_services_that_start_nodes_may_encrypt_their_volumes(templates: Templates, policies: Policies) -> None:
    clusters = key(templates, "ClusterKey")

    def may(role: str, action: str, account: str = ACCOUNT, **context: str) -> bool:
        principal = f"arn:aws:iam::{account}:role/{role}"
        request = Request(
            action=action,
            resource=policies.arn(clusters),
            principal=principal,
            context={"aws:PrincipalArn": principal, "kms:CallerAccount": account, **context},
        )
        return allowed(request, resource=policies.of(clusters), governed=True, owner=ACCOUNT)

    scaling = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    for action in ("kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt", "kms:DescribeKey"):
        assert may(scaling, action)
    assert may(scaling, "kms:CreateGrant", **{"kms:GrantIsForAWSResource": "true"})
    assert not may(scaling, "kms:CreateGrant", **{"kms:GrantIsForAWSResource": "false"})
    assert not may("somebody", "kms:Decrypt")
    assert not may(scaling, "kms:Decrypt", account=OTHER_ACCOUNT)


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
