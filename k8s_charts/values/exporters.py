"""Exporters: GPUs by NVIDIA's DCGM, and what only CloudWatch measures."""

from collections.abc import Iterable

import yaml

from blueprint.buckets import BUCKETS
from blueprint.contract import bucket
from blueprint.data import AURORA, CACHES
from blueprint.finance import PROJECT_TAG
from blueprint.monitoring import CLOUDWATCH, PROMETHEUS
from blueprint.workloads import WORKLOADS
from k8s_charts.components.helm import Values, container_security, pod_security, resources
from k8s_charts.facts import Facts
from k8s_charts.values.scrapes import INTERVAL, TIMEOUT
from k8s_charts.values.sizes import MEMORY_FOLDER, placed, reads_the_node

GPU_FIELDS = {
    "DCGM_FI_DEV_GPU_UTIL": ("gauge", "GPU utilisation in per cent"),
    "DCGM_FI_DEV_MEM_COPY_UTIL": ("gauge", "Memory utilisation in per cent"),
    "DCGM_FI_DEV_FB_USED": ("gauge", "Memory used in MiB"),
    "DCGM_FI_DEV_FB_FREE": ("gauge", "Memory free in MiB"),
    "DCGM_FI_DEV_GPU_TEMP": ("gauge", "Temperature in degrees Celsius"),
    "DCGM_FI_DEV_POWER_USAGE": ("gauge", "Power in watts"),
    "DCGM_FI_DEV_XID_ERRORS": ("gauge", "The last XID error"),
}
"""Fields that a T4 and an A10G give to a process without SYS_ADMIN: profiling fields need it, and slow a GPU down."""


def dcgm() -> Values:
    """On GPU nodes only. It asks for no GPU, which would take one away; the runtime shows it all of them."""
    node = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    return {
        **placed("dcgm-exporter"),
        "resources": resources("dcgm-exporter"),
        "securityContext": reads_the_node(),
        "extraEnv": [
            {"name": "TMPDIR", "value": MEMORY_FOLDER},
            # In milliseconds. By itself it measures every thirty seconds: every second answer would be an old one.
            {"name": "DCGM_EXPORTER_INTERVAL", "value": f"{PROMETHEUS.scrape_seconds * 1000}"},
        ],
        "serviceMonitor": {"enabled": True, "interval": INTERVAL, "scrapeTimeout": TIMEOUT, "relabelings": [node]},
        "customMetrics": "".join(f"{name}, {kind}, {text}.\n" for name, (kind, text) in GPU_FIELDS.items()),
    }


def cloudwatch(facts: Facts) -> Values:
    """Aurora, both caches, the load balancer and the buckets. The rest is on CloudWatch's own dashboard."""
    account = WORKLOADS["cloudwatch-exporter"].service_account
    return {
        "fullnameOverride": "cloudwatch-exporter",
        **placed("cloudwatch-exporter"),
        "useStatefulSet": False,
        "testConnection": False,
        "resources": resources("cloudwatch-exporter"),
        "serviceAccount": {"create": True, "name": account, "automountServiceAccountToken": False},
        "podSecurityContext": pod_security(uid=65534),
        "securityContext": container_security(),
        "extraArgs": {"scraping-interval": CLOUDWATCH.scrape_seconds},
        "service": {"enabled": True},
        "serviceMonitor": {"enabled": True, "interval": "60s"},
        "config": yaml.safe_dump(jobs(facts), sort_keys=False),
    }


def jobs(facts: Facts) -> Values:
    """The exporter's own configuration: what has a fixed name is asked for by name, the load balancer by its tag."""
    balancer = {
        "type": "AWS/ApplicationELB",
        "regions": [facts.region],
        "searchTags": [{"key": PROJECT_TAG[0], "value": f"^{PROJECT_TAG[1]}$"}],
        "dimensionNameRequirements": ["LoadBalancer"],
        "metrics": [
            _metric("RequestCount", "Sum", zero=True),
            _metric("HTTPCode_Target_5XX_Count", "Sum", zero=True),
            _metric("HTTPCode_ELB_5XX_Count", "Sum", zero=True),
            _metric("TargetResponseTime", "p95"),
        ],
    }
    return {
        "apiVersion": "v1alpha1",
        "sts-region": facts.region,
        "discovery": {"jobs": [balancer]},
        "static": [*_aurora(facts), *_caches(facts), *_buckets(facts)],
    }


def _metric(name: str, *statistics: str, zero: bool = False, daily: bool = False) -> Values:
    return {
        "name": name,
        "statistics": list(statistics),
        "period": CLOUDWATCH.daily_period_seconds if daily else CLOUDWATCH.period_seconds,
        "length": CLOUDWATCH.daily_length_seconds if daily else CLOUDWATCH.length_seconds,
        **({"nilToZero": True} if zero else {}),
    }


def _static(facts: Facts, name: str, namespace: str, dimensions: dict[str, str], metrics: Iterable[Values]) -> Values:
    return {
        "name": name,
        "namespace": namespace,
        "regions": [facts.region],
        "dimensions": [{"name": key, "value": value} for key, value in dimensions.items()],
        "metrics": list(metrics),
    }


def _aurora(facts: Facts) -> list[Values]:
    measured = [
        _metric("CPUUtilization", "Average"),
        _metric("DatabaseConnections", "Maximum"),
        _metric("ServerlessDatabaseCapacity", "Average"),
    ]
    return [
        _static(
            facts,
            f"{AURORA.cluster}-{role.lower()}",
            "AWS/RDS",
            {"DBClusterIdentifier": AURORA.cluster, "Role": role},
            measured,
        )
        for role in ("WRITER", "READER")[: 1 + AURORA.readers]
    ]


def _caches(facts: Facts) -> list[Values]:
    measured = [
        _metric("CacheHits", "Sum", zero=True),
        _metric("CacheMisses", "Sum", zero=True),
        _metric("Evictions", "Sum", zero=True),
    ]
    return [
        _static(facts, member, "AWS/ElastiCache", {"CacheClusterId": member}, measured)
        for cache in CACHES.values()
        for member in cache.members
    ]


def _buckets(facts: Facts) -> list[Values]:
    """S3 measures once a day: sizes by storage class, and the number of objects."""
    made = []
    for one in BUCKETS:
        name = facts[bucket(one.name)]
        classes = ["IntelligentTieringFAStorage"] if one.intelligent_tiering else ["StandardStorage"]
        classes += ["StandardIAStorage"] if one.infrequent_access_after else []
        classes += ["GlacierInstantRetrievalStorage"] if one.glacier_after else []
        made += [
            _static(
                facts,
                one.name,
                "AWS/S3",
                {"BucketName": name, "StorageType": kind},
                [_metric("BucketSizeBytes", "Average", daily=True)],
            )
            for kind in classes
        ]
        made.append(
            _static(
                facts,
                one.name,
                "AWS/S3",
                {"BucketName": name, "StorageType": "AllStorageTypes"},
                [_metric("NumberOfObjects", "Average", daily=True)],
            )
        )
    return made
