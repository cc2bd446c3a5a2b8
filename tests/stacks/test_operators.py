"""DevOps-AssumeRole, asked as AWS would be asked: who becomes it, and what it may not do."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import botocore
import pytest

from blueprint.contract import OUTPUTS
from blueprint.secrets import SECRETS
from blueprint.security import AUDIT, OPERATORS
from tests.support.iam import ADMINISTRATOR, Request, allowed, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates, synthesize

VPN = "198.51.100.7"
DEVELOPER = f"arn:aws:iam::{ACCOUNT}:user/Developer-A"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/{OPERATORS.role}/Developer-A"
SIGNED_IN = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "60", "aws:SourceIp": VPN}
AT_WORK = {"aws:SourceIp": VPN, "aws:ViaAWSService": "false", "aws:userid": "AROAEXAMPLE:Developer-A"}


@pytest.fixture(scope="module")
def policies(templates: Templates, region: str) -> Policies:
    return policies_of(templates, region)


def policies_of(templates: Templates, region: str) -> Policies:
    """Policies in which the VPN's address is `VPN`."""
    published = templates.one("AWS::SSM::Parameter", Name=OUTPUTS["vpn/address"].parameter)
    address = ".".join(published.properties["Value"]["Fn::GetAtt"])
    return Policies(templates, region=region, substitutes={f"{published.stack}.{address}": VPN})


@pytest.mark.parametrize("developer", ["Developer-A", "Developer-B"])
def test_a_developer_with_a_second_factor_comes_in_through_the_vpn(policies: Policies, developer: str) -> None:
    role = policies.role(OPERATORS.role)
    ask = Request(action="sts:AssumeRole", principal=f"arn:aws:iam::{ACCOUNT}:user/{developer}", context=SIGNED_IN)
    assert allowed(ask, resource=[policies.trust(role)], governed=True)
    assert role.properties["MaxSessionDuration"] == 3600


@pytest.mark.parametrize(
    ("principal", "changes"),
    [
        (DEVELOPER, {"aws:MultiFactorAuthPresent": "false"}),
        (DEVELOPER, {"aws:MultiFactorAuthPresent": None, "aws:MultiFactorAuthAge": None}),
        (DEVELOPER, {"aws:MultiFactorAuthAge": "3600"}),
        (DEVELOPER, {"aws:MultiFactorAuthAge": None}),
        (DEVELOPER, {"aws:SourceIp": "198.51.100.8"}),
        (DEVELOPER, {"aws:SourceIp": "10.0.1.7"}),
        (DEVELOPER, {"aws:SourceIp": None}),
        (f"arn:aws:iam::{ACCOUNT}:user/Developer-C", {}),
        (f"arn:aws:iam::{ACCOUNT}:role/worker", {}),
        (f"arn:aws:iam::{ACCOUNT}:root", {}),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:user/Developer-A", {}),
        ("ec2.amazonaws.com", {}),
    ],
)
def test_nobody_else_becomes_devops(policies: Policies, principal: str, changes: Mapping[str, str | None]) -> None:
    """An administrator's own policies do not help: the role names its people."""
    context = {name: value for name, value in {**SIGNED_IN, **changes}.items() if value is not None}
    ask = Request(action="sts:AssumeRole", principal=principal, context=context)
    trust = policies.trust(policies.role(OPERATORS.role))
    assert not allowed(ask, identity=[ADMINISTRATOR], resource=[trust], governed=True, owner=ACCOUNT)


def test_other_developers_are_a_setting(region: str) -> None:
    named = synthesize(region=region, developers=["ann"])
    trust = named.one("AWS::IAM::Role", RoleName=OPERATORS.role).properties["AssumeRolePolicyDocument"]
    assert Policies(named, region=region).resolve(trust, "Security")["Statement"][0]["Principal"] == {
        "AWS": [f"arn:aws:iam::{ACCOUNT}:user/ann"]
    }


def ask(action: str, resource: str = "*", **context: str) -> Request:
    return Request(action=action, resource=resource, principal=SESSION, context={**AT_WORK, **context})


