"""The EKS control plane: who reaches it, who may do what in it, what it logs and how its secrets are kept."""

from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from blueprint import cluster as blueprint
from blueprint.network import NETWORK
from stacks.components.excuse import excuse
from stacks.components.policies import Allow, Here, role, service_trust
from stacks.settings import Settings

CLUSTER_ROLE = "pingvas-cluster"
_MANAGED = "AWS's own policy for EKS control planes, whose calls change with EKS; none of ours could follow them"


class Eks(Construct):
    """`cluster`, the log groups of control plane and containers, and the access entries of people and GitHub.

    Not Auto Mode: nodes are those of `stacks.components.nodes` and Karpenter's.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (CDK's own word)
        *,
        settings: Settings,
        subnets: Sequence[ec2.ISubnet],
        vpn: ec2.ISecurityGroup,
        key: kms.IKey,
        logs_key: kms.IKey,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        self._logs_key, self._removal = logs_key, removal
        self.control_plane_log_group = self._log_group("ControlPlaneLogs", blueprint.LOG_GROUP, blueprint.LOG_DAYS)
        self.log_group = self._log_group("ContainerLogs", blueprint.CONTAINER_LOG_GROUP, blueprint.CONTAINER_LOG_DAYS)
        self.cluster = eks.CfnCluster(
            self,
            "Cluster",
            name=blueprint.NAME,
            version=blueprint.VERSION,
            role_arn=self._role(key).attr_arn,
            resources_vpc_config={
                "subnetIds": [subnet.subnet_id for subnet in subnets],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": True,
                "publicAccessCidrs": list(settings.kubernetes_public_cidrs),
            },
            kubernetes_network_config={
                "ipFamily": "ipv4",
                "serviceIpv4Cidr": str(NETWORK.services),
                "elasticLoadBalancing": {"enabled": False},
            },
            compute_config={"enabled": False},
            storage_config={"blockStorage": {"enabled": False}},
            access_config={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            bootstrap_self_managed_addons=False,
            encryption_config=[{"provider": {"keyArn": key.key_arn}, "resources": ["secrets"]}],
            logging={"clusterLogging": {"enabledTypes": [{"type": one} for one in blueprint.LOG_TYPES]}},
            upgrade_policy={"supportType": blueprint.SUPPORT},
            zonal_shift_config={"enabled": True},
            deletion_protection=settings.protected,
        )
        # EKS would make the log group itself, without end and without our key.
        self.cluster.add_resource_dependency(self.control_plane_log_group)
        excuse(
            self.cluster,
            "AwsSolutions-EKS1",
            "The public endpoint admits kubernetes_public_cidrs alone, for runners and people who set up the VPN; "
            "everybody else comes by the private one, and all need an access entry",
        )
        ec2.CfnSecurityGroupIngress(
            self,
            "FromVpn",
            group_id=self.cluster.attr_cluster_security_group_id,
            source_security_group_id=vpn.security_group_id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            description="API server, from the VPN",
        )
        for access in blueprint.ACCESS:
            self._access(access)

    def admit_nodes(self, id: str, role_arn: str) -> eks.CfnAccessEntry:  # noqa: A002
        """Lets nodes of a role join. A managed node group does so for its own role; Karpenter's nodes have none."""
        return eks.CfnAccessEntry(self, id, cluster_name=self.cluster.ref, principal_arn=role_arn, type="EC2_LINUX")

    def _access(self, access: blueprint.Access) -> None:
        here = Here.of(self)
        policy = here.arn("eks", f"cluster-access-policy/{access.policy}", region="", account="aws")
        scope = (
            {"type": "namespace", "namespaces": list(access.namespaces)} if access.namespaces else {"type": "cluster"}
        )
        eks.CfnAccessEntry(
            self,
            f"Access-{access.role}",
            cluster_name=self.cluster.ref,
            principal_arn=here.arn("iam", f"role/{access.role}", region=""),
            type="STANDARD",
            kubernetes_groups=list(access.groups) or None,
            access_policies=[{"policyArn": policy, "accessScope": scope}],
        )

    def _role(self, key: kms.IKey) -> iam.CfnRole:
        here = Here.of(self)
        return role(
            self,
            "Role",
            name=CLUSTER_ROLE,
            description="The control plane of EKS",
            trust=service_trust(
                "eks.amazonaws.com", ArnEquals={"aws:SourceArn": here.arn("eks", f"cluster/{blueprint.NAME}")}
            ),
            allows=[
                Allow(
                    sid="EncryptKubernetesSecrets",
                    actions=["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:ListGrants"],
                    resources=[key.key_arn],
                )
            ],
            managed={"AmazonEKSClusterPolicy": _MANAGED},
        )

    def _log_group(self, id: str, name: str, days: int) -> logs.CfnLogGroup:  # noqa: A002
        group = logs.CfnLogGroup(
            self, id, log_group_name=name, retention_in_days=days, kms_key_id=self._logs_key.key_arn
        )
        kept = self._removal is RemovalPolicy.RETAIN
        # Not kept after a failed first deployment, whose repetition could not make the same name again.
        group.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if kept else self._removal)
        return group
