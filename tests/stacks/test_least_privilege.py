"""Every policy and every store of every template, whoever wrote the stack: nothing wide without a written reason."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.iam import ANONYMOUS, Request, evaluate, glob, listed
from tests.support.policies import ACCOUNT, Found, Policies
from tests.support.templates import Resource, Templates, synthesize

ANY_RESOURCE = {
    "ec2:Describe*": "EC2's Describe calls know no resources",
    "elasticloadbalancing:Describe*": "nor do those of load balancers",
    "cloudwatch:GetMetric*": "metrics are no resources",
    "cloudwatch:ListMetrics": "metrics are no resources",
    "tag:GetResources": "looks resources up by their tags",
    "pricing:GetProducts": "the public price list",
    "ce:GetCost*": "the account's bill has no parts",
    "iam:ListInstanceProfiles": "lists; Karpenter finds its own among them",
    "route53:ListHostedZones": "lists; the VPN's certbot finds the zone of a name among them",
    "ecr:GetAuthorizationToken": "signs in to the registry, and opens no repository by itself",
}
"""Actions that AWS's service authorization reference gives no resource, by what they are."""
ANY_RESOURCE_OF: dict[tuple[str, str], str] = {
    (
        "Data/Rotation/Role",
        "ec2:*NetworkInterface*",
    ): "Lambda in a VPC makes its interfaces before it can name them (AWSLambdaVPCAccessExecutionRole says the same)",
    ("Data/Rotation/Role", "ec2:*ssignPrivateIpAddresses"): "as above: addresses of those interfaces",
    **{
        ("Security/DevOps", pattern): "operators look at the whole account, and change nothing by looking"
        for pattern in ("*:Describe*", "*:List*", "*:Get*", "*:LookupEvents", "*:ViewBudget", "logs:*Query", "logs:F*")
    },
}
"""(path of the construct, action): what one role alone may do to everything, and why."""
UNCONDITIONED_SERVICES = {
    "logdelivery.elasticloadbalancing.amazonaws.com": "the account in the path, which ELB enforces, is its condition",
}
_OURS = re.compile(rf"(arn:aws:iam::{ACCOUNT}:.+|{ACCOUNT})")
_CONFINING = ("aws:principalarn", "aws:principalaccount", "kms:calleraccount", "aws:sourceaccount", "aws:sourcearn")


@pytest.fixture(scope="module", params=[{}, {"replication_region": "us-west-2", "interface_endpoints": True}])
def policies(request: pytest.FixtureRequest, region: str) -> Policies:
    return Policies(synthesize(region=region, **request.param), region=region)


@pytest.fixture(scope="module")
def allowing(policies: Policies) -> list[Found]:
    found = [one for one in policies.statements() if one.statement["Effect"] == "Allow"]
    assert len(found) > 50
    return found


def of_root(one: Found) -> bool:
    """The one wide statement that a key needs: its account decides by IAM, or nobody could ever change the key."""
    return one.kind == "KeyPolicy" and one.statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def test_no_statement_allows_every_action(allowing: list[Found]) -> None:
    wide = [
        f"{one.resource.path}: {action}"
        for one in allowing
        for action in one.actions
        if (action == "*" or action.endswith(":*")) and not (of_root(one) and action == "kms:*")
    ]
    assert not wide
    assert any(of_root(one) for one in allowing)


def test_no_statement_allows_all_but_something(allowing: list[Found]) -> None:
    inverted = ("NotAction", "NotResource", "NotPrincipal")
    assert not [one.resource.path for one in allowing if any(name in one.statement for name in inverted)]


def reason(one: Found, action: str) -> str | None:
    for pattern, why in ANY_RESOURCE.items():
        if glob(pattern, action):
            return why
    for (path, pattern), why in ANY_RESOURCE_OF.items():
        if one.resource.path == path and glob(pattern, action):
            return why
    return None


def test_every_resource_has_a_reason_where_it_stands(allowing: list[Found]) -> None:
    """In a key's own policy `*` means that key."""
    wide = [
        f"{one.resource.path}: {action}"
        for one in allowing
        if "*" in one.resources and one.kind != "KeyPolicy"
        for action in one.actions
        if reason(one, action) is None
    ]
    assert not wide


