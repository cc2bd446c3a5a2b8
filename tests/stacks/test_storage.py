"""The buckets: what the platform contract says of each, and who gets in."""

from collections.abc import Mapping
from typing import Any

import pytest

from blueprint.buckets import BUCKETS, IMAGE_PREFIX, LOGS_BUCKET
from blueprint.contract import OUTPUTS, bucket
from tests.support.iam import ANONYMOUS, Request, allowed, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, synthesize

NAMES = (
    "pingvas-dev-images",
    "pingvas-prod-images",
    "pingvas-models-shared",
    "pingvas-logs-shared",
    "pingvas-assets",
    "pingvas-backups",
)
ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
CLOUDFRONT = "cloudfront.amazonaws.com"
TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


@pytest.fixture(scope="module")
def policies(templates: Templates, region: str) -> Policies:
    return Policies(templates, region=region)


def made(templates: Templates, policies: Policies, name: str) -> Resource:
    full = f"{name}-{ACCOUNT}-{policies.region}"
    return next(one for one in templates.resources("AWS::S3::Bucket", stack="Storage") if policies.name(one) == full)


def test_the_six_buckets_by_their_names_and_their_outputs(templates: Templates, policies: Policies) -> None:
    full = {policies.name(one) for one in templates.resources("AWS::S3::Bucket", stack="Storage")}
    assert full == {f"{name}-{ACCOUNT}-{policies.region}" for name in NAMES}
    assert tuple(one.name for one in BUCKETS) == NAMES
    for name in NAMES:
        parameter = templates.one("AWS::SSM::Parameter", Name=OUTPUTS[bucket(name)].parameter)
        assert policies.resolve(parameter.properties["Value"], "Storage") == f"{name}-{ACCOUNT}-{policies.region}"


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_is_versioned_private_and_stays(templates: Templates, policies: Policies, name: str) -> None:
    one = made(templates, policies, name)
    assert one.properties["VersioningConfiguration"] == {"Status": "Enabled"}
    blocked = one.properties["PublicAccessBlockConfiguration"]
    assert blocked == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert one.properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert one.body["DeletionPolicy"] == one.body["UpdateReplacePolicy"] == "Retain"
    assert "CorsConfiguration" not in one.properties, "no page of another origin has business here"


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_is_encrypted_by_the_storage_key_and_logs_by_s3(
    templates: Templates, policies: Policies, name: str
) -> None:
    (rule,) = made(templates, policies, name).properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    default = policies.resolve(rule["ServerSideEncryptionByDefault"], "Storage")
    if name == LOGS_BUCKET:
        assert default == {"SSEAlgorithm": "AES256"}, "load balancers deliver to nothing else"
    else:
        alias = templates.one("AWS::KMS::Alias", AliasName="alias/pingvas/storage")
        assert default["KMSMasterKeyID"] == policies.resolve(alias.properties["TargetKeyId"], alias.stack)
        assert default["SSEAlgorithm"] == "aws:kms"
        assert rule["BucketKeyEnabled"] is True, "a call to KMS for every picture costs more than the picture"


