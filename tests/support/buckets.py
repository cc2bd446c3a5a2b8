"""Buckets by the names that they have without account and region."""

from tests.support.policies import Policies
from tests.support.templates import Resource


def bucket_named(policies: Policies, name: str) -> Resource:
    full = f"{name}-{policies.account}-{policies.region}"
    made = policies.templates.resources("AWS::S3::Bucket", stack="Storage")
    return next(one for one in made if policies.name(one) == full)