def test_no_reason_outlives_what_it_excuses(allowing: list[Found]) -> None:
    wide = [
        (one.resource.path, action)
        for one in allowing
        if one.kind != "KeyPolicy" and "*" in one.resources
        for action in one.actions
    ]
    for pattern in ANY_RESOURCE:
        assert any(glob(pattern, action) for _, action in wide), pattern
    for path, pattern in ANY_RESOURCE_OF:
        assert any(where == path and glob(pattern, action) for where, action in wide), (path, pattern)


def test_operators_only_look_at_everything(allowing: list[Found]) -> None:
    (look,) = [one for one in allowing if one.resource.path == "Security/DevOps" and "*" in one.resources]
    reads = re.compile(r"\w[\w-]*:(Describe|List|Get|Lookup|View|Filter|StartQuery|StopQuery)\S*")
    secret = ("secretsmanager:GetSecretValue", "ssm:GetParameter", "s3:GetObject", "ec2:GetPasswordData", "kms:Decrypt")
    for action in look.actions:
        assert reads.fullmatch(action), action
        assert not any(glob(action, one) for one in secret), action


def test_everybody_is_admitted_under_a_condition_that_means_this_account(allowing: list[Found]) -> None:
    for one in allowing:
        principal = one.statement.get("Principal", {})
        if principal != "*" and "*" not in listed(principal.get("AWS", [])):
            continue
        confined = [
            str(value)
            for operator, keys in one.statement.get("Condition", {}).items()
            if "Not" not in operator and "IfExists" not in operator and ":" not in operator
            for name, values in keys.items()
            if name.lower() in _CONFINING
            for value in listed(values)
        ]
        assert confined and all(ACCOUNT in value for value in confined), one.resource.path


def test_no_other_account_is_trusted(allowing: list[Found]) -> None:
    for one in allowing:
        principal = one.statement.get("Principal", {})
        for name in [] if principal == "*" else listed(principal.get("AWS", [])):
            assert name == "*" or _OURS.fullmatch(name), f"{one.resource.path}: {name}"


def test_a_service_acts_on_a_resource_for_this_account_only(allowing: list[Found]) -> None:
    """The confused deputy: a service that asks for somebody else's sake has to show whose."""
    for one in allowing:
        principal = one.statement.get("Principal", {})
        services = [] if principal == "*" else listed(principal.get("Service", []))
        if one.kind == "AssumeRolePolicyDocument" or not services:
            continue
        told = str(one.statement.get("Condition", ""))
        assert ACCOUNT in told or set(services) <= UNCONDITIONED_SERVICES.keys(), f"{one.resource.path}: {services}"


def test_roles_are_passed_by_name_and_to_one_service(allowing: list[Found]) -> None:
    for one in allowing:
        if not any(glob(action, "iam:PassRole") for action in one.actions):
            continue
        assert all(resource.startswith(f"arn:aws:iam::{ACCOUNT}:role/pingvas-") for resource in one.resources)
        assert "iam:PassedToService" in str(one.statement.get("Condition", "")), one.resource.path


def test_nobody_gets_keys_that_never_end(policies: Policies) -> None:
    for kind in ("AWS::IAM::User", "AWS::IAM::AccessKey", "AWS::IAM::Group"):
        assert not list(policies.templates.resources(kind))


def refuses_plain(policies: Policies, one: Resource, action: str) -> bool:
    arn = policies.arn(one)
    requests = [
        Request(action=action, resource=resource, principal=principal, context={"aws:SecureTransport": "false"})
        for resource in ((arn, f"{arn}/key") if one.type == "AWS::S3::Bucket" else (arn,))
        for principal in (ANONYMOUS, f"arn:aws:iam::{ACCOUNT}:role/any", "logging.s3.amazonaws.com")
    ]
    return all(evaluate(request, resource=policies.of(one)) == "deny" for request in requests)


@pytest.mark.parametrize(
    ("kind", "action"),
    [("AWS::S3::Bucket", "s3:GetObject"), ("AWS::SQS::Queue", "sqs:SendMessage"), ("AWS::SNS::Topic", "sns:Publish")],
)
def test_nothing_is_said_without_tls(policies: Policies, kind: str, action: str) -> None:
    made = list(policies.templates.resources(kind))
    assert made
    assert not [one.path for one in made if not refuses_plain(policies, one, action)]


