"""What stands in the VPC, by tier, and who reaches whom: security group rules between the groups that cards carry."""

from collections.abc import Iterator
from typing import Any

from studio.cloud.drawing.estate import Estate, Resource
from studio.cloud.drawing.model import Card, Link

INGRESS = "AWS::EC2::SecurityGroupIngress"
_GROUPS = {
    "alb": ("AWS::ElasticLoadBalancingV2::LoadBalancer", ("SecurityGroups",)),
    "nodes": ("AWS::EC2::LaunchTemplate", ("LaunchTemplateData", "SecurityGroupIds")),
    "vpn": ("AWS::EC2::LaunchTemplate", ("LaunchTemplateData", "SecurityGroupIds")),
    "aurora": ("AWS::RDS::DBCluster", ("VpcSecurityGroupIds",)),
    "efs": ("AWS::EFS::MountTarget", ("SecurityGroups",)),
    "rotation": ("AWS::Lambda::Function", ("VpcConfig", "SecurityGroupIds")),
}
"""Where a card's resource names the security groups that it carries."""
_STARTERS = {"nodes": "AWS::EKS::Nodegroup", "vpn": "AWS::AutoScaling::AutoScalingGroup"}
"""Whose launch templates are meant."""


def cards(estate: Estate) -> Iterator[tuple[str, Card]]:
    """Each card with its tier."""
    for make in (_vpn, _balancer, _nat, _cluster, _nodes, _rotation, _aurora, _caches, _files):
        yield from make(estate)


def _vpn(estate: Estate) -> Iterator[tuple[str, Card]]:
    for group in estate.all(_STARTERS["vpn"]):
        templates = [one for one in estate.all("AWS::EC2::LaunchTemplate") if one.key in _templates(estate, "vpn")]
        types = [str(one.properties["LaunchTemplateData"].get("InstanceType", "")) for one in templates]
        own = _carried(estate, "vpn")
        rules = [
            rule
            for holder in estate.all("AWS::EC2::SecurityGroup")
            if holder.key in own
            for rule in holder.properties.get("SecurityGroupIngress", ())
        ] + [
            rule.properties
            for rule in estate.all(INGRESS)
            if _group(estate.follow(rule.properties["GroupId"], rule.stack)) in own
        ]
        sources: dict[str, list[str]] = {}
        for rule in rules:
            if "CidrIp" in rule:
                sources.setdefault(rule["CidrIp"], []).append(f"{str(rule['IpProtocol']).upper()} {_ports(rule)}")
        told = [f"{', '.join(sorted(ports))} from {source}" for source, ports in sorted(sources.items())]
        lines = [", ".join(dict.fromkeys(types)), *told]
        tier = estate.tier(group.properties.get("VPCZoneIdentifier", []), group.stack)
        yield tier, Card("vpn", "OpenVPN", tuple(line for line in lines if line), "security")


def _balancer(estate: Estate) -> Iterator[tuple[str, Card]]:
    for one in estate.all("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        listeners = sorted(
            f"{listener.properties['Protocol']} {listener.properties['Port']}"
            for listener in estate.all("AWS::ElasticLoadBalancingV2::Listener")
        )
        lines = (
            f"{one.properties.get('Scheme', 'internet-facing')}, {', '.join(listeners) or 'no listener'}",
            f"{estate.count('AWS::ElasticLoadBalancingV2::ListenerRule')} rules → "
            f"{estate.count('AWS::ElasticLoadBalancingV2::TargetGroup')} target groups",
        )
        tier = estate.tier(one.properties["Subnets"], one.stack)
        yield tier, Card("alb", "Application Load Balancer", lines, "network")


def _nat(estate: Estate) -> Iterator[tuple[str, Card]]:
    gateways = estate.all("AWS::EC2::NatGateway")
    if gateways:
        routes = [route for route in estate.all("AWS::EC2::Route") if "NatGatewayId" in route.properties]
        lines = (f"the way out of {len(routes)} private subnets",)
        tier = estate.tier(gateways[0].properties["SubnetId"], gateways[0].stack)
        yield tier, Card("nat", f"{len(gateways)} NAT gateway{'s' * (len(gateways) > 1)}", lines, "network")


