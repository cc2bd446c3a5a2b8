"""The buckets: what the platform contract says of each, and who gets in."""

from collections.abc import Mapping
from typing import Any

import pytest

from blueprint.buckets import BUCKETS, IMAGE_PREFIX, LOGS_BUCKET
from blueprint.contract import OUTPUTS, bucket
from tests.support.buckets import bucket_named
from tests.support.iam import ADMINISTRATOR, ANONYMOUS, Request, allowed, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates

NAMES = (
    "pingvas-dev-images",
    "pingvas-prod-images",
    "pingvas-models-shared",
    "pingvas-logs-shared",
    "pingvas-assets",
    "pingvas-backups",
)
CLOUDFRONT = "cloudfront.amazonaws.com"
TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


def test_the_six_buckets_by_their_names_and_their_outputs(templates: Templates, policies: Policies) -> None:
    full = {policies.name(one) for one in templates.resources("AWS::S3::Bucket", stack="Storage")}
    assert full == {f"{name}-{ACCOUNT}-{policies.region}" for name in NAMES}
    assert tuple(one.name for one in BUCKETS) == NAMES
    for name in NAMES:
        parameter = templates.one("AWS::SSM::Parameter", Name=OUTPUTS[bucket(name)].parameter)
        assert policies.resolve(parameter.properties["Value"], "Storage") == f"{name}-{ACCOUNT}-{policies.region}"


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_is_versioned_private_and_stays(templates: Templates, policies: Policies, name: str) -> None:
    one = bucket_named(policies, name)
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
    (rule,) = bucket_named(policies, name).properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
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
    (rule,) = bucket_named(policies, name).properties["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert "Prefix" not in rule and "TagFilters" not in rule, "everything in the bucket"
    assert [(one["StorageClass"], one["TransitionInDays"]) for one in rule.get("Transitions", [])] == transitions
    assert rule.get("ExpirationInDays") == expiration
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": old}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@pytest.mark.parametrize("name", [name for name in NAMES if name != LOGS_BUCKET])
def test_access_is_logged_below_the_buckets_own_prefix(templates: Templates, policies: Policies, name: str) -> None:
    logging = policies.resolve(bucket_named(policies, name).properties["LoggingConfiguration"], "Storage")
    assert logging == {
        "DestinationBucketName": f"{LOGS_BUCKET}-{ACCOUNT}-{policies.region}",
        "LogFilePrefix": f"s3/{name}/",
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("context", [{"aws:SecureTransport": "false"}, {**TLS, "s3:TlsVersion": "1.1"}])
def test_nobody_gets_in_without_modern_tls(
    templates: Templates, policies: Policies, name: str, context: Mapping[str, str]
) -> None:
    bucket_policies = policies.of(bucket_named(policies, name))
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
    documents = policies.of(bucket_named(policies, name))
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
    return allowed(request, resource=policies.of(bucket_named(policies, name)))


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
    documents = policies.of(bucket_named(policies, LOGS_BUCKET))
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
