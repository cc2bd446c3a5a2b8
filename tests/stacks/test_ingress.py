"""The load balancer: nobody but CloudFront, and every route to the service that has it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from pydantic import SecretStr

from blueprint.edge import (
    API_PREFIX,
    DISTRIBUTION,
    LOAD_BALANCER,
    ORIGIN_HEADER,
    WEBHOOK_PATHS,
    routes,
    target_group,
)
from blueprint.environments import CLUSTER_ENVIRONMENTS, DEV, PROD
from blueprint.regions import REGIONS
from blueprint.services import HTTP, SERVICES
from services.kernel.http.app import load
from services.kernel.settings import Settings
from tests.support.edge import Listener, Request
from tests.support.policies import Policies
from tests.support.templates import Templates, synthesize

RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
SOME_ID = "01a200c6-1f74-7c23-8d2a-93814e5a0ca3"


@pytest.fixture(scope="module")
def listener(templates: Templates) -> Listener:
    return Listener(templates)


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Every path of the real applications, by service; parameters filled in."""
    settings = Settings(
        database_url=SecretStr("postgresql://x:x@127.0.0.1/x"),
        database_worker_url=SecretStr("postgresql://x:x@127.0.0.1/x"),
        jwt_secret=SecretStr("x" * 64),
        storage_url=tmp_path_factory.mktemp("images").as_uri(),
    )
    found = {}
    for name in SERVICES:
        paths = [path.replace("{", "").replace("}", "") for path in load(name)(settings).openapi()["paths"]]
        found[name] = [*paths, SERVICES[name].docs_path, f"{SERVICES[name].docs_path}/openapi.json"]
    return found


def sent_by_cloudfront(environment: str) -> dict[str, str]:
    return {ORIGIN_HEADER.name: ORIGIN_HEADER.reference(environment)}


def every_route(applications: dict[str, list[str]]) -> Iterator[tuple[str, str, Request]]:
    for environment in CLUSTER_ENVIRONMENTS:
        for service, paths in applications.items():
            for path in paths:
                headers = sent_by_cloudfront(environment.name)
                yield environment.name, service, Request(host=environment.host, path=path, headers=headers)


def attributes(resource_properties: Any, key: str) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in resource_properties[key]}


def test_every_route_of_every_service_reaches_its_target_group(
    listener: Listener, applications: dict[str, list[str]]
) -> None:
    asked = 0
    for environment, service, request in every_route(applications):
        assert listener.target(request) == target_group(environment, service), request
        asked += 1
    assert asked >= 2 * 20, "the applications have more routes than that"


@pytest.mark.parametrize("environment", CLUSTER_ENVIRONMENTS, ids=lambda one: one.name)
@pytest.mark.parametrize("service", WEBHOOK_PATHS)
def test_webhooks_reach_their_service(listener: Listener, environment: Any, service: str) -> None:
    for path in WEBHOOK_PATHS[service]:
        request = Request(host=environment.host, path=path, method="POST", headers=sent_by_cloudfront(environment.name))
        assert listener.target(request) == target_group(environment.name, service)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1",
        "/api/v1/",
        "/api/v1/imagesque",
        "/api/v2/images",
        "/API/V1/ME",
    ],
)
def test_what_no_service_has_is_refused(listener: Listener, path: str) -> None:
    for environment in CLUSTER_ENVIRONMENTS:
        request = Request(host=environment.host, path=path, headers=sent_by_cloudfront(environment.name))
        assert listener.target(request) == 403, path


def test_nobody_without_the_header_reaches_anything(listener: Listener, applications: dict[str, list[str]]) -> None:
    other = {"dev": "prod", "prod": "dev"}
    for environment, _, request in every_route(applications):
        for headers in (
            {},
            {ORIGIN_HEADER.name: ""},
            {ORIGIN_HEADER.name: "guess"},
            {"x-other": ORIGIN_HEADER.reference(environment)},
            sent_by_cloudfront(other[environment]),
        ):
            assert listener.target(replace(request, headers=headers)) == 403, (request.path, headers)
    for host in ("evil.example.com", "d111111abcdef8.cloudfront.net", "pingvas-1.us-east-1.elb.amazonaws.com"):
        request = Request(host=host, path="/api/v1/me", headers=sent_by_cloudfront("dev"))
        assert listener.target(request) == 403


def test_only_cloudfront_is_let_in(templates: Templates, region: str) -> None:
    """The group's rules, wherever they are written: 443 from the managed prefix list and nothing else."""
    policies = Policies(templates, region=region)
    (balancer,) = templates.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    groups = [policies.resolve(one, "Ingress") for one in balancer.properties["SecurityGroups"]]
    assert len(groups) == 1
    rules = [
        rule
        for group in templates.resources("AWS::EC2::SecurityGroup")
        if policies.resolve({"Fn::GetAtt": [group.id, "GroupId"]}, group.stack) in groups
        for rule in group.properties.get("SecurityGroupIngress", [])
    ]
    rules += [
        dict(rule.properties)
        for rule in templates.resources("AWS::EC2::SecurityGroupIngress")
        if policies.resolve(rule.properties["GroupId"], rule.stack) in groups
    ]
    assert [(rule.get("SourcePrefixListId"), rule["FromPort"], rule["ToPort"]) for rule in rules] == [
        (REGIONS[region].cloudfront_prefix_list, 443, 443)
    ]
    assert not any("CidrIp" in rule or "CidrIpv6" in rule for rule in rules)


