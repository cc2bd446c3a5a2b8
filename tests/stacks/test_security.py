"""Keys, secrets, DevOps-AssumeRole and the audit, asked as AWS would be asked."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore
import pytest

from blueprint.contract import OUTPUTS
from blueprint.environments import CLUSTER_ENVIRONMENTS, ROLES
from blueprint.secrets import GENERATED_CHARACTERS, PLACEHOLDER, SECRETS
from blueprint.security import AUDIT, OPERATORS, SECURITY
from services.kernel.settings import PLACEHOLDERS
from tests.support.iam import Request, allowed, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, synthesize

VPN = "198.51.100.7"
DEVELOPER = f"arn:aws:iam::{ACCOUNT}:user/Developer-A"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/{OPERATORS.role}/Developer-A"
ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
"""What somebody might attach to the role by mistake: the denials have to hold all the same."""
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


def key(templates: Templates, policies: Policies, name: str) -> Resource:
    alias = templates.one("AWS::KMS::Alias", AliasName=f"alias/pingvas/{name}")
    target = policies.resolve(alias.properties["TargetKeyId"], alias.stack)
    return next(one for one in templates.resources("AWS::KMS::Key", stack=alias.stack) if policies.arn(one) == target)


KEYS = ("data", "secrets", "storage", "cluster", "audit")


@pytest.mark.parametrize("name", KEYS)
def test_keys_rotate_and_stay(templates: Templates, policies: Policies, name: str) -> None:
    made = key(templates, policies, name)
    assert made.properties["EnableKeyRotation"] is True
    assert made.body["DeletionPolicy"] == made.body["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", KEYS)
def test_a_key_leaves_its_use_to_iam_and_knows_no_stranger(templates: Templates, policies: Policies, name: str) -> None:
    made = key(templates, policies, name)
    ask = Request(action="kms:Decrypt", resource=policies.arn(made), principal=f"arn:aws:iam::{ACCOUNT}:role/worker")
    document = policies.of(made)
    assert not allowed(ask, resource=document, governed=True), "nobody without a policy of his own"
    assert allowed(ask, identity=[ADMINISTRATOR], resource=document, governed=True)
    stranger = Request(
        action="kms:Decrypt",
        resource=policies.arn(made),
        principal=f"arn:aws:iam::{OTHER_ACCOUNT}:role/worker",
        context={"kms:CallerAccount": OTHER_ACCOUNT, "aws:PrincipalArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/worker"},
    )
    assert not allowed(stranger, identity=[ADMINISTRATOR], resource=document, owner=ACCOUNT, governed=True)


def test_cloudfront_decrypts_what_this_accounts_distributions_serve_and_nothing_else(
    templates: Templates, policies: Policies
) -> None:
    def may(name: str, account: str, action: str = "kms:Decrypt") -> bool:
        made = key(templates, policies, name)
        source = {"aws:SourceArn": f"arn:aws:cloudfront::{account}:distribution/E1"}
        ask = Request(action=action, resource=policies.arn(made), principal="cloudfront.amazonaws.com", context=source)
        return allowed(ask, resource=policies.of(made))

    assert may("storage", ACCOUNT)
    assert not may("storage", OTHER_ACCOUNT)
    assert not may("storage", ACCOUNT, "kms:ScheduleKeyDeletion")
    assert not any(may(name, ACCOUNT) for name in KEYS if name != "storage")


def test_the_roles_that_start_nodes_use_the_clusters_key_and_no_other_role_does(
    templates: Templates, policies: Policies
) -> None:
    made = key(templates, policies, "cluster")

    def may(role: str, action: str, account: str = ACCOUNT, **more: str) -> bool:
        principal = f"arn:aws:iam::{account}:role/{role}"
        context = {"aws:PrincipalArn": principal, "kms:CallerAccount": account, **more}
        ask = Request(action=action, resource=policies.arn(made), principal=principal, context=context)
        return allowed(ask, resource=policies.of(made), governed=True)

    scaling = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    spot = "aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
    for role in (scaling, spot):
        assert may(role, "kms:Decrypt")
        assert may(role, "kms:CreateGrant", **{"kms:GrantIsForAWSResource": "true"})
        assert not may(role, "kms:CreateGrant", **{"kms:GrantIsForAWSResource": "false"})
        assert not may(role, "kms:PutKeyPolicy")
    assert not may("AWSServiceRoleForAutoScaling", "kms:Decrypt"), "a role of that name under another path"
    assert not may(scaling, "kms:Decrypt", OTHER_ACCOUNT)


def test_every_secret_exists_under_its_name_and_the_secrets_key(templates: Templates, policies: Policies) -> None:
    made = {one.properties["Name"]: one for one in templates.resources("AWS::SecretsManager::Secret", stack="Security")}
    assert made.keys() == SECRETS.keys()
    own = policies.arn(key(templates, policies, "secrets"))
    for secret in made.values():
        assert policies.resolve(secret.properties["KmsKeyId"], "Security") == own
        assert secret.body["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("path", SECRETS)
def test_no_template_holds_a_secret(templates: Templates, path: str) -> None:
    """What a template holds is what the blueprint publishes, or a word that the services refuse to start with."""
    properties = templates.one("AWS::SecretsManager::Secret", Name=path).properties
    assert "SecretString" not in properties
    generated = properties["GenerateSecretString"]
    told = json.loads(generated["SecretStringTemplate"])
    secret = SECRETS[path]
    assert generated["PasswordLength"] == GENERATED_CHARACTERS >= SECURITY.secret_bytes_minimum
    assert generated["ExcludePunctuation"] is True, "a value goes into URLs"
    assert generated["GenerateStringKey"] not in told
    if secret.filled_by == "generated":
        assert generated["GenerateStringKey"] == secret.generated_key
        assert told.keys() < set(secret.keys)
        assert {"password", "token", "secret", "value"}.isdisjoint(told)
    else:
        assert told == dict.fromkeys(secret.keys, PLACEHOLDER)
        assert generated["GenerateStringKey"] not in secret.keys
    assert PLACEHOLDER in PLACEHOLDERS


def test_a_database_role_has_one_secret_with_its_own_name(templates: Templates) -> None:
    for environment in CLUSTER_ENVIRONMENTS:
        for role in ROLES:
            made = templates.one("AWS::SecretsManager::Secret", Name=f"pingvas/{environment.name}/db-{role}")
            told = json.loads(made.properties["GenerateSecretString"]["SecretStringTemplate"])
            assert told["username"] == environment.role(role)
            assert (told["engine"], told["port"], told["dbname"]) == ("postgres", 5432, "pingvas_saas")


def test_every_secret_is_rotated_or_says_why_not(templates: Templates, policies: Policies) -> None:
    rotated = {
        policies.resolve(one.properties["SecretId"], one.stack).rpartition(":")[2].rpartition("-")[0]: one
        for one in templates.resources("AWS::SecretsManager::RotationSchedule")
    }
    for path, secret in SECRETS.items():
        assert bool(secret.rotation_days) == bool(secret.rotated_by) != bool(secret.kept_because), path
        if secret.rotation_days:
            rules = rotated[path].properties["RotationRules"]
            assert rotated[path].stack == secret.rotated_by
            assert rules.get("AutomaticallyAfterDays") == secret.rotation_days or (
                rules.get("ScheduleExpression") == f"rate({secret.rotation_days} days)"
            )


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


def trail(templates: Templates) -> Resource:
    return templates.one("AWS::CloudTrail::Trail", TrailName=AUDIT.trail)


def test_the_trail_sees_every_region_and_can_prove_its_files(templates: Templates, policies: Policies) -> None:
    properties = trail(templates).properties
    for name in ("IsLogging", "IsMultiRegionTrail", "IncludeGlobalServiceEvents", "EnableLogFileValidation"):
        assert properties[name] is True, name
    own = policies.arn(key(templates, policies, "audit"))
    assert policies.resolve(properties["KMSKeyId"], "Security") == own
    group = templates.one("AWS::Logs::LogGroup", LogGroupName=AUDIT.log_group)
    assert policies.resolve(properties["CloudWatchLogsLogGroupArn"], "Security") == policies.arn(group)
    assert group.properties["RetentionInDays"] == 90
    assert "KmsKeyId" in group.properties


def recorded(selectors: list[dict[str, Any]], event: dict[str, str]) -> bool:
    """CloudTrail's advanced selectors: any selector of which every field matches."""

    def field(one: dict[str, Any]) -> bool:
        value = event.get(one["Field"], "")
        return value in one.get("Equals", ()) or value.startswith(tuple(one.get("StartsWith", ())) or ("\0",))

    return any(all(field(one) for one in selector["FieldSelectors"]) for selector in selectors)


