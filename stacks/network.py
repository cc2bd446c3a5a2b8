"""The VPC, and what has to exist before anything stands in it: subnets, security groups, the VPN's address."""

from aws_cdk import Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from blueprint.acls import acl
from blueprint.cluster import NAME as CLUSTER
from blueprint.network import (
    FLOW_LOG_DAYS,
    FLOW_LOG_GROUP,
    FLOW_LOG_SECONDS,
    INTERFACE_ENDPOINTS,
    NETWORK,
    TIERS,
    Tier,
    check,
)
from stacks.components.addresses import BlueprintAddresses
from stacks.components.excuse import excuse
from stacks.components.groups import SecurityGroups, security_groups
from stacks.components.logs import log_group, logs_key_policy
from stacks.components.nacls import TierAcl
from stacks.components.policies import Allow, Here, role, service_trust
from stacks.components.stack import PlatformStack
from stacks.settings import Settings

SUBNET_TAGS: dict[Tier, dict[str, str]] = {
    "public": {"kubernetes.io/role/elb": "1"},
    "private": {"kubernetes.io/role/internal-elb": "1", "karpenter.sh/discovery": CLUSTER},
}
"""What the load balancer controller and Karpenter find subnets by."""
FLOW_LOG_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} "
    "${bytes} ${start} ${end} ${action} ${log-status} ${pkt-srcaddr} ${pkt-dstaddr} ${az-id} ${subnet-id} "
    "${tcp-flags} ${flow-direction}"
)
"""AWS's default fields, then the addresses before NAT, where it was, and who began."""


class NetworkStack(PlatformStack):
    """VPC, route tables, NACLs, flow logs, endpoints, security groups, the VPN's Elastic IP and the key of all logs.

    Raises:
        RuleError: ranges of the blueprint overlap, or lie outside the VPC.
    """

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        check(NETWORK)
        super().__init__(scope, "Network", settings=settings, description="VPC and security groups", stateful=True)
        self.logs_key = kms.Key(
            self,
            "LogsKey",
            alias="pingvas/logs",
            description="Log groups of the platform",
            enable_key_rotation=True,
            policy=iam.PolicyDocument.from_json(logs_key_policy(self)),
            removal_policy=self.removal,
        )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=BlueprintAddresses(),  # type: ignore[arg-type]
            availability_zones=list(settings.zones),
            nat_gateways=settings.nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
                ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ],
        )
        excuse(self.vpc, "W3010", "zones are a setting of the deployment; each tier has a subnet in each of the three")
        self._default_group()
        for tier, tags in SUBNET_TAGS.items():
            for subnet in self.tier(tier):
                for key, value in tags.items():
                    Tags.of(subnet).add(key, value, include_resource_types=["AWS::EC2::Subnet"])
        for tier in TIERS:
            rules = acl(tier, cloudfront=settings.cloudfront, interface_endpoints=settings.interface_endpoints)
            TierAcl(self, f"{tier}-acl", vpc=self.vpc, subnets=self.tier(tier), rules=rules)
        self.vpn_address = ec2.CfnEIP(self, "VpnAddress", domain="vpc", tags=[{"key": "Name", "value": "pingvas-vpn"}])
        self.groups: SecurityGroups = security_groups(self, vpc=self.vpc, settings=settings)
        self._flow_logs()
        self._endpoints()
        self._outputs()

    def tier(self, name: str) -> list[ec2.ISubnet]:
        """The three subnets of `public`, `private` or `data`."""
        return self.vpc.select_subnets(subnet_group_name=name).subnets

    def _default_group(self) -> None:
        """CloudFormation cannot change the default security group, so CDK's function takes its rules away."""
        handler = self.node.find_child("Custom::VpcRestrictDefaultSGCustomResourceProvider").node.find_child("Handler")
        runs = "CDK's own function: it runs when the VPC is made or changed, in a deployment that waits for its answer"
        for rule in ("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117"):
            excuse(handler, rule, runs)
        excuse(handler, "W3005", "CDK writes the dependency that the reference to the role already is")

    def _flow_logs(self) -> None:
        here = Here.of(self)
        group = log_group(
            self,
            "FlowLogGroup",
            log_group_name=FLOW_LOG_GROUP,
            days=FLOW_LOG_DAYS,
            key=self.logs_key,
            removal=self.removal,
        )
        arn = here.arn("logs", f"log-group:{FLOW_LOG_GROUP}")
        writer = role(
            self,
            "FlowLogRole",
            name="pingvas-vpc-flow-logs",
            description="VPC flow logs write one log group",
            trust=service_trust(
                "vpc-flow-logs.amazonaws.com",
                StringEquals={"aws:SourceAccount": here.account},
                ArnLike={"aws:SourceArn": here.arn("ec2", "vpc-flow-log/*")},
            ),
            allows=[
                Allow(
                    sid="WriteFlows",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    resources=[arn, f"{arn}:*"],
                    because="the streams of one log group, one a network interface, made as interfaces appear",
                ),
            ],
        )
        flows = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_group_name=group.log_group_name,
            deliver_logs_permission_arn=writer.attr_arn,
            log_format=FLOW_LOG_FORMAT,
            max_aggregation_interval=FLOW_LOG_SECONDS,
        )
        excuse(flows, "E1029", "flow logs have a syntax of their own for fields, which looks like CloudFormation's")

    def _endpoints(self) -> None:
        """Gateways are free, and take S3's traffic off the NAT gateway's bill; the data tier goes nowhere.

        Public subnets have none: through a gateway AWS sees a private address, and the developers' role, which wants
        the VPN's public one, would refuse S3.
        """
        routes = [subnet.route_table.route_table_id for subnet in self.tier("private")]
        for service in ("s3", "dynamodb"):
            ec2.CfnVPCEndpoint(
                self,
                f"{service}-gateway",
                vpc_id=self.vpc.vpc_id,
                vpc_endpoint_type="Gateway",
                service_name=f"com.amazonaws.{self.region}.{service}",
                route_table_ids=routes,
            )
        if self.groups.endpoints is None:
            return
        for service in INTERFACE_ENDPOINTS:
            ec2.CfnVPCEndpoint(
                self,
                f"{service}-endpoint",
                vpc_id=self.vpc.vpc_id,
                vpc_endpoint_type="Interface",
                service_name=f"com.amazonaws.{self.region}.{service}",
                private_dns_enabled=True,
                subnet_ids=[subnet.subnet_id for subnet in self.tier("data")],
                security_group_ids=[self.groups.endpoints.security_group_id],
            )

    def _outputs(self) -> None:
        self.publish("network/vpc-id", self.vpc.vpc_id)
        for name in TIERS:
            self.publish(f"network/{name}-subnet-ids", ",".join(subnet.subnet_id for subnet in self.tier(name)))
        self.publish("network/interface-endpoints", "true" if self.groups.endpoints else "false")
        self.publish("network/alb-security-group-id", self.groups.alb.security_group_id)
        self.publish("network/node-security-group-id", self.groups.nodes.security_group_id)
        self.publish("vpn/address", self.vpn_address.attr_public_ip)
