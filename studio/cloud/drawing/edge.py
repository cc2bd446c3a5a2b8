"""The global edge: DNS, the Web ACL, the distributions, and where each sends what it does not have."""

from collections.abc import Iterator
from typing import Any

from studio.cloud.drawing.estate import Estate, Resource
from studio.cloud.drawing.model import Card, Link

RULE_GROUP = "AWSManagedRules"


def cards(estate: Estate) -> Iterator[Card]:
    for zone in estate.all("AWS::Route53::HostedZone"):
        kinds = sorted({record.properties["Type"] for record in estate.all("AWS::Route53::RecordSet")})
        certificates = estate.count("AWS::CertificateManager::Certificate")
        lines = (
            f"{estate.count('AWS::Route53::RecordSet')} records: {', '.join(kinds)}",
            f"{certificates} certificates",
        )
        yield Card("dns", f"Route 53 {str(zone.properties['Name']).rstrip('.')}", lines, "edge")
    for acl in estate.all("AWS::WAFv2::WebACL"):
        rules = sorted(acl.properties["Rules"], key=lambda rule: int(rule["Priority"]))
        order = tuple(f"{number}. {_rule(rule)}" for number, rule in enumerate(rules, 1))
        yield Card("waf", f"Web ACL {acl.properties['Name']}", order, "security")
    for one in estate.all("AWS::CloudFront::Distribution"):
        yield Card(
            one.key, f"CloudFront {', '.join(_config(one).get('Aliases', ()))}", tuple(_lines(estate, one)), "edge"
        )


def _config(distribution: Resource) -> Any:
    return distribution.properties["DistributionConfig"]


def _rule(rule: Any) -> str:
    name = str(rule["Name"])
    if name.startswith(RULE_GROUP):
        return f"{name.removeprefix(RULE_GROUP).removesuffix('RuleSet')} (AWS)"
    rate = rule["Statement"].get("RateBasedStatement")
    return f"{name}: {rate['Limit']} in {rate['EvaluationWindowSec']} s" if rate else name


def _lines(estate: Estate, distribution: Resource) -> Iterator[str]:
    config = _config(distribution)
    origins = {origin["Id"]: _origin(estate, distribution, origin) for origin in config["Origins"]}
    for behavior in (config["DefaultCacheBehavior"], *config.get("CacheBehaviors", ())):
        signed = ", signed URLs" if behavior.get("TrustedKeyGroups") else ""
        path = behavior.get("PathPattern", "default")
        yield f"{path} → {origins[behavior['TargetOriginId']]}{signed}"
    acl = estate.follow(config.get("WebACLId", ""), distribution.stack).partition(".")[0]
    guarded = any(acl == one.key for one in estate.all("AWS::WAFv2::WebACL"))
    yield f"{config.get('HttpVersion', 'http1.1')}{', behind the Web ACL' if guarded else ''}"


def _origin(estate: Estate, distribution: Resource, origin: Any) -> str:
    """The bucket's name without account and region, or the load balancer."""
    target = _target(estate, distribution, origin)
    if target == "alb":
        return "load balancer"
    name = estate.follow(origin["DomainName"], distribution.stack).split(".s3.")[0]
    return name.partition("-{AWS::AccountId}")[0] + str(origin.get("OriginPath", ""))


def _target(estate: Estate, distribution: Resource, origin: Any) -> str:
    domain = estate.follow(origin["DomainName"], distribution.stack)
    balancer = estate.first("AWS::ElasticLoadBalancingV2::LoadBalancer")
    if balancer and domain.startswith(balancer.key):
        return "alb"
    return "buckets" if ".s3." in domain else domain


def _access(origin: Any) -> str:
    return "signed (OAC)" if origin.get("OriginAccessControlId") else "open"


def links(estate: Estate) -> Iterator[Link]:
    """From a distribution to its origins; the port is what the load balancer's group lets CloudFront's addresses in."""
    from_lists = [
        rule for rule in estate.all("AWS::EC2::SecurityGroupIngress") if "SourcePrefixListId" in rule.properties
    ]
    ports = sorted({str(rule.properties["FromPort"]) for rule in from_lists})
    for one in estate.all("AWS::CloudFront::Distribution"):
        config = _config(one)
        paths = {
            behavior["TargetOriginId"]: behavior.get("PathPattern", "default")
            for behavior in (config["DefaultCacheBehavior"], *config.get("CacheBehaviors", ()))
        }
        for origin in config["Origins"]:
            target, path = _target(estate, one, origin), paths.get(origin["Id"])
            if path:
                yield Link(one.key, target, " ".join([path, *ports]) if target == "alb" else _access(origin))
