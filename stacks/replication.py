"""The copies of buckets in another region, for the day that a region is gone; made only where the setting names one."""

from aws_cdk import aws_kms as kms
from constructs import Construct

from blueprint.buckets import Bucket
from stacks.components.buckets import private_bucket
from stacks.components.excuse import excuse
from stacks.components.names import bucket_name
from stacks.components.replicas import REPLICA_ALIAS, REPLICAS
from stacks.components.stack import PlatformStack
from stacks.settings import Settings


class ReplicationStack(PlatformStack):
    """A bucket for each replicated one, and their key. It comes before the Storage stack, which writes to it by name.

    Raises:
        ValueError: the setting `replication_region` is not set.
    """

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        region = settings.replication_region
        if region is None:
            raise ValueError("replication_region is not set: there is nothing to copy to")
        super().__init__(
            scope, "Replication", settings=settings, description="copies of buckets", stateful=True, region=region
        )
        key = kms.Key(
            self,
            "ReplicaKey",
            alias=REPLICA_ALIAS.removeprefix("alias/"),
            enable_key_rotation=True,
            removal_policy=self.removal,
        )
        for one in REPLICAS:
            copy = Bucket(one.name, delete_after=one.delete_after, delete_old_after=one.delete_old_after)
            bucket = private_bucket(
                self, copy, name=bucket_name(one.name, settings, region), removal=self.removal, key=key
            )
            reason = "nobody reads or writes copies but S3 itself, which the source's access logs and CloudTrail have"
            excuse(bucket, "AwsSolutions-S1", reason)
            excuse(bucket, "CKV_AWS_18", reason)