def operations(service: str) -> list[str]:
    """Every operation of an AWS API, from the SDK's own model of it."""
    found = sorted((Path(botocore.__file__).parent / "data" / service).glob("*/service-2.json.gz"))[-1]
    return sorted(json.loads(gzip.decompress(found.read_bytes()))["operations"])


def test_devops_cannot_make_itself_more(policies: Policies) -> None:
    identity = [*policies.identity(policies.role(OPERATORS.role)), ADMINISTRATOR]
    changing = [one for one in operations("iam") if not one.startswith(("Get", "List", "Generate", "Simulate"))]
    assert len(changing) > 100
    for operation in changing:
        assert evaluate(ask(f"iam:{operation}"), identity=identity) == "deny", operation
    assert evaluate(ask("iam:PassRole"), identity=identity) == "deny"
    for action in ("sts:AssumeRole", "eks:CreateAccessEntry", "organizations:LeaveOrganization"):
        assert evaluate(ask(action), identity=identity) == "deny", action


@pytest.mark.parametrize(
    "action",
    [
        *("cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail"),
        *("cloudtrail:PutEventSelectors", "guardduty:DeleteDetector", "guardduty:UpdateDetector"),
        *("guardduty:CreateFilter", "ec2:DeleteFlowLogs", "logs:DeleteLogGroup", "logs:PutRetentionPolicy"),
        *("kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "s3:BypassGovernanceRetention"),
        "access-analyzer:DeleteAnalyzer",
    ],
)
def test_devops_cannot_stop_the_audit(policies: Policies, action: str) -> None:
    identity = [*policies.identity(policies.role(OPERATORS.role)), ADMINISTRATOR]
    assert evaluate(ask(action), identity=identity) == "deny"


def test_devops_cannot_touch_what_the_audit_wrote(policies: Policies, region: str) -> None:
    identity = [*policies.identity(policies.role(OPERATORS.role)), ADMINISTRATOR]
    bucket = f"arn:aws:s3:::{AUDIT.bucket}-{ACCOUNT}-{region}"
    for action, resource in (
        ("s3:DeleteObject", f"{bucket}/AWSLogs/1"),
        ("s3:DeleteObjectVersion", f"{bucket}/AWSLogs/1"),
        ("s3:PutObject", f"{bucket}/AWSLogs/1"),
        ("s3:PutBucketPolicy", bucket),
        ("s3:PutLifecycleConfiguration", bucket),
        ("s3:DeleteBucket", bucket),
    ):
        assert evaluate(ask(action, resource), identity=identity) == "deny", action


@pytest.mark.parametrize("action", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"])
def test_devops_reads_secrets_of_dev_only(policies: Policies, region: str, action: str) -> None:
    role = policies.identity(policies.role(OPERATORS.role))
    store = f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:"
    for name in (*SECRETS, "rds!cluster-1", "somebody-elses"):
        answer = evaluate(ask(action, f"{store}{name}-a1B2c3"), identity=[*role, ADMINISTRATOR])
        assert answer == ("allow" if name.startswith("pingvas/dev/") else "deny"), name
    assert allowed(ask("secretsmanager:GetSecretValue", f"{store}pingvas/dev/db-app-a1B2c3"), identity=role)


def test_devops_does_its_everyday_work_and_enters_what_it_may_not_read(policies: Policies, region: str) -> None:
    identity = policies.identity(policies.role(OPERATORS.role))
    here = f"{region}:{ACCOUNT}"
    secret = f"arn:aws:secretsmanager:{here}:secret:pingvas/prod"
    vpn = {"aws:ResourceTag/stack": "Vpn"}
    for action, resource, context in (
        ("ec2:DescribeInstances", "*", {}),
        ("logs:StartQuery", f"arn:aws:logs:{here}:log-group:/aws/eks/pingvas-shared-eks/logs", {}),
        ("ssm:StartSession", f"arn:aws:ec2:{here}:instance/i-1", vpn),
        ("ssm:TerminateSession", f"arn:aws:ssm:{here}:session/AROAEXAMPLE:Developer-A-0abc", {}),
        ("ssm:GetParameter", f"arn:aws:ssm:{here}:parameter/pingvas/aurora/writer-endpoint", {}),
        ("rds:CreateDBClusterSnapshot", f"arn:aws:rds:{here}:cluster:pingvas-shared-aurora", {}),
        ("secretsmanager:PutSecretValue", f"{secret}/lemon-squeezy-a1B2c3", {}),
        ("secretsmanager:RotateSecret", f"{secret}/db-app-a1B2c3", {}),
        ("s3:GetObject", f"arn:aws:s3:::pingvas-logs-shared-{ACCOUNT}-{region}/alb/1", {}),
        ("cloudfront:CreateInvalidation", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1", {}),
    ):
        assert allowed(ask(action, resource, **context), identity=identity), action
    for action, resource, context in (
        ("ssm:StartSession", f"arn:aws:ec2:{here}:instance/i-1", {"aws:ResourceTag/stack": "Cluster"}),
        ("ssm:TerminateSession", f"arn:aws:ssm:{here}:session/AROAEXAMPLE:Developer-B-0abc", {}),
        ("ssm:GetParameter", f"arn:aws:ssm:{here}:parameter/elsewhere", {}),
        ("secretsmanager:PutSecretValue", f"{secret}/jwt-secret-a1B2c3", {}),
        ("s3:GetObject", f"arn:aws:s3:::pingvas-prod-images-{ACCOUNT}-{region}/images/1.png", {}),
        ("s3:DeleteObject", f"arn:aws:s3:::pingvas-dev-images-{ACCOUNT}-{region}/images/1.png", {}),
        ("rds:DeleteDBCluster", f"arn:aws:rds:{here}:cluster:pingvas-shared-aurora", {}),
        ("ec2:RunInstances", "*", {}),
    ):
        assert not allowed(ask(action, resource, **context), identity=identity), action


def test_a_session_that_leaves_the_vpn_is_worth_nothing(policies: Policies) -> None:
    identity = [*policies.identity(policies.role(OPERATORS.role)), ADMINISTRATOR]
    assert evaluate(ask("ec2:DescribeInstances"), identity=identity) == "allow"
    stolen = ask("ec2:DescribeInstances", **{"aws:SourceIp": "203.0.113.9"})
    assert evaluate(stolen, identity=identity) == "deny"
    onward = ask("kms:Decrypt", **{"aws:SourceIp": "203.0.113.9", "aws:ViaAWSService": "true"})
    assert evaluate(onward, identity=identity) == "allow", "S3 decrypts on her behalf from its own address"


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ({"aws:SourceIp": VPN}, True),
        ({"aws:SourceVpc": "ours", "aws:VpcSourceIp": "10.0.2.7"}, True),
        ({"aws:SourceVpc": "ours", "aws:VpcSourceIp": "10.0.11.7"}, False),
        ({"aws:SourceVpc": "vpc-of-a-stranger", "aws:VpcSourceIp": "10.0.2.7"}, False),
        ({"aws:SourceVpc": "ours"}, False),
        ({"aws:VpcSourceIp": "10.0.2.7"}, False),
        ({"aws:SourceIp": "203.0.113.9"}, False),
        ({}, False),
    ],
)
def test_interface_endpoints_know_the_vpn_by_its_subnets(region: str, source: dict[str, str], may: bool) -> None:
    """The VPC's own names for STS and the others lead VPN users to them, and AWS sees no public address then."""
    policies = policies_of(synthesize(region=region, interface_endpoints=True), region)
    role = policies.role(OPERATORS.role)
    trust = policies.trust(role)
    [ours] = [
        one["Condition"]["StringEquals"]["aws:SourceVpc"]
        for one in trust["Statement"]
        if "StringEquals" in one["Condition"]
    ]
    source = {name: ours if value == "ours" else value for name, value in source.items()}
    sign_in = {name: value for name, value in SIGNED_IN.items() if name != "aws:SourceIp"} | source
    asked = Request(action="sts:AssumeRole", principal=DEVELOPER, context=sign_in)
    assert allowed(asked, resource=[trust], governed=True) is may
    at_work = {name: value for name, value in AT_WORK.items() if name != "aws:SourceIp"} | source
    used = Request(action="ec2:DescribeInstances", resource="*", principal=SESSION, context=at_work)
    assert allowed(used, identity=[*policies.identity(role), ADMINISTRATOR]) is may
