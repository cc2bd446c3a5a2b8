"""The buckets of `blueprint.data`, and their policies."""

from aws_cdk import Aws
from aws_cdk import aws_s3 as s3
from constructs import Construct

from blueprint.contract import bucket
from blueprint.data import BUCKETS
from stacks.components.stack import PlatformStack
from stacks.security import SecurityStack
from stacks.settings import Settings


def bucket_name(name: str, settings: Settings) -> str:
    """The bucket's name in AWS: account and region after it, since bucket names are everybody's."""
    return f"{name}-{settings.account or Aws.ACCOUNT_ID}-{settings.region}"


class StorageStack(PlatformStack):
    """`buckets`, by their name in the blueprint."""

    def __init__(self, scope: Construct, *, settings: Settings, security: SecurityStack) -> None:
        super().__init__(scope, "Storage", settings=settings, description="buckets", stateful=True)
        self.buckets = {
            one.name: s3.Bucket(
                self,
                one.name,
                bucket_name=bucket_name(one.name, settings),
                versioned=True,
                enforce_ssl=True,
                block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
                removal_policy=self.removal,
            )
            for one in BUCKETS
        }
        for name, made in self.buckets.items():
            self.publish(bucket(name), made.bucket_name)
