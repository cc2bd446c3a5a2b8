"""The lines that the document's table has too."""

from collections.abc import Iterator
from decimal import Decimal

from blueprint.costs.line import Line, Maker
from blueprint.costs.prices import spot


def documented(make: Maker) -> Iterator[Line]:
    """In the order of the document's rows."""
    for part in (_compute, _data, _network, _storage, _rest):
        yield from part(make)


def _compute(make: Maker) -> Iterator[Line]:
    platform = make.platform
    system = platform.system.types[platform.architecture][0].name
    gpu = platform.gpu.types[0].name
    yield make.line(
        "eks", "EKS control plane", "Cluster", "one cluster", 1, price="eks-cluster", hours=True, document="eks"
    )
    yield make.line(
        "system-nodes",
        "System nodes",
        "Cluster",
        f"{platform.system.desired} {system} Spot",
        platform.system.desired,
        price=system,
        hours=True,
        unit_price=spot(system, make.region),
        document="system-nodes",
        why=f"{platform.system.desired} nodes, one a zone, at 30 % of the on-demand price",
    )
    yield make.line(
        "gpu-nodes",
        "GPU nodes",
        "Cluster",
        f"{make.usage.gpu_nodes:g} {gpu} Spot on average, {platform.gpu.gpu} at most",
        min(make.usage.gpu_nodes, Decimal(platform.gpu.gpu)),
        price=gpu,
        hours=True,
        unit_price=spot(gpu, make.region),
        document="gpu-nodes",
        counted=False,
        why="three nodes around the clock at 30 % of the on-demand price",
    )


def _data(make: Maker) -> Iterator[Line]:
    aurora = make.platform.aurora
    acu = min(max(make.usage.aurora_acu, Decimal(str(aurora.minimum_acu))), Decimal(str(aurora.maximum_acu)))
    for role, count in (("writer", 1), ("reader", aurora.readers)):
        yield make.line(
            f"aurora-{role}",
            f"Aurora {role}",
            "Data",
            f"{count} at {acu:g} ACU on average ({aurora.minimum_acu:g}-{aurora.maximum_acu:g})",
            count * acu,
            price="aurora-acu",
            hours=True,
            document=f"aurora-{role}",
            counted=False,
            why="730 hours",
        )
    for name, cache in make.platform.caches.items():
        yield make.line(
            f"redis-{name}",
            f"Redis {name}",
            "Data",
            f"{cache.nodes} {cache.node_type}",
            cache.nodes,
            price=f"{cache.node_type} {make.platform.cache_engine}",
            hours=True,
            document=f"redis-{name}",
            why=f"list price of {make.platform.cache_engine.title()}",
        )


def _network(make: Maker) -> Iterator[Line]:
    count = make.platform.nat_gateways
    yield make.line("nat", "NAT gateway", "Network", f"{count}", count, price="nat-hour", hours=True, document="nat")
    yield make.line(
        "alb",
        "Load balancer",
        "Ingress",
        "one",
        1,
        price="alb-hour",
        hours=True,
        document="alb",
        why="its list price is 0.0225",
    )


def _storage(make: Maker) -> Iterator[Line]:
    usage = make.usage
    yield make.line(
        "efs",
        "EFS",
        "Data",
        "models and shared files",
        usage.efs_gb,
        price="efs-standard",
        document="efs",
        counted=False,
    )
    for key, service, size in (
        ("s3-dev", "S3 dev", usage.dev_images_gb),
        ("s3-prod", "S3 prod", usage.prod_images_gb),
        ("s3-models", "S3 models", usage.models_gb),
    ):
        yield make.line(
            key, service, "Storage", "all at Standard", size, price="s3-standard", document=key, counted=False
        )


def _rest(make: Maker) -> Iterator[Line]:
    usage, platform = make.usage, make.platform
    paid = max(usage.cdn_gb - usage.cdn_free_gb, Decimal(0))
    yield make.line(
        "cloudfront",
        "CloudFront",
        "Edge",
        f"{usage.cdn_gb:g} GB out, {usage.cdn_free_gb:g} GB of them free",
        paid,
        price="cloudfront-gb",
        document="cloudfront",
        counted=False,
        why="the first TB of a month is free",
    )
    yield make.line(
        "nat-traffic",
        "Data transfer",
        "Network",
        "through the NAT gateway",
        usage.nat_gb,
        price="nat-gb",
        document="data-transfer",
        counted=False,
    )
    yield make.line(
        "zone-traffic",
        "Data transfer",
        "Network",
        "between zones",
        usage.between_zones_gb,
        price="between-zones",
        document="data-transfer",
        counted=False,
    )
    yield make.line(
        "logs",
        "CloudWatch",
        "Observability",
        "logs",
        usage.logs_gb,
        price="logs-gb",
        document="cloudwatch",
        counted=False,
    )
    made = platform.secrets + platform.managed_secrets
    yield make.line(
        "secrets",
        "Secrets Manager",
        "Security",
        f"{platform.secrets} and {platform.managed_secrets} of RDS",
        made,
        price="secret",
        document="secrets",
        why=f"the platform has {made}",
    )
    yield make.line("ecr", "ECR", "Delivery", "images", usage.ecr_gb, price="ecr", document="ecr", counted=False)
