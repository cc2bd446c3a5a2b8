"""The system node group, and the add-ons before and after it."""

import json
from collections.abc import Mapping, Sequence

from aws_cdk import CfnResource
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from blueprint.addons import ADDONS, Addon
from blueprint.cluster import AMI, NAME, SYSTEM, SYSTEM_NODE_ROLE
from blueprint.finance import ENVIRONMENT_TAG, PROJECT_TAG, SHARED
from stacks.components.policies import role, service_trust
from stacks.settings import Settings

NODE_POLICIES = {
    "AmazonEKSWorkerNodePolicy": "AWS's own policy for nodes: it describes instances and networks, and changes with "
    "the AMI's bootstrap",
    "AmazonEC2ContainerRegistryPullOnly": "AWS's own policy for pulling images, the add-ons' from AWS's registries too",
    "AmazonSSMManagedInstanceCore": "AWS's own policy for Session Manager, which takes the place of SSH and its keys",
}
"""What a node itself needs. Addresses of pods are the CNI's, volumes the CSI drivers', by roles of their own."""


def node_role(scope: Construct, id: str, *, name: str, description: str) -> iam.CfnRole:  # noqa: A002
    return role(
        scope,
        id,
        name=name,
        description=description,
        trust=service_trust("ec2.amazonaws.com"),
        managed=NODE_POLICIES,
    )


class SystemNodes(Construct):
    """`group`, the managed node group of label role=system, on Spot in the private subnets."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (CDK's own word)
        *,
        settings: Settings,
        cluster: eks.CfnCluster,
        subnets: Sequence[ec2.ISubnet],
        nodes: ec2.ISecurityGroup,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        self._cluster = cluster
        architecture = settings.system_architecture
        marks = {"Name": f"{NAME}-system", PROJECT_TAG[0]: PROJECT_TAG[1], ENVIRONMENT_TAG: SHARED}
        tags = [{"key": key, "value": value} for key, value in marks.items()]
        template = ec2.CfnLaunchTemplate(
            self,
            "Template",
            launch_template_data={
                # Both: a launch template that names groups takes the cluster's own off the nodes.
                "securityGroupIds": [nodes.security_group_id, cluster.attr_cluster_security_group_id],
                "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
                "blockDeviceMappings": [
                    {
                        "deviceName": "/dev/xvda",
                        "ebs": {
                            "encrypted": True,
                            "kmsKeyId": key.key_arn,
                            "volumeType": "gp3",
                            "volumeSize": SYSTEM.disk_gib,
                            "deleteOnTermination": True,
                        },
                    }
                ],
                "tagSpecifications": [{"resourceType": one, "tags": tags} for one in ("instance", "volume")],
            },
        )
        self.group = eks.CfnNodegroup(
            self,
            "Group",
            cluster_name=cluster.ref,
            node_role=node_role(self, "Role", name=SYSTEM_NODE_ROLE, description="Nodes of role=system").attr_arn,
            subnets=[subnet.subnet_id for subnet in subnets],
            ami_type=AMI[architecture],
            capacity_type="SPOT",
            instance_types=[one.name for one in SYSTEM.types[architecture]],
            labels=dict([SYSTEM.label]),
            launch_template={"id": template.ref, "version": template.attr_latest_version_number},
            scaling_config={
                "minSize": SYSTEM.minimum,
                "desiredSize": SYSTEM.desired,
                "maxSize": SYSTEM.maximum,
            },
            update_config={"maxUnavailable": SYSTEM.unavailable},
            node_repair_config={"enabled": True},
        )
        self.addons = {one.name: self._addon(one) for one in ADDONS}

    def after(self, associations: Mapping[str, CfnResource]) -> None:
        """Lets an add-on of a workload's name come after that workload's Pod Identity association: pods that start
        before it would have no role until they are made anew."""
        for addon in ADDONS:
            if addon.workload:
                self.addons[addon.name].add_resource_dependency(associations[addon.workload])

    def _addon(self, addon: Addon) -> eks.CfnAddon:
        made = eks.CfnAddon(
            self,
            addon.name,
            addon_name=addon.name,
            cluster_name=self._cluster.ref,
            resolve_conflicts="OVERWRITE",
            configuration_values=json.dumps(_plain(addon.configuration)) if addon.configuration else None,
        )
        if addon.before_nodes:
            self.group.add_resource_dependency(made)
        else:
            made.add_resource_dependency(self.group)
        return made


def _plain(value: object) -> object:
    """Mappings of the blueprint as JSON's own."""
    return {key: _plain(one) for key, one in value.items()} if hasattr(value, "items") else value