def test_the_trail_records_changes_of_pictures_and_reads_of_itself(
    templates: Templates, policies: Policies, region: str
) -> None:
    selectors = policies.resolve(trail(templates).properties["AdvancedEventSelectors"], "Security")

    def objects(bucket: str, *, reads: bool) -> bool:
        arn = f"arn:aws:s3:::{bucket}-{ACCOUNT}-{region}/AWSLogs/1"
        event = {"eventCategory": "Data", "resources.type": "AWS::S3::Object", "resources.ARN": arn}
        return recorded(selectors, {**event, "readOnly": str(reads).lower()})

    assert recorded(selectors, {"eventCategory": "Management", "readOnly": "true"})
    for bucket in ("pingvas-dev-images", "pingvas-prod-images", "pingvas-models-shared"):
        assert objects(bucket, reads=False)
        assert not objects(bucket, reads=True), "an event for every picture that is looked at"
    assert objects(AUDIT.bucket, reads=True)
    assert not objects(AUDIT.bucket, reads=False), "the trail's own files would be recorded without end"


def test_the_audit_bucket_takes_from_its_own_trail_and_keeps_a_year(
    templates: Templates, policies: Policies, region: str
) -> None:
    name = f"{AUDIT.bucket}-{ACCOUNT}-{region}"
    bucket = next(one for one in templates.resources("AWS::S3::Bucket") if policies.name(one) == name)

    def may(source: str, path: str, **more: str) -> bool:
        context = {"aws:SourceArn": source, "s3:x-amz-acl": "bucket-owner-full-control", **more}
        request = Request(
            action="s3:PutObject",
            resource=f"arn:aws:s3:::{name}/{path}",
            principal="cloudtrail.amazonaws.com",
            context={"aws:SecureTransport": "true", **context},
        )
        return allowed(request, resource=policies.of(bucket))

    own = f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{AUDIT.trail}"
    assert may(own, f"AWSLogs/{ACCOUNT}/CloudTrail/1")
    assert not may(own, f"AWSLogs/{ACCOUNT}/CloudTrail/1", **{"aws:SecureTransport": "false"})
    assert not may(own, f"AWSLogs/{OTHER_ACCOUNT}/CloudTrail/1")
    assert not may(own.replace(ACCOUNT, OTHER_ACCOUNT), f"AWSLogs/{ACCOUNT}/CloudTrail/1")
    assert not may(own.replace(AUDIT.trail, "another"), f"AWSLogs/{ACCOUNT}/CloudTrail/1")
    (rule,) = bucket.properties["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 365
    retention = bucket.properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 365)
    assert bucket.properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket.body["DeletionPolicy"] == "Retain"


