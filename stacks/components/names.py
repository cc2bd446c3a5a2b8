"""Names in AWS that several stacks make out of the blueprint's."""

from aws_cdk import Aws

from stacks.settings import Settings


def account_of(settings: Settings) -> str:
    """The account's number, or CloudFormation's word for it where templates are made for any account."""
    return settings.account or Aws.ACCOUNT_ID


def bucket_name(name: str, settings: Settings, region: str | None = None) -> str:
    """The bucket's name in AWS: account and region after it, since bucket names are everybody's."""
    return f"{name}-{account_of(settings)}-{region or settings.region}"


def bucket_arn(name: str, settings: Settings, region: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket_name(name, settings, region)}"


def distributions(settings: Settings) -> str:
    """Any CloudFront distribution of this account; one by its id would tie buckets and distributions in a circle."""
    return f"arn:aws:cloudfront::{account_of(settings)}:distribution/*"
