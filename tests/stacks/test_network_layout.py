"""The network's layout: subnets, gateways, ACLs, logs of traffic, and the ranges that cannot be."""

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from blueprint.acls import LIMIT, acl
from blueprint.contract import INTERFACE_ENDPOINTS_OUTPUT, OUTPUTS
from blueprint.network import FLOW_LOG_DAYS, NETWORK, TIERS, Network, check
from blueprint.regions import REGIONS
from blueprint.rules import RuleError
from tests.support.iam import Request, allowed
from tests.support.packets import PacketFilter
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates, synthesize

DOCUMENTS = {
    "public": ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
    "private": ["10.0.11.0/24", "10.0.12.0/24", "10.0.13.0/24"],
    "data": ["10.0.21.0/24", "10.0.22.0/24", "10.0.23.0/24"],
}


def test_interface_endpoints_are_a_setting(templates: Templates, region: str) -> None:
    def services(found: Templates, kind: str) -> set[str]:
        return {
            one.properties["ServiceName"].removeprefix(f"com.amazonaws.{region}.")
            for one in found.resources("AWS::EC2::VPCEndpoint")
            if one.properties["VpcEndpointType"] == kind
        }

    more = synthesize(region=region, interface_endpoints=True)
    assert services(templates, "Gateway") == services(more, "Gateway") == {"s3", "dynamodb"}
    assert services(templates, "Interface") == set()
    assert services(more, "Interface") == {"ecr.api", "ecr.dkr", "sts", "secretsmanager", "logs"}
    parameter = OUTPUTS[INTERFACE_ENDPOINTS_OUTPUT].parameter
    told = [
        one.properties["Value"]
        for made in (templates, more)
        for one in made.resources("AWS::SSM::Parameter")
        if one.properties["Name"] == parameter
    ]
    assert told == ["false", "true"]
    assert all(
        one.properties["PrivateDnsEnabled"] is True and len(one.properties["SubnetIds"]) == 3
        for one in more.resources("AWS::EC2::VPCEndpoint")
        if one.properties["VpcEndpointType"] == "Interface"
    )


def test_gateways_serve_nodes_alone(templates: Templates) -> None:
    """Through a gateway AWS sees a private address; DevOps-AssumeRole wants the VPN's public one, for S3 too."""
    for endpoint in templates.resources("AWS::EC2::VPCEndpoint"):
        tables = [table["Ref"] for table in endpoint.properties["RouteTableIds"]]
        paths = [templates["Network"]["Resources"][one]["Metadata"]["aws:cdk:path"] for one in tables]
        assert len(paths) == len(NETWORK.private)
        assert all(path.startswith("Network/Vpc/privateSubnet") for path in paths)


def test_the_documents_subnets_one_a_zone(templates: Templates, region: str) -> None:
    assert templates.one("AWS::EC2::VPC").properties["CidrBlock"] == "10.0.0.0/16"
    for tier, ranges in DOCUMENTS.items():
        mine = [
            one.properties
            for one in templates.resources("AWS::EC2::Subnet", stack="Network")
            if one.path.startswith(f"Network/Vpc/{tier}Subnet")
        ]
        assert [one["CidrBlock"] for one in mine] == ranges
        assert [one["AvailabilityZone"] for one in mine] == list(REGIONS[region].zones)
        assert not any(one.get("MapPublicIpOnLaunch") for one in mine)


def test_subnets_and_nodes_carry_the_tags_that_controllers_look_for(templates: Templates) -> None:
    def tags(properties: Any) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in properties["Tags"]}

    for one in templates.resources("AWS::EC2::Subnet", stack="Network"):
        tier, mine = one.path.split("/")[2], tags(one.properties)
        assert ("kubernetes.io/role/elb" in mine) == tier.startswith("public")
        assert ("kubernetes.io/role/internal-elb" in mine) == tier.startswith("private")
        assert (mine.get("karpenter.sh/discovery") == "pingvas-shared-eks") == tier.startswith("private")
    found = [
        one
        for one in templates.resources("AWS::EC2::SecurityGroup")
        if "karpenter.sh/discovery" in tags(one.properties)
    ]
    assert [one.path for one in found] == ["Network/NodesGroup/Resource"]


@pytest.mark.parametrize("gateways", [1, 3])
def test_nat_gateways_are_one_or_one_a_zone(region: str, gateways: int) -> None:
    found = synthesize(region=region, nat_gateways=gateways)
    assert len(list(found.resources("AWS::EC2::NatGateway"))) == gateways
    network = PacketFilter(found["Network"])
    ways = {one.way_out for one in network.subnets if one.range in NETWORK.private}
    assert len(ways) == gateways
    assert all(one.way_out == "internet" for one in network.subnets if one.range in NETWORK.public)
    assert all(one.way_out is None for one in network.subnets if one.range in NETWORK.data), "data goes nowhere"


