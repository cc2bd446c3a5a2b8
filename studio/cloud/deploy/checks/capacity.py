"""Whether AWS can give what the platform asks for: instance types by zone, service quotas."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from botocore.exceptions import ClientError

from blueprint.cluster import SYSTEM
from blueprint.pools import GPU
from blueprint.service_quotas import ServiceQuota, service_quotas
from studio.cloud.deploy.account import Account, code
from studio.cloud.deploy.checks import Finding, Situation

ADDRESSES = "L-0263D0A3"
VPCS = "L-F678F1CE"
GATEWAYS = "L-FE5A380F"
ON_DEMAND = "L-1216C47A"
VPN_CORES = 2
"""vCPUs of the OpenVPN instance, the one that is not Spot."""


def gpu_offerings(situation: Situation) -> Iterator[Finding]:
    """At least one GPU type in every zone, or workers crowd where there is one."""
    yield from _offered("GPU types", situation, {one.name for one in GPU.types}, required=False)


def system_offerings(situation: Situation) -> Iterator[Finding]:
    """At least one type of the system node group in every zone, or its nodes never come up there."""
    types = SYSTEM.types[situation.settings.system_architecture]
    yield from _offered("system node types", situation, {one.name for one in types}, required=True)


def _offered(name: str, situation: Situation, types: set[str], *, required: bool) -> Iterator[Finding]:
    zones = situation.settings.zones
    by_zone: defaultdict[str, set[str]] = defaultdict(set)
    filters = [{"Name": "instance-type", "Values": sorted(types)}, {"Name": "location", "Values": list(zones)}]
    for one in situation.account.pages(
        "ec2",
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=filters,
    ):
        by_zone[one["Location"]].add(one["InstanceType"])
    empty = [zone for zone in zones if not by_zone[zone]]
    everywhere = set().union(*by_zone.values())
    if empty and (required or len(empty) == len(zones)):
        yield Finding(
            name,
            "problem",
            f"{', '.join(empty)} offers none of {', '.join(sorted(types))}",
            "Choose other zones with -c availability_zones=...",
        )
    elif empty:
        yield Finding(
            name,
            "warning",
            f"{', '.join(empty)} offers none of {', '.join(sorted(types))}: workers run in the other zones",
            "Choose other zones with -c availability_zones=..., if that matters.",
        )
    else:
        absent = sorted(types - everywhere)
        yield Finding(name, "ok", f"in every zone{f', but {chr(44).join(absent)} in none' if absent else ''}")


def quotas(situation: Situation) -> Iterator[Finding]:
    """What the platform reaches at its maxima, beside what the account uses for other things already."""
    for need, others in _needs(situation):
        have = _quota(situation.account, need)
        total = need.needed + others
        told = f"{have:g}; the platform needs {need.needed} ({need.why})" + (f", others use {others}" if others else "")
        name = f"quota {need.name}"
        if have >= total:
            yield Finding(name, "ok", told)
            continue
        ask = (
            f"aws service-quotas request-service-quota-increase --region {situation.settings.region} "
            f"--service-code {need.service} --quota-code {need.code} --desired-value {total} (hours to days)"
        )
        # A Spot quota bounds how far the platform grows; any other stops the deployment itself.
        grows = need.name.endswith("Spot Instance Requests") and have >= _smallest(need)
        yield Finding(name, "warning" if grows else "problem", told, ask)


def _smallest(need: ServiceQuota) -> int:
    """vCPUs below which not even the least comes up: one GPU node, or the system group's minimum."""
    if need.code == next(one.code for one in service_quotas()):
        return min(one.cpu for one in GPU.types)
    return SYSTEM.minimum * min(one.cpu for types in SYSTEM.types.values() for one in types)


def _needs(situation: Situation) -> Iterable[tuple[ServiceQuota, int]]:
    """Quotas and what the rest of the account uses of them."""
    account, assembly = situation.account, situation.assembly
    yield from ((one, 0) for one in service_quotas())
    addresses = len(list(assembly.properties("AWS::EC2::EIP")))
    gateways = len(list(assembly.properties("AWS::EC2::NatGateway")))
    ours = account.physical_ids
    used = {one.get("PublicIp", "") for one in account.pages("ec2", "describe_addresses", "Addresses")}
    yield (
        ServiceQuota("ec2", ADDRESSES, "EC2-VPC Elastic IPs", addresses, f"{gateways} NAT gateways and the VPN"),
        len(used - ours("AWS::EC2::EIP")),
    )
    vpcs = {one["VpcId"] for one in account.pages("ec2", "describe_vpcs", "Vpcs")}
    yield ServiceQuota("vpc", VPCS, "VPCs per Region", 1, "the VPC"), len(vpcs - ours("AWS::EC2::VPC"))
    by_zone = Counter(_zones_of_gateways(account, ours("AWS::EC2::NatGateway")))
    busiest = max((by_zone[zone] for zone in situation.settings.zones), default=0)
    yield ServiceQuota("vpc", GATEWAYS, "NAT gateways per Availability Zone", 1, "one in a zone"), busiest
    if any(assembly.properties("AWS::EC2::Instance")):
        standard = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
        yield ServiceQuota("ec2", ON_DEMAND, standard, VPN_CORES, "the VPN's instance"), 0


def _zones_of_gateways(account: Account, ours: set[str]) -> Iterator[str]:
    subnets = {one["SubnetId"]: one["AvailabilityZone"] for one in account.pages("ec2", "describe_subnets", "Subnets")}
    for one in account.pages("ec2", "describe_nat_gateways", "NatGateways"):
        if one["NatGatewayId"] not in ours and one.get("State") in ("available", "pending"):
            yield subnets.get(one.get("SubnetId", ""), "")


def _quota(account: Account, need: ServiceQuota) -> float:
    client = account.client("service-quotas")
    asked = {"ServiceCode": need.service, "QuotaCode": need.code}
    try:
        return float(client.get_service_quota(**asked)["Quota"]["Value"])
    except ClientError as error:
        if code(error) != "NoSuchResourceException":
            raise
    return float(client.get_aws_default_service_quota(**asked)["Quota"]["Value"])
