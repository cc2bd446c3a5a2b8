"""Copies of buckets in another region: of which, under which key, and by whom."""

import pytest

from tests.support.buckets import bucket_named
from tests.support.iam import ADMINISTRATOR, Request, allowed, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates, synthesize


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
    one = bucket_named(copied, name)
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
    source = bucket_named(copied, COPIED[0])
    arn = copied.resolve(source.properties["ReplicationConfiguration"]["Role"], "Storage")
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