def _cluster(estate: Estate) -> Iterator[tuple[str, Card]]:
    for one in estate.all("AWS::EKS::Cluster"):
        lines = (
            f"Kubernetes {one.properties.get('Version', 'of AWS')}",
            f"{estate.count('AWS::EKS::Addon')} add-ons, {estate.count('AWS::EKS::AccessEntry')} access entries",
            f"{estate.count('AWS::EKS::PodIdentityAssociation')} workloads with a role",
        )
        tier = estate.tier(one.properties["ResourcesVpcConfig"]["SubnetIds"], one.stack)
        yield tier, Card("cluster", f"EKS {one.properties.get('Name', '')}".strip(), lines, "compute")


def _nodes(estate: Estate) -> Iterator[tuple[str, Card]]:
    lines: list[str] = []
    tier = ""
    for group in estate.all("AWS::EKS::Nodegroup"):
        scaling = group.properties["ScalingConfig"]
        tier = estate.tier(group.properties["Subnets"], group.stack)
        lines.append(
            f"system: {scaling['DesiredSize']} ({scaling['MinSize']}-{scaling['MaxSize']}) "
            f"{str(group.properties.get('CapacityType', '')).title()}"
        )
        lines.append(", ".join(group.properties["InstanceTypes"]))
    rules = [rule for rule in estate.all("AWS::Events::Rule") if _queue(estate, rule)]
    if rules:
        lines.append(f"Karpenter: {len(rules)} events into its queue")
    own = _carried(estate, "nodes")
    if any(source in own and target in own for source, target, _ in _rules(estate)):
        lines.append("all ports among themselves")
    if tier:
        yield tier, Card("nodes", "Nodes and pods", tuple(lines), "compute")


def _queue(estate: Estate, rule: Resource) -> str:
    """The queue of the cluster's stack that an event rule feeds."""
    for target in rule.properties.get("Targets", ()):
        key = estate.follow(target["Arn"], rule.stack).partition(".")[0]
        if any(key == queue.key and queue.stack == "Cluster" for queue in estate.all("AWS::SQS::Queue")):
            return key
    return ""


def _rotation(estate: Estate) -> Iterator[tuple[str, Card]]:
    """Functions in the VPC that Secrets Manager calls."""
    functions = {one.key: one for one in estate.all("AWS::Lambda::Function") if "VpcConfig" in one.properties}
    called = [
        estate.follow(schedule.properties.get("RotationLambdaARN", ""), schedule.stack).partition(".")[0]
        for schedule in estate.all("AWS::SecretsManager::RotationSchedule")
    ]
    for key, one in functions.items():
        if key in called:
            tier = estate.tier(one.properties["VpcConfig"]["SubnetIds"], one.stack)
            yield tier, Card("rotation", "Rotation", (f"{called.count(key)} secrets",), "security")


def _by_group(estate: Estate, kind: str) -> str:
    """The tier of a subnet group."""
    group = estate.first(kind)
    return estate.tier(group.properties["SubnetIds"], group.stack) if group else ""


def _aurora(estate: Estate) -> Iterator[tuple[str, Card]]:
    for one in estate.all("AWS::RDS::DBCluster"):
        scaling = one.properties.get("ServerlessV2ScalingConfiguration", {})
        count = estate.count("AWS::RDS::DBInstance")
        lines = (
            f"PostgreSQL {one.properties['EngineVersion']}",
            "Serverless v2",
            f"writer, {count - 1} reader{'s' * (count != 2)}" if count else "no instance",
            f"{scaling.get('MinCapacity')}-{scaling.get('MaxCapacity')} ACU",
            f"backups {one.properties.get('BackupRetentionPeriod')} days",
        )
        tier = _by_group(estate, "AWS::RDS::DBSubnetGroup")
        yield tier, Card("aurora", "Aurora", lines, "data")


