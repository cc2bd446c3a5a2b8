"""The lines that the document's table leaves out, and the platform is billed for all the same."""

from collections.abc import Iterator

from blueprint.costs.line import Line, Maker
from blueprint.costs.platform import ENDPOINT_SERVICES
from blueprint.costs.prices import PRICES, spot, usd


def forgotten(make: Maker) -> Iterator[Line]:
    """Sorted by stack."""
    platform, usage = make.platform, make.usage
    general = min((one.name for one in platform.general.types if one.name in PRICES), key=lambda n: usd(n, make.region))
    rows = [
        make.line(
            "general-nodes",
            "General nodes",
            "Cluster",
            f"{platform.general_nodes} {general} Spot for the services",
            platform.general_nodes,
            price=general,
            hours=True,
            unit_price=spot(general, make.region),
            why="system nodes hold the controllers; the services' pods need these",
        ),
        make.line(
            "system-disks",
            "EBS",
            "Cluster",
            f"{platform.system.desired} disks of system nodes",
            platform.system.desired * platform.system.disk_gib,
            price="ebs-gp3",
        ),
        make.line(
            "volumes",
            "EBS",
            "Cluster",
            "Karpenter's nodes, claims of Prometheus and others",
            usage.volumes_gb,
            price="ebs-gp3",
            counted=False,
        ),
        make.line("aurora-gb", "Aurora disk", "Data", "", usage.aurora_gb, price="aurora-storage", counted=False),
        make.line("aurora-io", "Aurora I/O", "Data", "", usage.aurora_million_io, price="aurora-io", counted=False),
        make.line(
            "backup-aurora",
            "AWS Backup",
            "Data",
            "Aurora, 7 days",
            usage.aurora_gb,
            price="aurora-backup",
            counted=False,
        ),
        make.line("backup-efs", "AWS Backup", "Data", "EFS, 30 days", usage.efs_gb, price="efs-backup", counted=False),
        make.line(
            "redis-snapshots",
            "Redis snapshots",
            "Data",
            "",
            usage.redis_snapshot_gb * sum(cache.snapshot_days for cache in platform.caches.values()),
            price="cache-backup",
            counted=False,
        ),
        make.line(
            "addresses",
            "Public IPv4",
            "Network",
            f"{platform.nat_gateways} NAT, {platform.zones} load balancer, 1 VPN",
            platform.public_addresses,
            price="public-ipv4",
            hours=True,
        ),
        make.line("flow-logs", "VPC flow logs", "Network", "", usage.flow_logs_gb, price="logs-gb", counted=False),
        make.line(
            "lcu",
            "Load balancer",
            "Ingress",
            "capacity units",
            usage.load_balancer_units,
            price="alb-lcu",
            hours=True,
            counted=False,
        ),
        make.line("waf-acl", "WAF", "EdgeGlobal", "one Web ACL", 1, price="waf-acl"),
        make.line("waf-rules", "WAF", "EdgeGlobal", "rules and groups", platform.waf_rules, price="waf-rule"),
        make.line(
            "waf-requests",
            "WAF",
            "EdgeGlobal",
            "requests",
            usage.waf_million_requests,
            price="waf-requests",
            counted=False,
        ),
        make.line("hosted-zone", "Route 53", "Dns", "one zone", 1, price="hosted-zone"),
        make.line("vpn", "VPN", "Vpn", platform.vpn_instance, 1, price=platform.vpn_instance, hours=True),
        make.line("vpn-disk", "EBS", "Vpn", "the VPN's disk", platform.vpn_disk_gib, price="ebs-gp3"),
        make.line(
            "buckets",
            "S3",
            "Storage",
            "logs, assets, backups, trail",
            usage.other_buckets_gb,
            price="s3-standard",
            counted=False,
        ),
        make.line("s3-requests", "S3", "Storage", "writes", usage.s3_thousand_puts, price="s3-put", counted=False),
        make.line(
            "guardduty-events",
            "GuardDuty",
            "Security",
            "CloudTrail, S3 and EKS events",
            usage.guardduty_million_events,
            price="guardduty-events",
            counted=False,
        ),
        make.line(
            "guardduty-network",
            "GuardDuty",
            "Security",
            "flow logs and DNS",
            usage.guardduty_network_gb,
            price="guardduty-network",
            counted=False,
        ),
        make.line(
            "cloudtrail",
            "CloudTrail",
            "Security",
            "writes to buckets; the first trail itself is free",
            usage.cloudtrail_million_data_events,
            price="cloudtrail-data",
            counted=False,
        ),
        make.line(
            "kms-requests",
            "KMS",
            "Security",
            "requests",
            usage.kms_million_requests,
            price="kms-requests",
            counted=False,
        ),
        make.line(
            "alarms", "CloudWatch", "Observability", "metrics that alarms watch", platform.alarm_metrics, price="alarm"
        ),
        *(
            make.line(f"kms-{stack.lower()}", "KMS", stack, "keys", count, price="kms-key")
            for stack, count in platform.kms_keys.items()
        ),
    ]
    if platform.interface_endpoints:
        rows.append(
            make.line(
                "endpoints",
                "Interface endpoints",
                "Network",
                "one a service and zone",
                ENDPOINT_SERVICES * platform.zones,
                price="interface-endpoint",
                hours=True,
            )
        )
    yield from sorted(rows, key=lambda row: row.stack)
