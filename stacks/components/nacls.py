"""A network ACL a tier, made of the rules of `blueprint.acls`."""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from blueprint.acls import AclRule, Protocol
from stacks.components.excuse import excuse

PROTOCOLS: dict[Protocol, int] = {"any": -1, "icmp": 1, "tcp": 6, "udp": 17}
"""IANA's numbers; -1 is EC2's for all of them."""
FIRST, STEP = 100, 10
_ALL_PORTS = (0, 65535)


class TierAcl(Construct):
    """The ACL of one tier's subnets; what no rule allows is denied."""

    def __init__(
        self, scope: Construct, name: str, *, vpc: ec2.IVpc, subnets: Sequence[ec2.ISubnet], rules: Sequence[AclRule]
    ) -> None:
        super().__init__(scope, name)
        excuse(
            self,
            "AwsSolutions-VPC3",
            "the design asks for an ACL a tier; its rules stand with their reasons in blueprint",
        )
        acl = ec2.CfnNetworkAcl(self, "Acl", vpc_id=vpc.vpc_id, tags=[{"key": "Name", "value": f"pingvas-{name}"}])
        for direction in ("in", "out"):
            mine = [rule for rule in rules if rule.direction == direction]
            for number, rule in enumerate(mine):
                ec2.CfnNetworkAclEntry(
                    self,
                    f"{direction}{number}",
                    network_acl_id=acl.ref,
                    rule_number=FIRST + STEP * number,
                    rule_action="allow",
                    egress=direction == "out",
                    protocol=PROTOCOLS[rule.protocol],
                    cidr_block=str(rule.peer),
                    port_range=_ports(rule),
                    icmp={"type": rule.ports[0], "code": rule.ports[1]}
                    if rule.protocol == "icmp" and rule.ports
                    else None,
                )
        for number, subnet in enumerate(subnets):
            ec2.CfnSubnetNetworkAclAssociation(
                self, f"subnet{number}", network_acl_id=acl.ref, subnet_id=subnet.subnet_id
            )


def _ports(rule: AclRule) -> dict[str, int] | None:
    if rule.protocol not in ("tcp", "udp"):
        return None
    first, last = rule.ports or _ALL_PORTS
    return {"from": first, "to": last}
