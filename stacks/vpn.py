"""The OpenVPN Access Server: one instance that replaces itself, at an address that stays."""

from aws_cdk import aws_route53 as route53
from constructs import Construct

from blueprint.vpn import VPN
from stacks.components.stack import PlatformStack
from stacks.components.vpn_server import VpnServer
from stacks.dns import DnsStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack, bucket_name

HOST_TTL_SECONDS = 300


class VpnStack(PlatformStack):
    """`server`, and its name in the zone.

    The stack holds nothing: the server's state is in the backups bucket, its address in the network stack.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        dns: DnsStack,
        network: NetworkStack,
        security: SecurityStack,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, "Vpn", settings=settings, description="OpenVPN")
        self.add_stack_dependency(storage, "the server finds its state in a bucket that must be there when it starts")
        route53.CfnRecordSet(
            self,
            "Host",
            hosted_zone_id=dns.zone.hosted_zone_id,
            name=f"{VPN.host}.",
            type="A",
            ttl=str(HOST_TTL_SECONDS),
            resource_records=[network.vpn_address.attr_public_ip],
        )
        self.server = VpnServer(
            self,
            "Server",
            subnets=[subnet.subnet_id for subnet in network.tier("public")],
            security_group=network.groups.vpn.security_group_id,
            allocation=network.vpn_address.attr_allocation_id,
            zone=dns.zone.hosted_zone_id,
            bucket=bucket_name(VPN.state_bucket, settings),
            bucket_key=security.keys.storage.key_arn,
            secret_key=security.keys.secrets.key_arn,
        )
