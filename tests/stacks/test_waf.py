"""The Web ACL: what its rules do with a request, in the order in which WAF asks them."""

from dataclasses import replace
from typing import Any

import pytest

from blueprint.edge import UPLOAD_PATHS, WAF, WEBHOOK_PATHS
from blueprint.regions import GLOBAL_REGION
from blueprint.services import SERVICES
from tests.support.edge import Request, WebAcl
from tests.support.templates import Templates, synthesize

WEBHOOK = Request(path="/api/v1/webhooks/lemon-squeezy", method="POST")
LOGIN = Request(path="/api/v1/auth/local", method="POST")
UPLOAD = Request(path="/api/v1/images", method="POST")
CAPACITIES = {group.name: group.capacity for group in WAF.groups}
LABELS = {rule: label for group in WAF.groups for rule, label in zip(group.body_rules, group.body_labels, strict=True)}
COMMON, SQL, INPUTS = (
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
)
REPUTATION = "AWSManagedRulesAmazonIpReputationList"
IN_BODIES = (
    f"{COMMON}/SizeRestrictions_BODY",
    f"{COMMON}/CrossSiteScripting_BODY",
    f"{COMMON}/GenericLFI_BODY",
    f"{COMMON}/GenericRFI_BODY",
    f"{COMMON}/EC2MetaDataSSRF_BODY",
    f"{SQL}/SQLi_BODY",
    f"{SQL}/SQLiExtPatterns_BODY",
    f"{INPUTS}/Log4JRCE_BODY",
    f"{INPUTS}/JavaDeserializationRCE_BODY",
)
ELSEWHERE = (
    f"{COMMON}/CrossSiteScripting_QUERYARGUMENTS",
    f"{SQL}/SQLi_QUERYARGUMENTS",
    f"{INPUTS}/Log4JRCE_HEADER",
    f"{REPUTATION}/AWSManagedIPReputationList",
)


def web_acl(templates: Templates) -> WebAcl:
    return WebAcl(templates, CAPACITIES, LABELS)


@pytest.fixture(scope="module")
def acl(templates: Templates) -> WebAcl:
    return web_acl(templates)


def test_an_ordinary_request_passes(acl: WebAcl) -> None:
    assert acl.decide(Request()) == ("allow", "default", set())


def test_rules_are_asked_in_the_order_of_the_blueprint(acl: WebAcl) -> None:
    assert [rule["Name"] for rule in acl.rules] == [
        "geography",
        REPUTATION,
        "rate",
        SQL,
        COMMON,
        INPUTS,
        "bodies",
    ]
    assert [rule["Priority"] for rule in acl.rules] == [10, 20, 30, 40, 50, 60, 70]


@pytest.mark.parametrize("country", ["CU", "IR", "KP", "SY"])
def test_blocked_countries_are_blocked_but_for_the_webhook(acl: WebAcl, country: str) -> None:
    for request in (LOGIN, UPLOAD, Request(), Request(path=f"{WEBHOOK.path}/more"), Request(path=f"{WEBHOOK.path}%2f")):
        assert acl.decide(replace(request, country=country))[:2] == ("block", "geography")
    assert acl.decide(replace(WEBHOOK, country=country))[0] == "allow"


