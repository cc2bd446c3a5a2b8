"""Does a packet get through, and its reply? Computed from a synthesized network: routes, network ACLs, security groups.

network = PacketFilter(templates["Network"])
network.refusal(Host("10.0.11.9", "NodesGroup"), Host("10.0.21.9", "AuroraGroup"), "tcp", 5432)  # None: it gets through

Security groups remember a connection, so they are asked once; network ACLs do not, so they are asked for the reply too,
with every near end that a system may take.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

Protocol = Literal["tcp", "udp"]
NUMBERS = {"tcp": 6, "udp": 17}
NEAR_ENDS = (1024, 32768, 60999, 65535)
"""Ephemeral ports: the first and last that NAT gateways and load balancers take, and Linux's."""


@dataclass(frozen=True, slots=True)
class Host:
    """Somebody with an address. `group` is the name of its security group's construct; without one, none is asked."""

    address: str
    group: str | None = None
    prefix_list: str | None = None

    @property
    def ip(self) -> IPv4Address:
        return IPv4Address(self.address)


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    range: IPv4Network
    way_out: str | None
    """`internet`, the id of the NAT gateway's subnet, or None."""


class PacketFilter:
    """The network of one template."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self.resources: Mapping[str, Any] = template["Resources"]
        self.vpc = IPv4Network(next(body["CidrBlock"] for _, body in self._of("AWS::EC2::VPC")))
        self.acls = {_ref(body["SubnetId"]): _ref(body["NetworkAclId"]) for _, body in self._associations()}
        self.subnets = [
            Subnet(name, IPv4Network(body["CidrBlock"]), self._way_out(name))
            for name, body in self._of("AWS::EC2::Subnet")
        ]

    def refusal(self, source: Host, target: Host, protocol: Protocol, port: int) -> str | None:
        """Who refuses the packet or its reply; None where both get through."""
        for one, other, direction in ((source, target, "egress"), (target, source, "ingress")):
            if one.group and not self._group_allows(one.group, direction, other, protocol, port):
                return f"{one.group} {direction}"
        hops = self._hops(source, target)
        if hops is None:
            return "no route"
        for subnet, direction in hops:
            peer = target if direction == "egress" else source
            if not self.admits(subnet, direction, peer.ip, protocol, port):
                return f"ACL of {subnet.range} {direction}"
        for subnet, direction in hops:
            back = "ingress" if direction == "egress" else "egress"
            peer = target if back == "ingress" else source
            for near in NEAR_ENDS:
                if not self.admits(subnet, back, peer.ip, protocol, near):
                    return f"ACL of {subnet.range} {back}, reply to port {near}"
        return None

    def _hops(self, source: Host, target: Host) -> list[tuple[Subnet, str]] | None:
        """The subnets' borders that a packet crosses, in its order. A subnet filters nothing within itself."""
        start, end = self._subnet(source), self._subnet(target)
        if start and end:
            return [] if start == end else [(start, "egress"), (end, "ingress")]
        if start:
            if start.way_out == "internet":
                return [(start, "egress")]
            gateway = next((one for one in self.subnets if one.id == start.way_out), None)
            return [(start, "egress"), (gateway, "ingress"), (gateway, "egress")] if gateway else None
        if end:
            return [(end, "ingress")] if end.way_out == "internet" else None
        return []

    def _subnet(self, host: Host) -> Subnet | None:
        found = [one for one in self.subnets if host.ip in one.range]
        assert found or host.ip not in self.vpc, f"{host.address} is in the VPC and in no subnet"
        return found[0] if found else None

    def _way_out(self, subnet: str) -> str | None:
        tables = {
            _ref(body["RouteTableId"])
            for _, body in self._of("AWS::EC2::SubnetRouteTableAssociation")
            if _ref(body["SubnetId"]) == subnet
        }
        for _, body in self._of("AWS::EC2::Route"):
            if _ref(body["RouteTableId"]) in tables and body["DestinationCidrBlock"] == "0.0.0.0/0":
                if "GatewayId" in body:
                    return "internet"
                nat: str = _ref(body["NatGatewayId"])
                return _ref(self.resources[nat]["Properties"]["SubnetId"])
        return None

    def admits(self, subnet: Subnet, direction: str, peer: IPv4Address, protocol: Protocol, port: int) -> bool:
        """Whether the subnet's ACL alone lets a packet from or to the peer through."""
        entries = [
            body
            for _, body in self._of("AWS::EC2::NetworkAclEntry")
            if _ref(body["NetworkAclId"]) == self.acls[subnet.id]
            and body.get("Egress", False) == (direction == "egress")
        ]
        for entry in sorted(entries, key=lambda body: int(body["RuleNumber"])):
            if entry["Protocol"] not in (-1, NUMBERS[protocol]) or peer not in IPv4Network(entry["CidrBlock"]):
                continue
            ports = entry.get("PortRange")
            if entry["Protocol"] == -1 or ports["From"] <= port <= ports["To"]:
                return bool(entry["RuleAction"] == "allow")
        return False

    def rules(self, group: str, direction: str) -> list[Mapping[str, Any]]:
        """A group's rules, inline and standalone; EC2's own where the template gives no inline egress."""
        [logical] = [
            name
            for name, body in self.resources.items()
            if body["Type"] == "AWS::EC2::SecurityGroup" and body["Metadata"]["aws:cdk:path"].split("/")[1] == group
        ]
        inline = self.resources[logical]["Properties"].get(f"SecurityGroup{direction.title()}", [])
        if direction == "egress" and not inline:
            inline = [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]
        kind = f"AWS::EC2::SecurityGroup{direction.title()}"
        return [*inline, *(body for _, body in self._of(kind) if _ref(body["GroupId"]) == logical)]

    def _group_allows(self, group: str, direction: str, peer: Host, protocol: Protocol, port: int) -> bool:
        for rule in self.rules(group, direction):
            if rule["IpProtocol"] != "-1" and (
                rule["IpProtocol"] != protocol or not rule["FromPort"] <= port <= rule["ToPort"]
            ):
                continue
            if "CidrIp" in rule and peer.ip in IPv4Network(rule["CidrIp"]):
                return True
            if "SourcePrefixListId" in rule and rule["SourcePrefixListId"] == peer.prefix_list:
                return True
            named = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
            if named and peer.group and self._path(_ref(named)).split("/")[1] == peer.group:
                return True
        return False

    def _path(self, logical: str) -> str:
        return str(self.resources[logical]["Metadata"]["aws:cdk:path"])

    def _associations(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        return self._of("AWS::EC2::SubnetNetworkAclAssociation")

    def _of(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, body in self.resources.items():
            if body["Type"] == kind:
                yield name, body.get("Properties", {})


def _ref(value: Mapping[str, Any]) -> str:
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])
