"""CloudFront's access logs, which it delivers from us-east-1 wherever the platform stands."""

from aws_cdk import aws_logs as logs
from constructs import Construct

from blueprint.buckets import LOG_PREFIXES, LOGS_BUCKET
from stacks.components.names import bucket_arn
from stacks.components.regions import reference
from stacks.components.stack import PlatformStack
from stacks.edge import EdgeStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class EdgeLogsStack(PlatformStack):
    """Standard logging v2: a source a distribution, the logs bucket as their one destination.

    A folder a distribution and hour, under `cloudfront/`. The fields are CloudFront's own default, without cookies.
    """

    def __init__(self, scope: Construct, *, settings: Settings, storage: StorageStack, edge: EdgeStack) -> None:
        super().__init__(
            scope,
            "EdgeLogs",
            settings=settings,
            description="access logs of CloudFront",
            region=settings.global_region,
        )
        self.add_stack_dependency(storage, "the logs bucket has to let the delivery write")
        destination = logs.CfnDeliveryDestination(
            self,
            "Destination",
            name="pingvas-cloudfront",
            destination_resource_arn=f"{bucket_arn(LOGS_BUCKET, settings)}/{LOG_PREFIXES.cloudfront}",
            output_format="json",
        )
        for environment, distribution in edge.distributions.items():
            distribution_id = reference(distribution.ref, of=edge, to=self)
            source = logs.CfnDeliverySource(
                self,
                f"Source-{environment}",
                name=f"pingvas-cloudfront-{environment}",
                log_type="ACCESS_LOGS",
                resource_arn=f"arn:{self.partition}:cloudfront::{self.account}:distribution/{distribution_id}",
            )
            delivery = logs.CfnDelivery(
                self,
                f"Delivery-{environment}",
                delivery_source_name=source.name,
                delivery_destination_arn=destination.attr_arn,
                s3_suffix_path="/{DistributionId}/{yyyy}/{MM}/{dd}/{HH}",
            )
            delivery.add_resource_dependency(source)
