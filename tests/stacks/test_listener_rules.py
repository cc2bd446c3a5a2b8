"""The listener's rules: what each demands, how many there may be, and their numbers."""

from dataclasses import replace

import pytest

from blueprint.edge import (
    ORIGIN_HEADER,
    Route,
    routes,
)
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.rules import RuleError
from blueprint.secrets import SECRETS
from blueprint.services import SERVICES, Service
from tests.support.templates import Templates

RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
CONDITION_VALUES = 5
"""ELB's quota of values in one rule; during a rotation two of them are headers."""


def test_every_forwarding_rule_demands_host_path_and_header(templates: Templates) -> None:
    rules = list(templates.resources(RULE))
    assert len(rules) == len(routes())
    for rule in rules:
        fields = [condition["Field"] for condition in rule.properties["Conditions"]]
        assert sorted(fields) == ["host-header", "http-header", "path-pattern"], rule.path


def test_there_is_no_other_listener(templates: Templates) -> None:
    assert [one.properties["Port"] for one in templates.resources("AWS::ElasticLoadBalancingV2::Listener")] == [443]


def test_the_header_is_a_secret_that_no_template_knows(templates: Templates) -> None:
    for environment in CLUSTER_ENVIRONMENTS:
        secret = SECRETS[ORIGIN_HEADER.secret(environment.name)]
        assert secret.generated_key == ORIGIN_HEADER.key
        made = templates.one("AWS::SecretsManager::Secret", Name=secret.path)
        assert "SecretString" not in made.properties
        assert made.properties["GenerateSecretString"]["ExcludePunctuation"] is True, "* and ? are wildcards to ELB"
    assert "Security" in templates.dependencies["Ingress"], "the secret has to be there first"


def test_rules_fit_elbs_limits(templates: Templates) -> None:
    priorities = []
    for rule in templates.resources(RULE):
        values = [
            value
            for condition in rule.properties["Conditions"]
            for key, config in condition.items()
            if key.endswith("Config")
            for value in config["Values"]
        ]
        assert len(values) + 1 <= CONDITION_VALUES, "the second header value of a rotation needs its place"
        assert all(len(value) <= 128 for value in values)
        priorities.append(rule.properties["Priority"])
    assert len(set(priorities)) == len(priorities) <= 100
    assert all(1 <= priority <= 50_000 for priority in priorities)


def test_another_service_or_path_renumbers_nobody() -> None:
    def numbers(made: tuple[Route, ...]) -> dict[tuple[str, str], int]:
        return {(route.environment, route.path): route.priority for route in made}

    before = numbers(routes())
    grown = {
        "new": Service("new", 8006, ("/api/v1/new",)),
        **{
            name: replace(one, path_prefixes=(*one.path_prefixes, f"/api/v1/{name}-more"))
            for name, one in SERVICES.items()
        },
    }
    after = numbers(routes(services=grown))
    assert before.items() <= after.items()
    assert len(after) > len(before)


@pytest.mark.parametrize(
    ("services", "rule"),
    [
        ({"a": Service("a", 8001, ("/api/v1/x",)), "b": Service("b", 8002, ("/api/v1/x/y",))}, "lies below"),
        ({"a": Service("a", 8001, ("/api/v1/x",)), "b": Service("b", 8001, ("/api/v1/y",))}, "share a priority"),
        ({"a": Service("a", 8001, ("/v1/x",))}, "CloudFront sends"),
        ({"a": Service("a", 8001, tuple(f"/api/v1/x{number}" for number in range(60)))}, "ELB allows 100"),
    ],
)
def test_routes_that_cannot_be_are_refused(services: dict[str, Service], rule: str) -> None:
    with pytest.raises(RuleError, match=rule):
        routes(services=services)
