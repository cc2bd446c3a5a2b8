"""A bucket as every bucket of the platform is made: private, versioned, encrypted, TLS 1.2 or newer."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from blueprint.buckets import ABORT_UPLOADS_AFTER, Bucket
from stacks.components.statements import Condition, allow

TLS_MINIMUM = 1.2


def private_bucket(
    scope: Construct,
    blueprint: Bucket,
    *,
    name: str,
    removal: RemovalPolicy,
    key: kms.IKey | None = None,
    locked_days: int | None = None,
) -> s3.Bucket:
    """The bucket `blueprint` as `name`; under `key`, or under S3's own where it is None.

    With `locked_days` an object version can be deleted before that by nobody but who holds
    s3:BypassGovernanceRetention.
    """
    return s3.Bucket(
        scope,
        blueprint.name,
        bucket_name=name,
        versioned=True,
        encryption=s3.BucketEncryption.S3_MANAGED if key is None else s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=None if key is None else True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=TLS_MINIMUM,
        object_lock_default_retention=(
            None if locked_days is None else s3.ObjectLockRetention.governance(Duration.days(locked_days))
        ),
        lifecycle_rules=[_lifecycle(blueprint)],
        removal_policy=removal,
    )


def resource_of(bucket: s3.Bucket) -> s3.CfnBucket:
    """The CloudFormation resource, for what the construct would do with more than was asked."""
    resource = bucket.node.default_child
    if not isinstance(resource, s3.CfnBucket):
        raise TypeError(f"{bucket.node.path} is no bucket of CloudFormation")
    return resource


def _lifecycle(blueprint: Bucket) -> s3.LifecycleRule:
    steps = (
        (s3.StorageClass.INFREQUENT_ACCESS, blueprint.infrequent_access_after),
        (s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, blueprint.glacier_after),
        (s3.StorageClass.INTELLIGENT_TIERING, 0 if blueprint.intelligent_tiering else None),
    )
    return s3.LifecycleRule(
        id="keep",
        abort_incomplete_multipart_upload_after=Duration.days(ABORT_UPLOADS_AFTER),
        noncurrent_version_expiration=Duration.days(blueprint.delete_old_after),
        expiration=None if blueprint.delete_after is None else Duration.days(blueprint.delete_after),
        expired_object_delete_marker=True if blueprint.delete_after is None else None,
        transitions=[
            s3.Transition(storage_class=kind, transition_after=Duration.days(days))
            for kind, days in steps
            if days is not None
        ]
        or None,
    )


def admit(
    bucket: s3.Bucket, service: str, *, sid: str, action: str, path: str, condition: Condition | None = None
) -> None:
    """Lets an AWS service do one thing below one path of the bucket."""
    statement = allow(action, f"{bucket.bucket_arn}{path}", condition, Sid=sid, Principal={"Service": service})
    bucket.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
