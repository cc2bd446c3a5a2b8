"""Infrastructure: nodes, GPUs, namespaces, the API, and what AWS measures of the database, the caches and the rest."""

from blueprint.buckets import BUCKETS
from blueprint.data import AURORA, CACHES
from blueprint.monitoring import NAMESPACE
from k8s_charts.dashboards.board import ENVIRONMENT, Board, Panel, Query, Row, quantiles

_OF = ENVIRONMENT
_IN = 'namespace=~"$environment"'
_SERVICES = f'{_OF}, service=~".+-service"'
_CACHE = "|".join(cache.name for cache in CACHES.values())
_AURORA = f'dimension_DBClusterIdentifier="{AURORA.cluster}"'
_ERRORS = (
    f'100 * sum by (service) (rate(http_requests_total{{{_SERVICES}, status=~"5.."}}[5m]))'
    f" / (sum by (service) (rate(http_requests_total{{{_SERVICES}}}[5m])) > 0)"
)


def _cache(metric: str) -> str:
    return f'sum by (dimension_CacheClusterId) ({metric}{{dimension_CacheClusterId=~"({_CACHE})-.+"}})'


def _disk(metric: str) -> str:
    return f'max by (persistentvolumeclaim) ({metric}{{namespace="{NAMESPACE}"}})'


BOARD = Board(
    name="infrastructure",
    title="Infrastructure",
    rows=(
        Row(
            "Nodes",
            (
                Panel(
                    title="CPU of each node",
                    queries=[
                        Query('100 * (1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[5m])))', "{{node}}")
                    ],
                    unit="percent",
                    maximum=100,
                    alarm="node-cpu",
                ),
                Panel(
                    title="Memory of each node",
                    queries=[
                        Query(
                            "100 * (1 - max by (node) (node_memory_MemAvailable_bytes)"
                            " / max by (node) (node_memory_MemTotal_bytes))",
                            "{{node}}",
                        )
                    ],
                    unit="percent",
                    maximum=100,
                    alarm="node-memory",
                ),
                Panel(
                    title="Nodes",
                    queries=[
                        Query("count(kube_node_info)", "all"),
                        Query('sum(kube_node_status_condition{condition="Ready", status="true"})', "ready"),
                        Query('sum(kube_node_status_capacity{resource="nvidia_com_gpu"})', "GPUs"),
                    ],
                ),
            ),
        ),
        Row(
            "GPUs",
            (
                Panel(
                    title="Utilisation",
                    queries=[Query("max by (node, gpu) (DCGM_FI_DEV_GPU_UTIL)", "{{node}} {{gpu}}")],
                    unit="percent",
                    maximum=100,
                ),
                Panel(
                    title="Memory used",
                    queries=[Query("max by (node, gpu) (DCGM_FI_DEV_FB_USED)", "{{node}} {{gpu}}")],
                    unit="mbytes",
                ),
                Panel(
                    title="Temperature",
                    queries=[Query("max by (node, gpu) (DCGM_FI_DEV_GPU_TEMP)", "{{node}} {{gpu}}")],
                    unit="celsius",
                ),
            ),
        ),
        Row(
            "Namespaces",
            (
                Panel(
                    title="Quotas",
                    queries=[
                        Query(
                            f'100 * max by (namespace, resource) (kube_resourcequota{{{_IN}, type="used"}})'
                            f' / (max by (namespace, resource) (kube_resourcequota{{{_IN}, type="hard"}}) > 0)',
                            "{{namespace}} {{resource}}",
                        )
                    ],
                    unit="percent",
                    maximum=100,
                    alarm="quota-prod",
                ),
                Panel(
                    title="Pods by phase",
                    queries=[
                        Query(
                            f"sum by (namespace, phase) (kube_pod_status_phase{{{_IN}}}) > 0", "{{namespace}} {{phase}}"
                        )
                    ],
                ),
                Panel(
                    title="Restarts in ten minutes",
                    queries=[
                        Query(
                            "round(max by (namespace, pod, container)"
                            " (increase(kube_pod_container_status_restarts_total[10m]))) > 0",
                            "{{namespace}}/{{pod}} {{container}}",
                        )
                    ],
                    alarm="pod-restarts",
                ),
            ),
        ),
        Row(
            "API",
            (
                Panel(
                    title="Time to the answer", queries=quantiles("http_request_duration_seconds", _SERVICES), unit="s"
                ),
                Panel(
                    title="P95 by service",
                    queries=[quantiles("http_request_duration_seconds", _SERVICES, by="service")[1]],
                    unit="s",
                ),
                Panel(
                    title="Requests by service",
                    queries=[Query(f"sum by (service) (rate(http_requests_total{{{_SERVICES}}}[5m]))", "{{service}}")],
                    unit="reqps",
                    stacked=True,
                ),
                Panel(
                    title="Errors by service",
                    queries=[Query(_ERRORS, "{{service}}")],
                    unit="percent",
                    alarm="api-errors",
                    text="5xx in per cent of all.",
                ),
            ),
        ),
        Row(
            "Aurora and Redis, by CloudWatch",
            (
                Panel(
                    title="Aurora: CPU",
                    queries=[
                        Query(
                            f"max by (dimension_Role) (aws_rds_cpuutilization_average{{{_AURORA}}})",
                            "{{dimension_Role}}",
                        )
                    ],
                    unit="percent",
                    maximum=100,
                    alarm="aurora-cpu",
                ),
                Panel(
                    title="Aurora: connections",
                    queries=[
                        Query(
                            f"max by (dimension_Role) (aws_rds_database_connections_maximum{{{_AURORA}}})",
                            "{{dimension_Role}}",
                        )
                    ],
                ),
                Panel(
                    title="Redis: hit rate",
                    queries=[
                        Query(
                            f"100 * {_cache('aws_elasticache_cache_hits_sum')}"
                            f" / ({_cache('aws_elasticache_cache_hits_sum')}"
                            f" + {_cache('aws_elasticache_cache_misses_sum')} > 0)",
                            "{{dimension_CacheClusterId}}",
                        )
                    ],
                    unit="percent",
                    maximum=100,
                ),
                Panel(
                    title="Redis: evictions",
                    queries=[Query(_cache("aws_elasticache_evictions_sum"), "{{dimension_CacheClusterId}}")],
                    alarm="redis-evictions",
                ),
            ),
        ),
        Row(
            "Load balancer, buckets, disks",
            (
                Panel(
                    title="Load balancer: requests in five minutes",
                    queries=[
                        Query("sum(aws_applicationelb_request_count_sum)", "requests"),
                        Query("sum(aws_applicationelb_httpcode_target_5_xx_count_sum)", "5xx of services"),
                        Query("sum(aws_applicationelb_httpcode_elb_5_xx_count_sum)", "5xx of its own"),
                    ],
                ),
                Panel(
                    title="Buckets",
                    queries=[
                        Query(
                            "sum by (name) (aws_s3_bucket_size_bytes_average"
                            f'{{name=~"{"|".join(one.name for one in BUCKETS)}"}})',
                            "{{name}}",
                        )
                    ],
                    unit="bytes",
                    stacked=True,
                ),
                Panel(
                    title="Prometheus' disk",
                    queries=[
                        Query(_disk("kubelet_volume_stats_used_bytes"), "used {{persistentvolumeclaim}}"),
                        Query(_disk("kubelet_volume_stats_capacity_bytes"), "of {{persistentvolumeclaim}}"),
                    ],
                    unit="bytes",
                ),
            ),
        ),
    ),
)