def test_the_trails_key_encrypts_for_its_own_trail_only(templates: Templates, policies: Policies, region: str) -> None:
    made = key(templates, policies, "audit")

    def may(account: str) -> bool:
        source = f"arn:aws:cloudtrail:{region}:{account}:trail/{AUDIT.trail}"
        context = {"aws:SourceArn": source, "kms:EncryptionContext:aws:cloudtrail:arn": source}
        request = Request(
            action="kms:GenerateDataKey",
            resource=policies.arn(made),
            principal="cloudtrail.amazonaws.com",
            context=context,
        )
        return allowed(request, resource=policies.of(made))

    assert may(ACCOUNT)
    assert not may(OTHER_ACCOUNT)


def test_guardduty_watches_the_cluster_and_the_buckets(templates: Templates) -> None:
    detector = templates.one("AWS::GuardDuty::Detector").properties
    assert detector["Enable"] is True
    features = {one["Name"]: one["Status"] for one in detector["Features"]}
    assert features["EKS_AUDIT_LOGS"] == features["S3_DATA_EVENTS"] == "ENABLED"
    assert features["RUNTIME_MONITORING"] == "DISABLED", "what is not named would be on, and is paid by the vCPU"


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("make_guardduty_detector", "AWS::GuardDuty::Detector"),
        ("make_access_analyzer", "AWS::AccessAnalyzer::Analyzer"),
        ("make_spot_service_linked_role", "AWS::IAM::ServiceLinkedRole"),
        ("make_github_oidc_provider", "AWS::IAM::OIDCProvider"),
    ],
)
def test_account_singletons_are_made_once_or_reused(templates: Templates, setting: str, kind: str, region: str) -> None:
    assert len(list(templates.resources(kind))) == 1
    reused = synthesize(region=region, **dict.fromkeys(SINGLETONS, False))
    assert not list(reused.resources(kind)), setting


SINGLETONS = (
    "make_guardduty_detector",
    "make_access_analyzer",
    "make_spot_service_linked_role",
    "make_github_oidc_provider",
)


def test_a_trial_account_can_be_emptied(region: str) -> None:
    trial = synthesize(region=region, protected=False)
    for kind in ("AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::S3::Bucket", "AWS::ECR::Repository"):
        for one in trial.resources(kind):
            if one.stack in ("Security", "Storage", "Delivery"):
                assert one.body.get("DeletionPolicy", "Delete") == "Delete", one.path
    assert not any("ObjectLockConfiguration" in one.properties for one in trial.resources("AWS::S3::Bucket"))


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