def test_the_2001st_request_is_blocked_but_for_the_webhook(acl: WebAcl) -> None:
    assert acl.decide(replace(LOGIN, requests_in_window=2000))[0] == "allow"
    assert acl.decide(replace(LOGIN, requests_in_window=2001))[:2] == ("block", "rate")
    assert acl.decide(replace(WEBHOOK, requests_in_window=100_000))[0] == "allow"
    rate = next(rule for rule in acl.rules if rule["Name"] == "rate")
    assert rate["Statement"]["RateBasedStatement"]["EvaluationWindowSec"] == 300
    assert rate["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "IP"
    assert rate["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429


@pytest.mark.parametrize("finding", IN_BODIES)
def test_what_a_body_holds_is_counted_on_uploads_and_blocked_elsewhere(acl: WebAcl, finding: str) -> None:
    label = LABELS[finding.partition("/")[2]]
    for path in UPLOAD_PATHS:
        for below in ("", "/01a200c6", "/01a200c6/original"):
            request = Request(path=f"{path}{below}", method="POST", findings=(finding,))
            assert acl.decide(request) == ("allow", "default", {label})
    for path in (LOGIN.path, WEBHOOK.path, "/api/v1/imagesque", "/", "/api/v1", "/x/api/v1/images"):
        request = Request(path=path, method="POST", findings=(finding,))
        assert acl.decide(request) == ("block", "bodies", {label}), path


@pytest.mark.parametrize("finding", ELSEWHERE)
def test_what_lies_outside_of_bodies_is_blocked_everywhere(acl: WebAcl, finding: str) -> None:
    for request in (LOGIN, UPLOAD, WEBHOOK, Request()):
        decided, rule, _ = acl.decide(replace(request, findings=(finding,)))
        assert (decided, rule) == ("block", finding.partition("/")[0])


def test_an_upload_from_a_blocked_country_is_blocked(acl: WebAcl) -> None:
    assert acl.decide(replace(UPLOAD, country="KP", findings=IN_BODIES))[:2] == ("block", "geography")


def test_labels_are_those_that_aws_writes() -> None:
    """A rule ends in BODY and its label in Body (WAF developer guide); one that nobody writes would block nobody."""
    assert LABELS["SizeRestrictions_BODY"] == "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
    assert LABELS["CrossSiteScripting_BODY"] == "awswaf:managed:aws:core-rule-set:CrossSiteScripting_Body"
    assert LABELS["SQLi_BODY"] == "awswaf:managed:aws:sql-database:SQLi_Body"
    assert LABELS["Log4JRCE_BODY"] == "awswaf:managed:aws:known-bad-inputs:Log4JRCE_Body"
    assert set(LABELS) == {finding.partition("/")[2] for finding in IN_BODIES}


def test_every_counted_rule_is_blocked_again_by_its_label(acl: WebAcl) -> None:
    counted = {
        one["Name"]
        for rule in acl.rules
        for one in rule["Statement"].get("ManagedRuleGroupStatement", {}).get("RuleActionOverrides", ())
    }
    bodies = acl.rules[-1]["Statement"]["AndStatement"]["Statements"][0]["OrStatement"]["Statements"]
    assert {one["LabelMatchStatement"]["Key"] for one in bodies} == {LABELS[rule] for rule in counted}


def test_it_costs_no_more_than_a_web_acl_may(acl: WebAcl) -> None:
    assert 1100 < acl.capacity() < WAF.capacity


def test_it_belongs_to_cloudfront_and_counts_what_it_does(acl: WebAcl, templates: Templates) -> None:
    assert acl.resource.stack == "EdgeGlobal"
    assert acl.resource.properties["Scope"] == "CLOUDFRONT"
    configs = [acl.resource.properties["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl.rules)]
    assert all(one["CloudWatchMetricsEnabled"] and one["SampledRequestsEnabled"] for one in configs)
    assert len({one["MetricName"] for one in configs}) == len(configs)
    assert not list(templates.resources("AWS::WAFv2::WebACLAssociation")), "the load balancer is behind CloudFront"


def test_its_log_hides_credentials(templates: Templates) -> None:
    logging = templates.one("AWS::WAFv2::LoggingConfiguration", stack="EdgeGlobal")
    group = templates.one("AWS::Logs::LogGroup", stack="EdgeGlobal")
    assert group.properties["LogGroupName"].startswith("aws-waf-logs-"), "WAF writes to no other group"
    assert group.properties["KmsKeyId"]
    assert group.properties["RetentionInDays"] >= 30
    redacted = {one["SingleHeader"]["Name"] for one in logging.properties["RedactedFields"]}
    assert {"authorization", "cookie"} <= redacted
    (destination,) = logging.properties["LogDestinationConfigs"]
    assert group.properties["LogGroupName"] in str(destination)
    assert GLOBAL_REGION in str(destination)
    policy = templates.one("AWS::Logs::ResourcePolicy", stack="EdgeGlobal").properties["PolicyDocument"]
    assert "delivery.logs.amazonaws.com" in str(policy)
    assert "aws:SourceAccount" in str(policy)


def test_without_blocked_countries_there_is_no_geographic_rule() -> None:
    acl = web_acl(synthesize(region="us-east-1", geo_blocked_countries="[]"))
    assert "geography" not in [rule["Name"] for rule in acl.rules]
    assert [rule["Priority"] for rule in acl.rules] == [20, 30, 40, 50, 60, 70], "the others keep their numbers"
    assert acl.decide(Request(country="KP"))[0] == "allow"


def test_exempt_paths_are_paths_of_services() -> None:
    prefixes = {prefix for service in SERVICES.values() for prefix in service.path_prefixes}
    assert set(UPLOAD_PATHS) <= prefixes
    paths: Any = [path for paths in WEBHOOK_PATHS.values() for path in paths]
    assert not any(path.startswith(prefix) for path in paths for prefix in UPLOAD_PATHS)
