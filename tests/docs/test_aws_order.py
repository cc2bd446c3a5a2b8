"""The order of steps on the AWS pages: an entry deploys all that it changes, and no step takes what is in use."""

import json
import re
from typing import Any

import pytest

from tests.docs.aws import RUNBOOK
from tests.docs.markdown import section
from tests.support.templates import synthesize


@pytest.mark.parametrize(
    ("setting", "value", "heading"),
    [
        ("nat_gateways", 3, "NAT gateway a zone"),
        ("interface_endpoints", True, "Interface endpoints"),
        ("aurora_max_acu", 8, "Aurora's capacity"),
        ("geo_blocked_countries", "CU", "Block a country"),
        ("vpn_allowed_cidrs", "198.51.100.7/32", "VPN"),
        ("kubernetes_public_cidrs", "198.51.100.7/32", "VPN"),
        ("developers", "Developer-A", "VPN"),
    ],
)
def test_an_entry_deploys_every_stack_that_its_setting_changes(setting: str, value: object, heading: str) -> None:
    text = section(RUNBOOK, heading)
    assert f"`{setting}`" in text
    deployed = set(" ".join(re.findall(r"\./pingvas deploy ([^`\n]*)", text)).split())
    before, after = synthesize(region="us-east-1"), synthesize(region="us-east-1", **{setting: value})
    assert {stack for stack in before if before[stack] != after[stack]} <= deployed


def test_no_step_without_cloudfront_takes_what_another_stack_uses() -> None:
    steps = re.findall(
        r"--exclusively ([\w ]+)$|delete-stack .*Pingvas(\w+)$|deploy (Ingress)",
        section(RUNBOOK, "Without CloudFront"),
        re.MULTILINE,
    )
    assert ["".join(one) for one in steps] == ["Network Observability", "EdgeLogs", "Edge", "EdgeGlobal", "Ingress"]
    there: dict[str, Any] = dict(synthesize(region="us-east-1"))
    without = synthesize(region="us-east-1", cloudfront=False)
    for exclusively, deleted, last in steps:
        for stack in (exclusively or last).split():
            there[stack] = without[stack]
        there.pop(deleted, None)
        assert_imports_are_exported(there)
    left = {stack for stack in without if there[stack] != without[stack]}
    assert left <= without.before("Ingress"), "the last step deploys what Ingress stands on, too"
    assert there.keys() == without.keys()


def test_leaving_in_this_order_takes_nothing_that_is_used() -> None:
    (told,) = re.findall(r"--exclusively (.+)$", section(RUNBOOK, "Leave"), re.MULTILINE)
    there: dict[str, Any] = dict(synthesize(region="us-east-1"))
    without = synthesize(region="us-east-1", protected=False)
    for stack in told.split():
        there[stack] = without[stack]
        assert_imports_are_exported(there)
    assert {stack for stack in without if without[stack] != there[stack]} <= {"Security"}


def assert_imports_are_exported(templates: dict[str, Any]) -> None:
    exported = {
        one["Export"]["Name"]
        for template in templates.values()
        for one in template.get("Outputs", {}).values()
        if "Export" in one
    }
    for stack, template in templates.items():
        imported = set(re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(template)))
        assert imported <= exported, f"{stack} uses what is gone"
