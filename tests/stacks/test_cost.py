"""The estimate counts what the templates make."""

from collections.abc import Callable

import pytest

from blueprint.cost import estimate
from blueprint.costs.platform import PLATFORM, Platform
from blueprint.regions import GLOBAL_REGION
from blueprint.secrets import SECRETS
from tests.support.templates import Templates

COUNTED: dict[str, tuple[Callable[[Platform], int], tuple[str, ...]]] = {
    "NAT gateways": (lambda one: one.nat_gateways, ("AWS::EC2::NatGateway",)),
    "secrets": (lambda one: one.secrets, ("AWS::SecretsManager::Secret",)),
    "database instances": (lambda one: one.aurora.readers + 1, ("AWS::RDS::DBInstance",)),
    "Elastic IPs": (lambda one: one.public_addresses - one.zones, ("AWS::EC2::EIP",)),
}


@pytest.mark.parametrize("what", COUNTED)
def test_what_is_counted_is_what_the_templates_make(what: str, templates: Templates) -> None:
    count, kinds = COUNTED[what]
    assert count(PLATFORM) == sum(1 for kind in kinds for _ in templates.resources(kind))


def test_keys_rules_nodes_are_those_of_the_templates(templates: Templates) -> None:
    keys: dict[str, int] = {}
    for key in templates.resources("AWS::KMS::Key"):
        keys[key.stack] = keys.get(key.stack, 0) + 1
    assert keys == dict(PLATFORM.kms_keys)
    (acl,) = templates.resources("AWS::WAFv2::WebACL")
    assert len(acl.properties["Rules"]) == PLATFORM.waf_rules
    (group,) = templates.resources("AWS::EKS::Nodegroup")
    assert group.properties["ScalingConfig"]["DesiredSize"] == PLATFORM.system.desired
    nodes = sorted(
        one.properties["NumCacheClusters"] for one in templates.resources("AWS::ElastiCache::ReplicationGroup")
    )
    assert nodes == sorted(cache.nodes for cache in PLATFORM.caches.values())
    assert PLATFORM.secrets == len(SECRETS)


def test_every_stack_that_is_billed_exists(templates: Templates) -> None:
    assert set(estimate().stacks) <= set(templates)


def test_every_alarm_is_billed(templates: Templates, region: str) -> None:
    made = 0
    for alarm in templates.resources("AWS::CloudWatch::Alarm"):
        made += sum("MetricStat" in one for one in alarm.properties.get("Metrics", [])) or 1
    assert made == PLATFORM.alarm_metrics if region == GLOBAL_REGION else 0 < made <= PLATFORM.alarm_metrics


def test_the_vpns_machine_is_the_templates(templates: Templates) -> None:
    (machine,) = templates.resources("AWS::EC2::LaunchTemplate", stack="Vpn")
    data = machine.properties["LaunchTemplateData"]
    assert data["InstanceType"] == PLATFORM.vpn_instance
    assert sum(one["Ebs"]["VolumeSize"] for one in data["BlockDeviceMappings"]) == PLATFORM.vpn_disk_gib
