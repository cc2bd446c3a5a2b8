"""The buckets of `blueprint.buckets`, and their policies.

No bucket has CORS rules: browsers upload through the services and open pictures on their own origin, by CloudFront.
"""

from aws_cdk import aws_s3 as s3
from constructs import Construct

from blueprint.buckets import BUCKETS, LOG_PREFIXES, LOGS_BUCKET, Bucket
from blueprint.contract import bucket
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.regions import GLOBAL_REGION
from stacks.components.buckets import admit, private_bucket, resource_of
from stacks.components.excuse import excuse
from stacks.components.names import account_of, bucket_arn, bucket_name, distributions
from stacks.components.replicas import replicate
from stacks.components.stack import PlatformStack
from stacks.security import SecurityStack
from stacks.settings import Settings

__all__ = ["StorageStack", "bucket_name"]


class StorageStack(PlatformStack):
    """`buckets`, by their name in the blueprint."""

    def __init__(self, scope: Construct, *, settings: Settings, security: SecurityStack) -> None:
        super().__init__(scope, "Storage", settings=settings, description="buckets", stateful=True)
        self._key = security.keys.storage
        self.buckets = {one.name: self._bucket(one) for one in BUCKETS}
        for one in BUCKETS:
            if one.prefix is not None:
                self._admit_cloudfront(one)
            self.publish(bucket(one.name), self.buckets[one.name].bucket_name)
        for environment in CLUSTER_ENVIRONMENTS:
            self.tag_environment(self.buckets[f"pingvas-{environment.name}-images"], environment.name)
        self._admit_logs(self.buckets[LOGS_BUCKET])
        if settings.replication_region:
            replicate(self, buckets=self.buckets, key=self._key, settings=settings, region=settings.replication_region)

    def _bucket(self, one: Bucket) -> s3.Bucket:
        logs = one.name == LOGS_BUCKET
        made = private_bucket(
            self,
            one,
            name=bucket_name(one.name, self.settings),
            removal=self.removal,
            key=None if logs else self._key,
        )
        if logs:
            reason = "access logs of the bucket of access logs would never end; CloudTrail has its management events"
            excuse(made, "AwsSolutions-S1", reason)
            excuse(made, "CKV_AWS_18", reason)
            excuse(made, "CKV_AWS_145", "load balancers deliver their logs to buckets under SSE-S3 only")
        else:
            resource_of(made).logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
                destination_bucket_name=bucket_name(LOGS_BUCKET, self.settings),
                log_file_prefix=f"{LOG_PREFIXES.s3}/{one.name}/",
            )
        return made

    def _admit_cloudfront(self, one: Bucket) -> None:
        """CloudFront signs as a service; the account in its source keeps out distributions of others.

        A distribution sends `aws:SourceArn`; that it sends `aws:SourceAccount` too is documented nowhere.
        """
        admit(
            self.buckets[one.name],
            "cloudfront.amazonaws.com",
            sid="CloudFrontReads",
            action="s3:GetObject",
            path=f"/{one.prefix}*",
            condition={"ArnLike": {"aws:SourceArn": distributions(self.settings)}},
        )

    def _admit_logs(self, logs: s3.Bucket) -> None:
        """Each service writes below its own prefix. Load balancers are told apart by the account in their path, which
        ELB enforces and its guide asks for; it documents no condition keys."""
        account = account_of(self.settings)
        ours = {"aws:SourceAccount": account}
        admit(
            logs,
            "logdelivery.elasticloadbalancing.amazonaws.com",
            sid="LoadBalancersWrite",
            action="s3:PutObject",
            path=f"/{LOG_PREFIXES.alb}/AWSLogs/{account}/*",
        )
        admit(
            logs,
            "delivery.logs.amazonaws.com",
            sid="CloudFrontWrites",
            action="s3:PutObject",
            path=f"/{LOG_PREFIXES.cloudfront}/*",
            condition={
                "StringEquals": {**ours, "s3:x-amz-acl": "bucket-owner-full-control"},
                "ArnLike": {"aws:SourceArn": f"arn:aws:logs:{GLOBAL_REGION}:{account}:delivery-source:*"},
            },
        )
        admit(
            logs,
            "logging.s3.amazonaws.com",
            sid="BucketsWrite",
            action="s3:PutObject",
            path=f"/{LOG_PREFIXES.s3}/*",
            condition={"StringEquals": ours, "ArnLike": {"aws:SourceArn": bucket_arn("pingvas-*", self.settings)}},
        )
        for name, made in self.buckets.items():
            if name != LOGS_BUCKET and logs.policy:
                made.node.add_dependency(logs.policy)
