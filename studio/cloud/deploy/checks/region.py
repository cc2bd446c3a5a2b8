"""Whether the region is ready: opted in, bootstrapped, its zones, its prefix list, its Kubernetes."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from studio.cloud.deploy.account import code
from studio.cloud.deploy.checks import Finding, Situation

TOOLKIT = "CDKToolkit"
VERSION = "/cdk-bootstrap/hnb659fds/version"
PREFIX_LIST = "com.amazonaws.global.cloudfront.origin-facing"


def opted_in(situation: Situation) -> Iterator[Finding]:
    """Regions newer than 2019 must be switched on in the account."""
    client = situation.account.client("ec2", situation.account.regions[-1])
    names = list(situation.account.regions)
    found = client.describe_regions(RegionNames=names, AllRegions=True)["Regions"]
    off = [one["RegionName"] for one in found if one.get("OptInStatus") == "not-opted-in"]
    if off:
        yield Finding(
            "region",
            "problem",
            f"{', '.join(off)} is not switched on in this account",
            f"aws account enable-region --region-name {off[0]} (takes minutes)",
        )
    else:
        yield Finding("region", "ok", " and ".join(names))


def bootstrapped(situation: Situation) -> Iterator[Finding]:
    """CDK's own stack is in both regions, new enough."""
    account = situation.account
    needed = situation.assembly.bootstrap_version
    number = account.identity["Account"]
    for region in account.regions:
        name = f"bootstrap {region}"
        advice = f"npx cdk bootstrap aws://{number}/{region} (once; 2 minutes)"
        try:
            value = account.client("ssm", region).get_parameter(Name=VERSION)["Parameter"]["Value"]
        except ClientError as error:
            if code(error) != "ParameterNotFound":
                raise
            yield Finding(name, "problem", f"{TOOLKIT} is not there", advice)
            continue
        if int(value) < needed:
            yield Finding(name, "problem", f"{TOOLKIT} is version {value}, and {needed} is needed", advice)
        else:
            yield Finding(name, "ok", f"{TOOLKIT} version {value}")


def zones(situation: Situation) -> Iterator[Finding]:
    """The three zones exist here and can hold an EKS control plane; names map to ids differently in every account."""
    settings = situation.settings
    found = {
        one["ZoneName"]: one
        for one in situation.account.client("ec2").describe_availability_zones()["AvailabilityZones"]
        if one.get("ZoneType", "availability-zone") == "availability-zone"
    }
    good = [
        name
        for name, one in found.items()
        if one["ZoneId"] not in settings.place.excluded_zone_ids and one.get("State", "available") == "available"
    ]
    advice = f"-c availability_zones={','.join(good[:3])}"
    for name in settings.zones:
        if name not in found:
            yield Finding("zones", "problem", f"this account has no {name} (it has {', '.join(found)})", advice)
        elif found[name]["ZoneId"] in settings.place.excluded_zone_ids:
            yield Finding(
                "zones", "problem", f"{name} is {found[name]['ZoneId']}, where EKS has no control plane", advice
            )
    if all(name in good for name in settings.zones):
        yield Finding("zones", "ok", ", ".join(f"{name} ({found[name]['ZoneId']})" for name in settings.zones))


def prefix_list(situation: Situation) -> Iterator[Finding]:
    """CloudFront's addresses have the id that the blueprint says."""
    expected = situation.settings.place.cloudfront_prefix_list
    filters = [{"Name": "prefix-list-name", "Values": [PREFIX_LIST]}]
    lists = list(situation.account.pages("ec2", "describe_managed_prefix_lists", "PrefixLists", Filters=filters))
    ids = [one["PrefixListId"] for one in lists]
    if expected in ids:
        yield Finding("prefix list", "ok", f"{expected} is CloudFront's")
    else:
        yield Finding(
            "prefix list",
            "problem",
            f"CloudFront's list is {', '.join(ids) or 'not there'}; blueprint/regions.py says {expected}",
            "Correct blueprint/regions.py: the load balancer would answer nobody.",
        )


def kubernetes(situation: Situation) -> Iterator[Finding]:
    """EKS still offers the version, in standard support."""
    wanted = {str(one["Version"]) for one in situation.assembly.properties("AWS::EKS::Cluster") if "Version" in one}
    if not wanted:
        return
    offered = {
        one["clusterVersion"]: one.get("versionStatus") or one.get("status", "")
        for one in situation.account.pages("eks", "describe_cluster_versions", "clusterVersions")
    }
    standard = sorted(
        (version for version, status in offered.items() if "standard" in status.lower()),
        key=lambda version: [int(part) for part in version.split(".")],
    )
    for version in wanted:
        if version not in offered:
            yield Finding(
                "kubernetes",
                "problem",
                f"EKS does not offer {version}; it offers {', '.join(sorted(offered))}",
                "Correct VERSION in blueprint/cluster.py.",
            )
        elif version not in standard:
            yield Finding(
                "kubernetes",
                "warning",
                f"{version} is past standard support ({', '.join(standard)} are not)",
                "Raise VERSION in blueprint/cluster.py; extended support costs six times as much.",
            )
        else:
            yield Finding("kubernetes", "ok", f"{version}, in standard support")
