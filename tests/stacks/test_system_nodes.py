"""System nodes: their image, types and place, who reaches them, and what their role may do."""

from collections.abc import Mapping
from typing import Any

import pytest

from blueprint.cluster import AMI, KARPENTER_NODE_ROLE, SYSTEM, SYSTEM_NODE_ROLE
from blueprint.instances import INSTANCE_TYPES
from tests.support.data import tier
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, synthesize

STACK = "Cluster"


@pytest.fixture
def launch(templates: Templates, node_group: Resource) -> Mapping[str, Any]:
    """What the launch template of the system nodes says."""
    template = templates.one("AWS::EC2::LaunchTemplate", stack=STACK)
    assert node_group.properties["LaunchTemplate"]["Id"] == {"Ref": template.id}
    return template.properties["LaunchTemplateData"]  # type: ignore[no-any-return]


def test_system_nodes_are_al2023_on_spot_of_several_types_of_one_size(node_group: Resource) -> None:
    assert node_group.properties["AmiType"] == "AL2023_x86_64_STANDARD"
    assert node_group.properties["CapacityType"] == "SPOT"
    types = [INSTANCE_TYPES[name] for name in node_group.properties["InstanceTypes"]]
    assert types[0].name == "t3.medium"
    assert len(types) >= 2, "with one type, one Spot pool a zone that runs dry stops the group"
    assert {(one.cpu, one.memory_gib, one.architecture) for one in types} == {(2, 4, "x86_64")}
    assert node_group.properties["ScalingConfig"] == {"MinSize": 2, "DesiredSize": 3, "MaxSize": 5}
    assert node_group.properties["Labels"] == {"role": "system"}
    assert "Taints" not in node_group.properties, "what has no place elsewhere may run here"
    assert node_group.properties["UpdateConfig"] == {"MaxUnavailable": 1}
    assert node_group.properties["NodeRepairConfig"] == {"Enabled": True}


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
    templates: Templates, policies: Policies, node_group: Resource, launch: Mapping[str, Any]
) -> None:
    assert set(policies.resolve(node_group.properties["Subnets"], STACK)) == set(tier(policies, "private"))
    assert "NetworkInterfaces" not in launch
    assert "RemoteAccess" not in node_group.properties
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
    assert policies.resolve(device["Ebs"]["KmsKeyId"], STACK) == policies.arn(policies.key("cluster"))


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


def test_the_services_that_start_nodes_may_encrypt_their_volumes(templates: Templates, policies: Policies) -> None:
    clusters = policies.key("cluster")

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