def test_every_subnet_has_its_tiers_acl(network: PacketFilter) -> None:
    assert set(network.acls) == {one.id for one in network.subnets}
    assert len(set(network.acls.values())) == len(TIERS)
    for tier in TIERS:
        assert len({network.acls[one.id] for one in network.subnets if one.range in NETWORK.tier(tier)}) == 1


@pytest.mark.parametrize("cloudfront", [True, False])
@pytest.mark.parametrize("endpoints", [True, False])
def test_acls_stay_below_awss_limit_and_say_why(cloudfront: bool, endpoints: bool) -> None:
    for tier in TIERS:
        rules = acl(tier, cloudfront=cloudfront, interface_endpoints=endpoints)
        assert all(rule.why for rule in rules)
        assert max(sum(rule.direction == way for rule in rules) for way in ("in", "out")) <= LIMIT
    outside = [
        rule
        for rule in acl("data", cloudfront=cloudfront, interface_endpoints=endpoints)
        if not rule.peer.subnet_of(NETWORK.vpc)
    ]
    assert not outside, "the data tier knows nobody outside the VPC"


def test_all_traffic_is_logged_encrypted_and_kept(templates: Templates) -> None:
    flows = templates.one("AWS::EC2::FlowLog").properties
    assert (flows["TrafficType"], flows["ResourceType"]) == ("ALL", "VPC")
    group = templates["Network"]["Resources"][flows["LogGroupName"]["Ref"]]["Properties"]
    assert group["RetentionInDays"] == FLOW_LOG_DAYS
    assert "KmsKeyId" in group


def test_the_key_of_logs_serves_log_groups_of_this_account_and_region_alone(templates: Templates, region: str) -> None:
    [key] = list(templates.resources("AWS::KMS::Key", stack="Network"))
    assert key.properties["EnableKeyRotation"] is True
    policy = Policies(templates, region=region).resolve(key.properties["KeyPolicy"], "Network")

    def may(account: str, *, by: str = region, at: str = region) -> bool:
        arn = f"arn:aws:logs:{at}:{account}:log-group:/pingvas/vpc/flows"
        request = Request(
            action="kms:GenerateDataKey",
            resource=f"arn:aws:kms:{region}:{ACCOUNT}:key/1",
            principal=f"logs.{by}.amazonaws.com",
            context={"kms:EncryptionContext:aws:logs:arn": arn},
        )
        return allowed(request, resource=[policy])

    assert may(ACCOUNT)
    assert not may(OTHER_ACCOUNT)
    assert not may(ACCOUNT, at="eu-west-1")
    assert not may(ACCOUNT, by="eu-west-1")


def test_the_default_group_is_stripped(templates: Templates) -> None:
    assert templates.one("Custom::VpcRestrictDefaultSG").stack == "Network"


def one(text: str) -> tuple[IPv4Network, ...]:
    return (IPv4Network(text), *NETWORK.private[1:])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (replace(NETWORK, private=one("10.0.1.0/24")), r"network.private\[0\] = .*: overlaps network.public\[0\]"),
        (replace(NETWORK, private=one("10.1.11.0/24")), r"network.private\[0\] = 10.1.11.0/24: is outside the VPC"),
        (replace(NETWORK, private=one("10.0.32.0/23")), r"network.private\[0\] = 10.0.32.0/23: must be a /24"),
        (replace(NETWORK, data=NETWORK.data[:2]), r"network.data = 2: must be 3 ranges"),
        (replace(NETWORK, services=IPv4Network("172.0.0.0/8")), r"network.services = 172.0.0.0/8: must be from /12"),
        (replace(NETWORK, services=IPv4Network("10.0.64.0/18")), r"network.services = .*: overlaps network.vpc"),
        (replace(NETWORK, vpn_clients=IPv4Network("172.20.16.0/20")), r"network.vpn_clients .*: overlaps network.serv"),
        (replace(NETWORK, vpc=IPv4Network("10.0.0.0/8")), r"network.vpc = 10.0.0.0/8: must be from /16 to /28"),
        (replace(NETWORK, vpc=IPv4Network("8.8.0.0/16")), r"network.vpc = 8.8.0.0/16: must be a private range"),
    ],
)  # fmt: skip
def test_ranges_that_cannot_be_are_refused_in_one_line(broken: Network, message: str) -> None:
    with pytest.raises(RuleError, match=message) as refused:
        check(broken)
    assert "\n" not in str(refused.value)


def test_synthesis_stops_at_broken_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacks.network.NETWORK", replace(NETWORK, services=IPv4Network("10.0.128.0/18")))
    with pytest.raises(RuleError, match=r"network\.services"):
        synthesize(region="us-east-1", slack_workspace_id="T0000000", slack_channel_id="C0000000")
