"""What a workload may do with a bucket: its objects below a prefix, its listing, and the key they are under."""

from collections.abc import Sequence

from stacks.components.policies import Allow
from stacks.components.workload_resources import Resources

READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload")
DELETE = ("s3:DeleteObject",)


def object_use(what: str, bucket: str, actions: Sequence[str], prefix: str = "") -> list[Allow]:
    return [
        Allow(
            sid=f"{what}Objects",
            actions=actions,
            resources=[f"{bucket}/{prefix}*"],
            because="objects of one bucket below one prefix, whose keys are made as they are written",
        )
    ]


def bucket_use(at: Resources, what: str, bucket: str) -> list[Allow]:
    """Listing, without which S3 answers 403 for an object that is not there, and the key, for this bucket's objects.

    With a bucket key the context is the bucket's ARN, without one the object's (S3 guide, "encryption context").
    """
    return [
        Allow(sid=f"{what}Listing", actions=["s3:ListBucket"], resources=[bucket]),
        Allow(
            sid=f"{what}Key",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[at.storage_key],
            conditions={
                "StringEquals": {"kms:ViaService": f"s3.{at.here.region}.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
            },
        ),
    ]