def _caches(estate: Estate) -> Iterator[tuple[str, Card]]:
    for one in estate.all("AWS::ElastiCache::ReplicationGroup"):
        count = one.properties["NumCacheClusters"]
        name = str(one.properties["ReplicationGroupId"]).split("-")[1]
        lines = (
            f"{one.properties['Engine']} {one.properties.get('EngineVersion', '')}".title().strip(),
            f"{count} × {str(one.properties['CacheNodeType']).removeprefix('cache.')}",
            "failover by itself" if one.properties.get("AutomaticFailoverEnabled") else "standalone",
            f"TLS{', AUTH' if one.properties.get('AuthToken') else ''}",
        )
        tier = _by_group(estate, "AWS::ElastiCache::SubnetGroup")
        yield tier, Card(one.key, f"Redis {name}", lines, "data")


def _files(estate: Estate) -> Iterator[tuple[str, Card]]:
    for one in estate.all("AWS::EFS::FileSystem"):
        lines = (
            f"{estate.count('AWS::EFS::MountTarget')} mount targets",
            f"{estate.count('AWS::EFS::AccessPoint')} access points",
            f"{one.properties.get('ThroughputMode', 'bursting')} throughput",
        )
        targets = estate.all("AWS::EFS::MountTarget")
        tier = estate.tier([target.properties["SubnetId"] for target in targets][:1], one.stack)
        yield tier, Card("efs", "EFS", lines, "data")


def _templates(estate: Estate, card: str) -> set[str]:
    """Launch templates by which a card's machines start."""
    return {
        estate.follow(value, one.stack).partition(".")[0]
        for one in estate.all(_STARTERS[card])
        for name, value in {
            **one.properties.get("LaunchTemplate", {}),
            **_specification(one.properties.get("MixedInstancesPolicy", {})),
        }.items()
        if name in ("Id", "LaunchTemplateId")
    }


def _specification(policy: Any) -> Any:
    return policy.get("LaunchTemplate", {}).get("LaunchTemplateSpecification", {})


def _carried(estate: Estate, card: str) -> set[str]:
    """Keys of the security groups that a card's resources carry."""
    kind, path = _GROUPS[card]
    own = _templates(estate, card) if card in _STARTERS else None
    found = set()
    for one in estate.all(kind):
        if own is not None and one.key not in own:
            continue
        value: Any = one.properties
        for step in path:
            value = value.get(step, {})
        interfaces = one.properties.get("LaunchTemplateData", {}).get("NetworkInterfaces", ())
        groups = [*value, *(group for interface in interfaces for group in interface.get("Groups", ()))]
        found |= {_group(estate.follow(group, one.stack)) for group in groups}
    return found


def _group(followed: str) -> str:
    """A security group as its resource; the group that EKS makes for itself keeps its attribute."""
    return followed.removesuffix(".GroupId").removesuffix(".SecurityGroupId")


def _rules(estate: Estate) -> Iterator[tuple[str, str, str]]:
    """Source group, target group, ports."""
    for rule in estate.all(INGRESS):
        if "SourceSecurityGroupId" in rule.properties:
            source = _group(estate.follow(rule.properties["SourceSecurityGroupId"], rule.stack))
            target = _group(estate.follow(rule.properties["GroupId"], rule.stack))
            yield source, target, _ports(rule.properties)


def _ports(rule: Any) -> str:
    if str(rule["IpProtocol"]) == "-1":
        return "all"
    first, last = rule.get("FromPort"), rule.get("ToPort")
    return f"{first}" if first == last else f"{first}-{last}"


def links(estate: Estate) -> Iterator[Link]:
    """An arrow for each rule between groups that two cards carry."""
    carriers: dict[str, set[str]] = {}
    for card in _GROUPS:
        for group in _carried(estate, card):
            carriers.setdefault(group, set()).add(card)
    for cache in estate.all("AWS::ElastiCache::ReplicationGroup"):
        for group in cache.properties.get("SecurityGroupIds", ()):
            carriers.setdefault(_group(estate.follow(group, cache.stack)), set()).add(cache.key)
    for cluster in estate.all("AWS::EKS::Cluster"):
        carriers[f"{cluster.key}.ClusterSecurityGroupId"] = {"cluster"}
    for source, target, ports in _rules(estate):
        for start in sorted(carriers.get(source, ())):
            for end in sorted(carriers.get(target, ())):
                yield Link(start, end, ports)