def _disks(properties: Mapping[str, Any]) -> bool:
    disks = properties.get("BlockDeviceMappings", [])
    return bool(disks) and all(one.get("Ebs", {}).get("Encrypted") is True for one in disks)


ENCRYPTED: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "AWS::S3::Bucket": lambda it: "BucketEncryption" in it,
    "AWS::SecretsManager::Secret": lambda it: "KmsKeyId" in it,
    "AWS::Logs::LogGroup": lambda it: "KmsKeyId" in it,
    "AWS::SQS::Queue": lambda it: "KmsMasterKeyId" in it or it.get("SqsManagedSseEnabled") is True,
    "AWS::SNS::Topic": lambda it: "KmsMasterKeyId" in it,
    "AWS::EFS::FileSystem": lambda it: it.get("Encrypted") is True and "KmsKeyId" in it,
    "AWS::RDS::DBCluster": lambda it: it.get("StorageEncrypted") is True and "KmsKeyId" in it,
    "AWS::ElastiCache::ReplicationGroup": lambda it: (
        it.get("AtRestEncryptionEnabled") is True and it.get("TransitEncryptionEnabled") is True
    ),
    "AWS::EKS::Cluster": lambda it: "secrets" in str(it.get("EncryptionConfig")),
    "AWS::ECR::Repository": lambda it: it.get("EncryptionConfiguration", {}).get("EncryptionType") == "KMS",
    "AWS::Backup::BackupVault": lambda it: "EncryptionKeyArn" in it,
    "AWS::CloudTrail::Trail": lambda it: "KMSKeyId" in it,
    "AWS::EC2::LaunchTemplate": lambda it: _disks(it["LaunchTemplateData"]),
}
"""What holds something, and how to see that it is encrypted."""
WHERE_THERE_IS_ONE: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "AWS::EC2::Instance": lambda it: _disks(it) or "LaunchTemplate" in it,
    "AWS::EC2::Volume": lambda it: it.get("Encrypted") is True,
    "AWS::RDS::DBInstance": lambda it: "DBClusterIdentifier" in it or it.get("StorageEncrypted") is True,
    "AWS::DynamoDB::Table": lambda it: it.get("SSESpecification", {}).get("SSEEnabled") is True,
    "AWS::Kinesis::Stream": lambda it: "StreamEncryption" in it,
    "AWS::KinesisFirehose::DeliveryStream": lambda it: "DeliveryStreamEncryptionConfigurationInput" in it,
}


@pytest.mark.parametrize("kind", [*ENCRYPTED, *WHERE_THERE_IS_ONE])
def test_everything_that_holds_something_is_encrypted(policies: Policies, kind: str) -> None:
    made = list(policies.templates.resources(kind))
    assert made or kind in WHERE_THERE_IS_ONE, f"no {kind}: the table has outlived it"
    holds = (ENCRYPTED | WHERE_THERE_IS_ONE)[kind]
    assert not [one.path for one in made if not holds(one.properties)]


def test_keys_of_the_account_rotate(policies: Policies) -> None:
    made = list(policies.templates.resources("AWS::KMS::Key"))
    assert len(made) >= 5
    assert not [one.path for one in made if one.properties.get("EnableKeyRotation") is not True]


def test_the_sweep_can_fail() -> None:
    bad = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": "wide",
            "Policies": [{"PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "ec2:TerminateInstances", "Resource": "*"},
            ]}}],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"},
            }},
        },
    }  # fmt: skip
    found = list(Policies(Templates({"Bad": {"Resources": {"Wide": bad}}}), region="us-east-1").statements())
    assert {one.kind for one in found} == {"PolicyDocument", "AssumeRolePolicyDocument"}
    wide = next(one for one in found if one.kind == "PolicyDocument")
    assert reason(wide, "ec2:TerminateInstances") is None
    with pytest.raises(AssertionError):
        test_everybody_is_admitted_under_a_condition_that_means_this_account(found)
    with pytest.raises(AssertionError):
        test_every_resource_has_a_reason_where_it_stands(found)
