"""The CloudWatch dashboard `pingvas-studio`, written as JSON in one piece.

Everything on it is published by AWS itself, by the functions of this stack, or found in the containers' logs; the two
graphs that need an agent on the nodes say so in their titles.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from blueprint.alarms import ALARMS
from blueprint.cluster import CONTAINER_LOG_GROUP
from blueprint.cluster import NAME as CLUSTER
from blueprint.data import AURORA, CACHES
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.finance import BUDGET
from blueprint.notices import RUNBOOK
from blueprint.regions import GLOBAL_REGION
from blueprint.services import SERVICES
from stacks.components.widgets import PERCENT, Graphs, Grid, Metric, alarm_states, limits_of, markdown

NAME = "pingvas-studio"
AGENT = "Container Insights; Grafana has it without"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What only a deployment names."""

    region: str
    load_balancer: str
    target_groups: Mapping[tuple[str, str], str]
    """Full names by (environment, service)."""
    file_system: str
    distributions: Mapping[str, str]
    alarms: Sequence[str]
    maximum_acu: float
    connections: int
    runbook: str


class Dashboard(Construct):
    """The dashboard of one region."""

    def __init__(self, scope: Construct, id_: str, *, watched: Watched) -> None:
        super().__init__(scope, id_)
        cloudwatch.CfnDashboard(
            self, "Dashboard", dashboard_name=NAME, dashboard_body=json.dumps(body(watched), separators=(",", ":"))
        )


def body(watched: Watched) -> dict[str, Any]:
    """The dashboard as CloudWatch reads it ("Dashboard body structure and syntax")."""
    grid = Grid()
    grid.row([markdown(_head(watched.runbook))], height=3)
    arn = f"arn:{Aws.PARTITION}:cloudwatch:{watched.region}:{Aws.ACCOUNT_ID}:alarm:"
    grid.row([alarm_states([f"{arn}{name}" for name in watched.alarms])], height=5)
    graph = Graphs(watched.region)
    grid.title("Nodes and GPUs")
    grid.row(_nodes(graph))
    for environment in CLUSTER_ENVIRONMENTS:
        grid.title(f"API and queue of {environment.name}")
        for row in _api(graph, watched, environment.name):
            grid.row(row)
    grid.title("Aurora")
    grid.row(_aurora(graph, watched))
    grid.title("Redis")
    grid.row(_redis(graph))
    grid.title("Files, edge and cost")
    grid.row(_rest(graph, watched))
    return {"start": "-PT6H", "periodOverride": "inherit", "widgets": grid.widgets}


def _head(runbook: str) -> str:
    return (
        f"# Pingvas Studio\nWhat an alarm means and what to do first: [{RUNBOOK}]({runbook}). "
        "Node memory and GPU utilisation need the CloudWatch agent (EKS add-on `amazon-cloudwatch-observability`); "
        "Prometheus has both, and pods, quotas and the queue's length, without it: Grafana, dashboards Generation, "
        "Infrastructure and Business."
    )


def _nodes(graph: Graphs) -> list[dict[str, Any]]:
    insights = "ContainerInsights"
    spot = ALARMS["gpu-spot-interruption"]
    found = "SEARCH('{AWS/EC2,InstanceId} MetricName=\"CPUUtilization\"', 'Average')"
    return [
        graph(
            "Node CPU %, every instance of the account",
            [[{"expression": found, "id": "nodes", "label": ""}]],
            period=300,
            limits=limits_of("node-cpu"),
            axis=PERCENT,
        ),
        graph(
            f"Node memory % ({AGENT})",
            [
                [insights, "node_memory_utilization", "ClusterName", CLUSTER, {"label": "mean"}],
                [insights, "node_memory_utilization", "ClusterName", CLUSTER, {"label": "fullest", "stat": "Maximum"}],
            ],
            limits=limits_of("node-memory"),
            axis=PERCENT,
        ),
        graph(
            f"GPU utilisation % ({AGENT})",
            [[insights, "node_gpu_utilization", "ClusterName", CLUSTER, {"label": "mean of the GPUs"}]],
            axis=PERCENT,
        ),
        graph(
            "Spot interruptions of GPU nodes",
            [[spot.namespace, spot.metric, "Cluster", CLUSTER, {"label": "interruptions"}]],
            stat="Sum",
            period=300,
        ),
    ]


