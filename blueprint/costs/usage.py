"""How much the platform is used in a month. Nobody has measured any of it: these are assumptions, to be replaced.

The first group is the documents'; a bill of the first month corrects the second. GB are decimal, as AWS bills them.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A month's use of both environments together."""

    # the documents' own
    aurora_acu: Decimal = Decimal(1)
    """Average of each instance, within the bounds of its cluster."""
    gpu_nodes: Decimal = Decimal(3)
    """Average of GPU nodes over the whole month."""
    efs_gb: Decimal = Decimal(100)
    dev_images_gb: Decimal = Decimal(500)
    prod_images_gb: Decimal = Decimal(2000)
    """All of it at Standard's price, as the document counts; what lies longer than 90 days costs about half."""
    models_gb: Decimal = Decimal(500)
    cdn_gb: Decimal = Decimal(1000)
    cdn_free_gb: Decimal = Decimal(1000)
    """CloudFront gives the first TB of each month to every account."""
    ecr_gb: Decimal = Decimal(50)
    logs_gb: Decimal = Decimal(60)
    """Into CloudWatch: containers, control plane, databases. At 0.50 the document's $30."""
    nat_gb: Decimal = Decimal(800)
    between_zones_gb: Decimal = Decimal(1200)
    """With `nat_gb` the document's $60 of transfer."""
    # what the document does not name
    load_balancer_units: Decimal = Decimal(1)
    """Average LCU: 25 new connections a second, 3,000 active, 1 GB an hour or 1,000 rule evaluations a second."""
    flow_logs_gb: Decimal = Decimal(20)
    waf_million_requests: Decimal = Decimal(10)
    aurora_gb: Decimal = Decimal(20)
    aurora_million_io: Decimal = Decimal(50)
    redis_snapshot_gb: Decimal = Decimal(1)
    other_buckets_gb: Decimal = Decimal(70)
    """Logs, assets, backups and the trail together."""
    s3_thousand_puts: Decimal = Decimal(1000)
    kms_million_requests: Decimal = Decimal(1)
    guardduty_million_events: Decimal = Decimal(5)
    """CloudTrail, S3 and EKS audit events, all at the dearest of the three prices."""
    guardduty_network_gb: Decimal = Decimal(20)
    cloudtrail_million_data_events: Decimal = Decimal(2)
    volumes_gb: Decimal = Decimal(150)
    """Volumes of claims (Prometheus 50 GiB and others) and of Karpenter's nodes."""


USAGE = Usage()
