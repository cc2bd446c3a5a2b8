"""Copies of buckets in another region: what the sources need. The copies themselves are `stacks.replication`."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from blueprint.buckets import BUCKETS
from stacks.components.buckets import resource_of
from stacks.components.excuse import excuse
from stacks.components.names import account_of, bucket_arn, bucket_name
from stacks.components.statements import allow, document
from stacks.settings import Settings

REPLICAS = tuple(one for one in BUCKETS if one.replicated)
REPLICA_ALIAS = "alias/pingvas/replica"
"""The key of the copies. Sources name it by its alias, since no stack can read the key's id in another region."""


def replicate(
    scope: Construct, *, buckets: Mapping[str, s3.Bucket], key: kms.IKey, settings: Settings, region: str
) -> None:
    """Copies to `region` what is written to the replicated buckets from now on.

    What lies there already is a job of S3 Batch Replication, which the runbook has.
    """
    role = _role(scope, key=key, settings=settings, region=region)
    alias = f"arn:aws:kms:{region}:{account_of(settings)}:{REPLICA_ALIAS}"
    for one in REPLICAS:
        bucket = resource_of(buckets[one.name])
        bucket.add_property_override(
            "ReplicationConfiguration",
            {"Role": role.attr_arn, "Rules": [_rule(bucket_arn(one.name, settings, region), alias)]},
        )


def _rule(target: str, key: str) -> dict[str, Any]:
    return {
        "Id": "everything",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {"Bucket": target, "EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    }


def _role(scope: Construct, *, key: kms.IKey, settings: Settings, region: str) -> iam.CfnRole:
    account = account_of(settings)
    sources = [bucket_arn(one.name, settings) for one in REPLICAS]
    objects = [f"{arn}/*" for arn in sources]
    copies = [f"{bucket_arn(one.name, settings, region)}/*" for one in REPLICAS]
    keys = f"arn:aws:kms:{region}:{account}:key/*"
    read = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    role = iam.CfnRole(
        scope,
        "ReplicationRole",
        assume_role_policy_document=document(
            allow(
                "sts:AssumeRole",
                None,
                {"StringEquals": {"aws:SourceAccount": account}},
                Principal={"Service": "s3.amazonaws.com"},
            )
        ),
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="replicate",
                policy_document=document(
                    allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], sources),
                    allow(read, objects),
                    allow(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], copies),
                    allow("kms:Decrypt", key.key_arn, _by_s3_of(settings.region)),
                    allow(
                        ["kms:Encrypt", "kms:GenerateDataKey"],
                        keys,
                        {**_by_s3_of(region), "ForAnyValue:StringEquals": {"kms:ResourceAliases": REPLICA_ALIAS}},
                    ),
                ),
            )
        ],
    )
    for one in REPLICAS:
        for where in (settings.region, region):
            name = _shown(bucket_name(one.name, settings, where), settings)
            excuse(
                role,
                f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{name}/*]",
                "every object of the bucket is copied, and S3 has no narrower resource than the path",
            )
    excuse(
        role,
        f"AwsSolutions-IAM5[Resource::{_shown(keys, settings)}]",
        "the one key with the copies' alias: its id is known in its own region only",
    )
    return role


def _by_s3_of(region: str) -> dict[str, dict[str, str]]:
    return {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}


def _shown(text: str, settings: Settings) -> str:
    """As cdk-nag prints it, with CloudFormation's words in angle brackets."""
    return text if settings.account else text.replace(account_of(settings), "<AWS::AccountId>")
