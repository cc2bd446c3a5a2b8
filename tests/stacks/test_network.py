"""The VPC: its ranges, what gets through it and what does not, and the logs of both."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from blueprint.network import NETWORK
from blueprint.regions import REGIONS
from tests.support.packets import Host, PacketFilter
from tests.support.templates import Templates, synthesize

INTERNET = Host("198.51.100.80")
LAPTOP = Host("203.0.113.9")
ALB = Host("10.0.1.10", "AlbGroup")
VPN = Host("10.0.2.10", "VpnGroup")
NODE = Host("10.0.11.10", "NodesGroup")
OTHER_NODE = Host("10.0.13.10", "NodesGroup")
ROTATION = Host("10.0.12.20", "RotationGroup")
CONTROL_PLANE = Host("10.0.12.30")
"""Its group is EKS's own: the ACLs alone are asked here."""
AURORA = Host("10.0.22.10", "AuroraGroup")
REDIS_DEV = Host("10.0.21.20", "Redis-devGroup")
REDIS_PROD = Host("10.0.23.20", "Redis-prodGroup")
EFS = Host("10.0.22.30", "EfsGroup")
DATA = (AURORA, REDIS_DEV, REDIS_PROD, EFS)
ALLOWED = [
    *((ALB, NODE, "tcp", port) for port in range(8001, 8006)),
    (ALB, OTHER_NODE, "tcp", 8003),
    (LAPTOP, VPN, "tcp", 443),
    (LAPTOP, VPN, "udp", 1194),
    (VPN, CONTROL_PLANE, "tcp", 443),
    (VPN, AURORA, "tcp", 5432),
    (VPN, INTERNET, "tcp", 443),
    (VPN, INTERNET, "tcp", 80),
    (NODE, INTERNET, "tcp", 443),
    (OTHER_NODE, INTERNET, "tcp", 80),
    (ROTATION, INTERNET, "tcp", 443),
    (ROTATION, AURORA, "tcp", 5432),
    (NODE, OTHER_NODE, "tcp", 8001),
    (NODE, OTHER_NODE, "udp", 53),
    (NODE, OTHER_NODE, "tcp", 22),
    (NODE, CONTROL_PLANE, "tcp", 443),
    (CONTROL_PLANE, Host(NODE.address), "tcp", 10250),
    (CONTROL_PLANE, Host(NODE.address), "tcp", 9443),
    (CONTROL_PLANE, Host(NODE.address), "tcp", 443),
    (NODE, AURORA, "tcp", 5432),
    (OTHER_NODE, AURORA, "tcp", 5432),
    (NODE, REDIS_DEV, "tcp", 6379),
    (NODE, REDIS_PROD, "tcp", 6379),
    (OTHER_NODE, EFS, "tcp", 2049),
]
REFUSED = [
    (INTERNET, ALB, "tcp", 443),  # not CloudFront
    (INTERNET, ALB, "tcp", 80),
    (INTERNET, VPN, "tcp", 443),  # not on the list
    (INTERNET, VPN, "udp", 1194),
    (LAPTOP, VPN, "tcp", 22),
    (LAPTOP, VPN, "tcp", 943),  # the administration page
    (INTERNET, NODE, "tcp", 8001),
    *((INTERNET, one, "tcp", port) for one in DATA for port in (5432, 6379, 2049)),
    *((one, INTERNET, "tcp", port) for one in DATA for port in (443, 5432)),
    *((one, NODE, "tcp", port) for one in DATA for port in (443, 8001)),
    *((one, other, "tcp", 5432) for one in DATA for other in DATA if one != other),
    (ALB, NODE, "tcp", 8000),
    (ALB, NODE, "tcp", 8006),
    (ALB, NODE, "tcp", 22),
    *((ALB, one, "tcp", 5432) for one in DATA),
    (ALB, INTERNET, "tcp", 443),
    (VPN, NODE, "tcp", 22),
    (VPN, NODE, "tcp", 8001),
    (VPN, REDIS_PROD, "tcp", 6379),
    (VPN, EFS, "tcp", 2049),
    (VPN, INTERNET, "tcp", 25),
    (NODE, INTERNET, "tcp", 25),
    (NODE, INTERNET, "tcp", 22),
    (NODE, INTERNET, "udp", 53),
    (NODE, AURORA, "tcp", 6379),
    (NODE, REDIS_PROD, "tcp", 5432),
    (NODE, VPN, "tcp", 943),
    (ROTATION, REDIS_PROD, "tcp", 6379),
    (ROTATION, NODE, "tcp", 8001),
    (Host("10.0.11.99"), AURORA, "tcp", 5432),  # in the private tier, without the nodes' group
]