@pytest.mark.parametrize(
    ("name", "transitions", "expiration", "old"),
    [
        ("pingvas-dev-images", [("STANDARD_IA", 90)], None, 30),
        ("pingvas-prod-images", [("STANDARD_IA", 90), ("GLACIER_IR", 180)], None, 30),
        ("pingvas-models-shared", [("INTELLIGENT_TIERING", 0)], None, 30),
        ("pingvas-logs-shared", [], 30, 1),
        ("pingvas-assets", [], None, 30),
        ("pingvas-backups", [], 30, 7),
    ],
)
def test_lifecycles_are_those_of_the_contract(
    templates: Templates,
    policies: Policies,
    name: str,
    transitions: list[tuple[str, int]],
    expiration: int | None,
    old: int,
) -> None:
    (rule,) = made(templates, policies, name).properties["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert "Prefix" not in rule and "TagFilters" not in rule, "everything in the bucket"
    assert [(one["StorageClass"], one["TransitionInDays"]) for one in rule.get("Transitions", [])] == transitions
    assert rule.get("ExpirationInDays") == expiration
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": old}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@pytest.mark.parametrize("name", [name for name in NAMES if name != LOGS_BUCKET])
def test_access_is_logged_below_the_buckets_own_prefix(templates: Templates, policies: Policies, name: str) -> None:
    logging = policies.resolve(made(templates, policies, name).properties["LoggingConfiguration"], "Storage")
    assert logging == {
        "DestinationBucketName": f"{LOGS_BUCKET}-{ACCOUNT}-{policies.region}",
        "LogFilePrefix": f"s3/{name}/",
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("context", [{"aws:SecureTransport": "false"}, {**TLS, "s3:TlsVersion": "1.1"}])
def test_nobody_gets_in_without_modern_tls(
    templates: Templates, policies: Policies, name: str, context: Mapping[str, str]
) -> None:
    bucket_policies = policies.of(made(templates, policies, name))
    arn = f"arn:aws:s3:::{name}-{ACCOUNT}-{policies.region}"
    for action, resource in (
        ("s3:GetObject", f"{arn}/images/1.png"),
        ("s3:PutObject", f"{arn}/1"),
        ("s3:ListBucket", arn),
    ):
        for principal in (f"arn:aws:iam::{ACCOUNT}:role/administrator", CLOUDFRONT, "logging.s3.amazonaws.com"):
            request = Request(action=action, resource=resource, principal=principal, context=context)
            assert evaluate(request, identity=[ADMINISTRATOR], resource=bucket_policies) == "deny"
        modern = Request(
            action=action, resource=resource, principal=f"arn:aws:iam::{ACCOUNT}:role/administrator", context=TLS
        )
        assert allowed(modern, identity=[ADMINISTRATOR], resource=bucket_policies)


@pytest.mark.parametrize("name", NAMES)
def test_neither_strangers_nor_other_accounts_get_in(templates: Templates, policies: Policies, name: str) -> None:
    documents = policies.of(made(templates, policies, name))
    arn = f"arn:aws:s3:::{name}-{ACCOUNT}-{policies.region}"
    for action, resource in (
        ("s3:GetObject", f"{arn}/images/1.png"),
        ("s3:PutObject", f"{arn}/images/1.png"),
        ("s3:ListBucket", arn),
        ("s3:PutBucketPolicy", arn),
    ):
        assert not allowed(
            Request(action=action, resource=resource, principal=ANONYMOUS, context=TLS), resource=documents
        )
        other = Request(
            action=action, resource=resource, principal=f"arn:aws:iam::{OTHER_ACCOUNT}:role/administrator", context=TLS
        )
        assert not allowed(other, identity=[ADMINISTRATOR], resource=documents, owner=ACCOUNT)


def cloudfront(policies: Policies, templates: Templates, name: str, key: str, **changes: str) -> bool:
    context = {**TLS, "aws:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"}
    request = Request(
        action=changes.pop("action", "s3:GetObject"),
        resource=f"arn:aws:s3:::{name}-{ACCOUNT}-{policies.region}/{key}",
        principal=CLOUDFRONT,
        context={**context, **{f"aws:{field}": value for field, value in changes.items()}},
    )
    return allowed(request, resource=policies.of(made(templates, policies, name)))


@pytest.mark.parametrize("name", ["pingvas-dev-images", "pingvas-prod-images"])
def test_cloudfront_reads_pictures_and_nothing_beside_them(templates: Templates, policies: Policies, name: str) -> None:
    assert IMAGE_PREFIX == "images/"
    assert cloudfront(policies, templates, name, "images/1/1/0.png")
    assert not cloudfront(policies, templates, name, "inputs/1.png")
    assert not cloudfront(policies, templates, name, "imagesque/1.png")
    assert not cloudfront(policies, templates, name, "images/1.png", action="s3:PutObject")
    assert not cloudfront(policies, templates, name, "images/1.png", action="s3:ListBucket")


def test_cloudfront_reads_the_web_studio_and_no_other_bucket(templates: Templates, policies: Policies) -> None:
    assert cloudfront(policies, templates, "pingvas-assets", "index.html")
    for name in ("pingvas-models-shared", "pingvas-logs-shared", "pingvas-backups"):
        assert not cloudfront(policies, templates, name, "images/1.png")


@pytest.mark.parametrize("name", ["pingvas-dev-images", "pingvas-prod-images", "pingvas-assets"])
def test_distributions_of_other_accounts_are_refused(templates: Templates, policies: Policies, name: str) -> None:
    theirs = f"arn:aws:cloudfront::{OTHER_ACCOUNT}:distribution/E1"
    assert not cloudfront(policies, templates, name, "images/1.png", SourceArn=theirs)
    assert not cloudfront(policies, templates, name, "images/1.png", SourceArn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:x")


WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "logdelivery.elasticloadbalancing.amazonaws.com": (f"alb/AWSLogs/{ACCOUNT}/elasticloadbalancing/1", {}),
    "delivery.logs.amazonaws.com": (
        f"cloudfront/AWSLogs/{ACCOUNT}/CloudFront/1",
        {
            "aws:SourceAccount": ACCOUNT,
            "aws:SourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:delivery-source:dev",
            "s3:x-amz-acl": "bucket-owner-full-control",
        },
    ),
    "logging.s3.amazonaws.com": (
        "s3/pingvas-assets/1",
        {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:s3:::pingvas-assets-{ACCOUNT}-REGION"},
    ),
}
"""Who writes logs, where, and what AWS tells the bucket about it."""


@pytest.mark.parametrize("service", WRITERS)
def test_each_writer_of_logs_writes_below_its_own_prefix(
    templates: Templates, policies: Policies, service: str
) -> None:
    documents = policies.of(made(templates, policies, LOGS_BUCKET))
    path, context = WRITERS[service]
    told = {name: value.replace("REGION", policies.region) for name, value in context.items()}

    def may(path: str, context: Mapping[str, str], action: str = "s3:PutObject") -> bool:
        resource = f"arn:aws:s3:::{LOGS_BUCKET}-{ACCOUNT}-{policies.region}/{path}"
        request = Request(action=action, resource=resource, principal=service, context={**TLS, **context})
        return allowed(request, resource=documents)

    assert may(path, told)
    assert not may(path, told, "s3:GetObject")
    for other, (elsewhere, _) in WRITERS.items():
        assert may(elsewhere, told) is (other == service), elsewhere
    theirs = {name: value.replace(ACCOUNT, OTHER_ACCOUNT) for name, value in told.items()}
    assert not may(path if told else path.replace(ACCOUNT, OTHER_ACCOUNT), theirs)
    for name in told:
        assert not may(path, {key: value for key, value in told.items() if key != name}), name


def test_no_copies_without_the_setting(templates: Templates) -> None:
    assert "Replication" not in templates
    assert not any("ReplicationConfiguration" in one.properties for one in templates.resources("AWS::S3::Bucket"))


ELSEWHERE = "us-west-2"
COPIED = ("pingvas-prod-images", "pingvas-models-shared", "pingvas-assets", "pingvas-backups")


@pytest.fixture(scope="module")
def copied(region: str) -> Policies:
    return Policies(synthesize(region=region, replication_region=ELSEWHERE), region=region)


@pytest.mark.parametrize("name", COPIED)
def test_buckets_are_copied_to_another_region_under_its_own_key(copied: Policies, name: str) -> None:
    one = made(copied.templates, copied, name)
    (rule,) = copied.resolve(one.properties["ReplicationConfiguration"], "Storage")["Rules"]
    copy = f"{name}-{ACCOUNT}-{ELSEWHERE}"
    assert rule["Status"] == "Enabled"
    assert rule["Filter"] == {"Prefix": ""}
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{copy}"
    alias = copied.templates.one("AWS::KMS::Alias", stack="Replication").properties["AliasName"]
    assert rule["Destination"]["EncryptionConfiguration"] == {
        "ReplicaKmsKeyID": f"arn:aws:kms:{ELSEWHERE}:{ACCOUNT}:{alias}"
    }
    assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    target = next(
        one for one in copied.templates.resources("AWS::S3::Bucket", stack="Replication") if copied.name(one) == copy
    )
    assert target.properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert target.body["DeletionPolicy"] == "Retain"
    http = Request(
        action="s3:GetObject",
        resource=f"arn:aws:s3:::{copy}/1",
        principal=f"arn:aws:iam::{ACCOUNT}:role/administrator",
        context={"aws:SecureTransport": "false"},
    )
    assert evaluate(http, identity=[ADMINISTRATOR], resource=copied.of(target)) == "deny"


def test_only_what_cannot_be_made_again_is_copied(copied: Policies) -> None:
    sources = {
        copied.name(one)
        for one in copied.templates.resources("AWS::S3::Bucket")
        if "ReplicationConfiguration" in one.properties
    }
    assert sources == {f"{name}-{ACCOUNT}-{copied.region}" for name in COPIED}


def test_the_copying_role_reads_sources_writes_copies_and_is_s3s_alone(copied: Policies) -> None:
    bucket = made(copied.templates, copied, COPIED[0])
    arn = copied.resolve(bucket.properties["ReplicationConfiguration"]["Role"], "Storage")
    role = next(one for one in copied.templates.resources("AWS::IAM::Role") if copied.arn(one) == arn)
    trust, identity = [copied.trust(role)], copied.identity(role)

    def assume(principal: str, account: str) -> bool:
        context = {"aws:SourceAccount": account}
        ask = Request(action="sts:AssumeRole", resource=arn, principal=principal, context=context)
        return allowed(ask, resource=trust, governed=True)

    assert assume("s3.amazonaws.com", ACCOUNT)
    assert not assume("s3.amazonaws.com", OTHER_ACCOUNT)
    assert not assume("ec2.amazonaws.com", ACCOUNT)

    def may(action: str, resource: str, **context: str) -> bool:
        return allowed(Request(action=action, resource=resource, principal=arn, context=context), identity=identity)

    source = f"arn:aws:s3:::{COPIED[0]}-{ACCOUNT}-{copied.region}"
    copy = f"arn:aws:s3:::{COPIED[0]}-{ACCOUNT}-{ELSEWHERE}"
    assert may("s3:GetObjectVersionForReplication", f"{source}/images/1")
    assert may("s3:ReplicateObject", f"{copy}/images/1")
    assert not may("s3:ReplicateObject", f"{source}/images/1")
    assert not may("s3:GetObject", f"{source}/images/1")
    assert not may("s3:GetObjectVersionForReplication", f"arn:aws:s3:::pingvas-dev-images-{ACCOUNT}-{copied.region}/1")
    key = f"arn:aws:kms:{ELSEWHERE}:{ACCOUNT}:key/1"
    via = {"kms:ViaService": f"s3.{ELSEWHERE}.amazonaws.com"}
    assert may("kms:Encrypt", key, **via, **{"kms:ResourceAliases": "alias/pingvas/replica"})
    assert not may("kms:Encrypt", key, **via, **{"kms:ResourceAliases": "alias/another"})