def test_ten_target_groups_fit_their_pods(templates: Templates) -> None:
    groups = {
        one.properties["Name"]: one.properties
        for one in templates.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
    }
    assert sorted(groups) == sorted(target_group(one.name, name) for one in CLUSTER_ENVIRONMENTS for name in SERVICES)
    assert len(groups) == 10
    for environment in CLUSTER_ENVIRONMENTS:
        for name, service in SERVICES.items():
            group = groups[target_group(environment.name, name)]
            assert (group["TargetType"], group["Protocol"], group["Port"]) == ("ip", "HTTP", service.port)
            assert group["HealthCheckPath"] == "/readyz"
            assert group["Matcher"] == {"HttpCode": "200"}
            found = attributes(group, "TargetGroupAttributes")
            assert found["load_balancing.algorithm.type"] == "least_outstanding_requests"
            assert int(found["deregistration_delay.timeout_seconds"]) < HTTP.graceful_shutdown_seconds
            assert group["HealthCheckTimeoutSeconds"] < group["HealthCheckIntervalSeconds"]


def test_whoever_reuses_a_connection_closes_it_first(templates: Templates) -> None:
    """A target that closed an idle connection first would answer the next request on it with a 502."""
    chain = (
        HTTP.event_heartbeat_seconds,
        DISTRIBUTION.origin_keep_alive,
        LOAD_BALANCER.idle_timeout,
        HTTP.keep_alive_seconds,
    )
    assert all(low < high for low, high in pairwise(chain)), chain
    (balancer,) = templates.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    found = attributes(balancer.properties, "LoadBalancerAttributes")
    assert found["idle_timeout.timeout_seconds"] == str(LOAD_BALANCER.idle_timeout)


def test_the_load_balancer_stands_in_public_and_keeps_its_records(templates: Templates) -> None:
    (balancer,) = templates.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer.properties["Scheme"] == "internet-facing"
    assert len(balancer.properties["Subnets"]) == 3
    found = attributes(balancer.properties, "LoadBalancerAttributes")
    for flag in (
        "deletion_protection.enabled",
        "routing.http.drop_invalid_header_fields.enabled",
        "routing.http.preserve_host_header.enabled",
        "access_logs.s3.enabled",
        "connection_logs.s3.enabled",
    ):
        assert found[flag] == "true", flag
    assert found["routing.http.desync_mitigation_mode"] in ("defensive", "strictest")
    assert "Storage" in templates.dependencies["Ingress"], "the bucket's policy has to be there first"


def test_it_speaks_tls_1_3_and_1_2_with_a_certificate_of_both_hosts(templates: Templates, listener: Listener) -> None:
    properties = listener.resource.properties
    assert properties["Protocol"] == "HTTPS"
    assert properties["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-")
    assert "Res" in properties["SslPolicy"], "no CBC ciphers"
    certificate = templates.one("AWS::CertificateManager::Certificate", stack="Ingress")
    assert {certificate.properties["DomainName"], *certificate.properties["SubjectAlternativeNames"]} == {
        DEV.host,
        PROD.host,
    }
    validations = certificate.properties["DomainValidationOptions"]
    assert {one["DomainName"] for one in validations} == {DEV.host, PROD.host}
    assert all(one["HostedZoneId"] for one in validations)
    assert certificate.properties["ValidationMethod"] == "DNS"


@pytest.fixture(scope="module")
def opened() -> Templates:
    return synthesize(region="us-east-1", cloudfront="false")


def test_without_cloudfront_every_route_is_reached_without_a_header(
    opened: Templates, applications: dict[str, list[str]]
) -> None:
    listener = Listener(opened)
    for environment, service, request in every_route(applications):
        assert listener.target(replace(request, headers={})) == target_group(environment, service)
    assert listener.target(Request(host="evil.example.com", path="/api/v1/me")) == 403


def test_without_cloudfront_port_80_redirects(opened: Templates) -> None:
    plain = opened.one("AWS::ElasticLoadBalancingV2::Listener", Port=80)
    (action,) = plain.properties["DefaultActions"]
    assert action["Type"] == "redirect"
    assert action["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}


def test_without_cloudfront_hosts_lead_to_the_load_balancer(opened: Templates) -> None:
    records = {
        one.properties["Name"]: one.properties for one in opened.resources("AWS::Route53::RecordSet", stack="Ingress")
    }
    assert set(records) == {DEV.host, PROD.host}
    for record in records.values():
        assert record["AliasTarget"]["DNSName"]["Fn::GetAtt"][1] == "DNSName"


def test_without_cloudfront_no_stack_of_the_edge_is_left(opened: Templates) -> None:
    assert not {"Edge", "EdgeGlobal", "EdgeLogs"} & set(opened)
    assert not list(opened.resources("AWS::SecretsManager::RotationSchedule", stack="Edge"))


def test_a_trial_account_can_delete_it() -> None:
    (balancer,) = synthesize(region="us-east-1", protected="false").resources(
        "AWS::ElasticLoadBalancingV2::LoadBalancer"
    )
    assert attributes(balancer.properties, "LoadBalancerAttributes")["deletion_protection.enabled"] == "false"


def test_paths_lie_where_cloudfront_sends_them() -> None:
    assert all(route.path.startswith(API_PREFIX) for route in routes())