@pytest.mark.parametrize("case", ALLOWED, ids=str)
def test_what_must_get_through_does_and_its_reply(network: PacketFilter, case: Any) -> None:
    assert network.refusal(*case) is None


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_must_not_get_through_does_not(network: PacketFilter, case: Any) -> None:
    assert network.refusal(*case) is not None


@pytest.mark.parametrize(("source", "ports"), [("10.0.11.9", {2049, 5432, 6379}), ("10.0.1.9", {5432})])
def test_the_data_tiers_acl_admits_its_own_ports_alone(network: PacketFilter, source: str, ports: set[int]) -> None:
    """Asked by itself: the ACLs before it and the groups behind it would refuse most of the others too."""
    for subnet in network.subnets:
        if subnet.range in NETWORK.data:
            asked = {22, 80, 443, 2049, 5432, 6379, 8001, 32768}
            assert {one for one in asked if network.admits(subnet, "ingress", IPv4Address(source), "tcp", one)} == ports


def test_cloudfront_reaches_the_load_balancer_on_443_alone(network: PacketFilter, region: str) -> None:
    edge = Host("198.51.100.7", prefix_list=REGIONS[region].cloudfront_prefix_list)
    assert network.refusal(edge, ALB, "tcp", 443) is None
    assert network.refusal(edge, ALB, "tcp", 80) is not None
    assert network.refusal(edge, VPN, "tcp", 443) is not None
    [rule] = network.rules("AlbGroup", "ingress")
    assert rule["SourcePrefixListId"] == edge.prefix_list, "the list weighs 55 of 60 rules: there is no room for more"


def test_without_cloudfront_everybody_reaches_the_load_balancer_and_nothing_else(region: str) -> None:
    network = PacketFilter(synthesize(region=region, cloudfront=False)["Network"])
    for port in (80, 443):
        assert network.refusal(INTERNET, ALB, "tcp", port) is None
    for target in (VPN, NODE, *DATA):
        for port in (80, 443):
            assert network.refusal(INTERNET, target, "tcp", port) is not None


def test_no_group_but_that_of_the_documented_case_is_open_to_everybody(templates: Templates) -> None:
    rules = [
        *(rule for one in templates.resources("AWS::EC2::SecurityGroup")
          for rule in one.properties.get("SecurityGroupIngress", [])),
        *(one.properties for one in templates.resources("AWS::EC2::SecurityGroupIngress")),
    ]  # fmt: skip
    assert len(rules) > 10
    assert not [rule for rule in rules if rule.get("CidrIp") == "0.0.0.0/0" or "CidrIpv6" in rule]


@pytest.mark.parametrize("group", ["AuroraGroup", "Redis-devGroup", "Redis-prodGroup", "EfsGroup"])
def test_a_data_group_has_no_usable_egress(network: PacketFilter, group: str) -> None:
    """One rule must stand: EC2 gives a group without any the rule that allows everything."""
    [rule] = network.rules(group, "egress")
    assert (rule["IpProtocol"], rule["CidrIp"]) == ("icmp", "255.255.255.255/32")


def test_interface_endpoints_answer_all_who_see_their_names(region: str) -> None:
    """Private DNS turns the services' names for the whole VPC: who is refused would lose the service."""
    network = PacketFilter(synthesize(region=region, interface_endpoints=True)["Network"])
    endpoint = Host("10.0.21.40", "EndpointsGroup")
    for one in (NODE, OTHER_NODE, ROTATION, VPN):
        assert network.refusal(one, endpoint, "tcp", 443) is None, one
    for one in (INTERNET, ALB, *DATA):
        assert network.refusal(one, endpoint, "tcp", 443) is not None, one
    assert network.refusal(endpoint, INTERNET, "tcp", 443) is not None