def _api(graph: Graphs, watched: Watched, environment: str) -> list[list[dict[str, Any]]]:
    namespace = "AWS/ApplicationELB"

    def of(metric: str, service: str, **more: Any) -> Metric:
        group = watched.target_groups[environment, service]
        place = ["TargetGroup", group, "LoadBalancer", watched.load_balancer]
        return [namespace, metric, *place, {"label": service, **more}]

    def each(metric: str) -> list[Metric]:
        return [of(metric, service) for service in SERVICES]

    hidden = [
        of(metric, service, id=f"{id_}{number}", visible=False)
        for id_, metric in (("errors", ALARMS["api-5xx"].metric), ("total", "RequestCount"))
        for number, service in enumerate(SERVICES)
    ]
    errors, total = ('SUM(FILL(METRICS("errors"), 0))', 'SUM(FILL(METRICS("total"), 0))')
    rate: Metric = [{"expression": f"100 * {errors} / IF({total} > 0, {total}, 1)", "id": "rate", "label": "5xx %"}]
    waited = r'parse @message /"waited\\*"\s*:\s*(?<waited>[0-9.]+)/'
    return [
        [
            graph(f"API P{one} in seconds ({environment})", each("TargetResponseTime"), stat=f"p{one}")
            for one in (50, 95, 99)
        ],
        [
            graph(f"Requests a minute ({environment})", each("RequestCount"), stat="Sum", stacked=True),
            graph(
                f"Error rate % ({environment})", [rate, *hidden], stat="Sum", limits=limits_of("api-errors", "api-5xx")
            ),
            graph(f"Healthy pods ({environment})", each("HealthyHostCount"), stat="Maximum"),
            graph.logs(
                f"Queue wait in seconds ({environment})",
                CONTAINER_LOG_GROUP,
                f"filter kubernetes.namespace_name = '{environment}' and @message like /attempt ended/",
                waited,
                "stats pct(waited, 50) as p50, pct(waited, 95) as p95, max(waited) as longest by bin(5m)",
            ),
        ],
    ]


def _aurora(graph: Graphs, watched: Watched) -> list[dict[str, Any]]:
    def roles(metric: str) -> list[Metric]:
        place = ["AWS/RDS", metric, "DBClusterIdentifier", AURORA.cluster, "Role"]
        return [[*place, role.upper(), {"label": role}] for role in ("writer", "reader")]

    return [
        graph("Aurora capacity in ACU", roles("ServerlessDatabaseCapacity"), limits={"maximum": watched.maximum_acu}),
        graph("Aurora CPU %", roles("CPUUtilization"), limits=limits_of("aurora-cpu"), axis=PERCENT),
        graph(
            "Aurora connections",
            roles("DatabaseConnections"),
            stat="Maximum",
            limits={"aurora-connections (warning)": watched.connections},
        ),
    ]


def _redis(graph: Graphs) -> list[dict[str, Any]]:
    def nodes(metric: str) -> list[Metric]:
        members = [member for cache in CACHES.values() for member in cache.members]
        return [["AWS/ElastiCache", metric, "CacheClusterId", member, {"label": member}] for member in members]

    return [
        graph("Redis memory %", nodes("DatabaseMemoryUsagePercentage"), limits=limits_of("redis-memory"), axis=PERCENT),
        graph("Redis CPU %", nodes("EngineCPUUtilization"), limits=limits_of("redis-cpu"), axis=PERCENT),
        graph(
            "Redis replication lag in seconds",
            nodes("ReplicationLag"),
            stat="Maximum",
            limits=limits_of("redis-replication-lag"),
        ),
        graph("Redis connections", nodes("CurrConnections"), stat="Maximum"),
    ]


def _rest(graph: Graphs, watched: Watched) -> list[dict[str, Any]]:
    files = ["AWS/EFS", "PercentIOLimit", "FileSystemId", watched.file_system, {"label": "I/O limit %"}]
    widgets = [graph("EFS, per cent of its I/O limit", [files], limits=limits_of("efs-io"), axis=PERCENT)]
    if watched.distributions:

        def edge(metric: str) -> list[Metric]:
            return [
                ["AWS/CloudFront", metric, "DistributionId", one, "Region", "Global", {"label": environment}]
                for environment, one in watched.distributions.items()
            ]

        widgets += [
            graph("CloudFront requests a minute", edge("Requests"), stat="Sum", region=GLOBAL_REGION),
            graph("CloudFront 5xx %", edge("5xxErrorRate"), limits=limits_of("cdn-5xx"), region=GLOBAL_REGION),
        ]
    bill: Metric = ["AWS/Billing", "EstimatedCharges", "Currency", "USD", {"label": "this month"}]
    return [
        *widgets,
        graph(
            "Cost of this month in dollars (billing alerts switched on)",
            [bill],
            stat="Maximum",
            period=6 * 3600,
            limits={"budget": BUDGET.amounts[watched.region]},
            region=GLOBAL_REGION,
        ),
    ]
