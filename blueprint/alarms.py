"""Every alarm: what is measured, when it is too much, who watches it and who hears it. Seconds.

A row of the platform's alarm table each (`row` cites it), and the few that an operator needs besides (`row` is empty).
`owner` is who watches: CloudWatch (stacks/components/alarms.py) sees what AWS measures, Prometheus (the Kubernetes
layer's rules) what only the cluster knows. Each alarm has exactly one owner, and nobody reads a metric that nobody
publishes: without an agent CloudWatch knows neither a node's memory nor a quota, a pod or the queue.
"""

from types import MappingProxyType

from blueprint.alarm import Alarm
from blueprint.cluster import GPU
from blueprint.notices import NOTICES

MINUTE = 60
GIB = 1024**3

_SECTION_4 = (
    Alarm(
        name="aurora-cpu",
        row="Aurora CPU > 90 % 5 min",
        severity="critical",
        owner="cloudwatch",
        namespace="AWS/RDS",
        metric="CPUUtilization",
        threshold=90,
        evaluation=5 * MINUTE,
        reason="the writer or the reader has no processor time left at its present capacity",
    ),
    Alarm(
        name="redis-replication-lag",
        row="Redis replication lag > 5 s 2 min",
        severity="critical",
        owner="cloudwatch",
        namespace="AWS/ElastiCache",
        metric="ReplicationLag",
        statistic="Maximum",
        threshold=5,
        evaluation=2 * MINUTE,
        reason="a failover now would lose this many seconds of sessions and of the queue",
    ),
    Alarm(
        name="api-5xx",
        row="API 5xx > 5 % 3 min",
        severity="critical",
        owner="cloudwatch",
        namespace="AWS/ApplicationELB",
        metric="HTTPCode_Target_5XX_Count",
        statistic="Sum",
        threshold=5,
        evaluation=3 * MINUTE,
        least=5,
        reason="services answer with errors, in per cent of an environment's requests",
    ),
    Alarm(
        name="gpu-spot-interruption",
        row="GPU Spot interruption at once",
        severity="critical",
        owner="cloudwatch",
        namespace="Pingvas/Spot",
        metric="GpuInterruptions",
        statistic="Sum",
        period=10,
        evaluation=MINUTE,
        enough=1,
        reason="EC2 takes a GPU node back in two minutes; the event itself names neither GPU nor cluster, so a "
        "function asks what the instance is and counts",
    ),
    Alarm(
        name="quota-dev",
        row="dev quota > 90 % 10 min",
        severity="warning",
        owner="prometheus",
        metric="kube_resourcequota",
        statistic="Maximum",
        threshold=90,
        evaluation=10 * MINUTE,
        reason="used in per cent of hard, any resource of the namespace",
    ),
    Alarm(
        name="quota-prod",
        row="prod quota > 80 % 5 min",
        severity="warning",
        owner="prometheus",
        metric="kube_resourcequota",
        statistic="Maximum",
        threshold=80,
        evaluation=5 * MINUTE,
        reason="used in per cent of hard, any resource of the namespace",
    ),
    Alarm(
        name="queue-length",
        row="queue length > 100 15 min",
        severity="warning",
        owner="prometheus",
        metric="queue_length",
        statistic="Minimum",
        threshold=100,
        evaluation=15 * MINUTE,
        reason="more work comes than the GPUs of an environment do",
    ),
    Alarm(
        name="pod-restarts",
        row="pod restarts > 5 in 10 min",
        severity="warning",
        owner="prometheus",
        metric="kube_pod_container_status_restarts_total",
        statistic="Sum",
        threshold=5,
        period=10 * MINUTE,
        evaluation=10 * MINUTE,
        reason="a container starts, fails and starts again",
    ),
    Alarm(
        name="node-cpu",
        row="node CPU > 80 % 5 min",
        severity="warning",
        owner="prometheus",
        metric="node_cpu_seconds_total",
        threshold=80,
        evaluation=5 * MINUTE,
        reason="CloudWatch has it by instance alone, and Karpenter's instances come and go",
    ),
    Alarm(
        name="node-memory",
        row="node memory > 85 % 5 min",
        severity="warning",
        owner="prometheus",
        metric="node_memory_MemAvailable_bytes",
        threshold=85,
        evaluation=5 * MINUTE,
        reason="used, in per cent of the node; EC2 does not measure it",
    ),
    Alarm(
        name="api-errors",
        row="API errors > 1 % 1 min",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/ApplicationELB",
        metric="HTTPCode_Target_5XX_Count",
        statistic="Sum",
        threshold=1,
        evaluation=MINUTE,
        least=3,
        reason="the first sign of what api-5xx says later; a 4xx is its client's error and not counted",
    ),
    Alarm(
        name="queue-wait",
        row="queue wait > 60 s",
        severity="warning",
        owner="prometheus",
        metric="generation_queue_wait_seconds",
        statistic="p95",
        threshold=60,
        period=5 * MINUTE,
        evaluation=5 * MINUTE,
        reason="19 of 20 jobs should be with a worker within a minute; a cold GPU node takes longer, and says so here",
    ),
    Alarm(
        name="daily-cost-report",
        row="daily cost report 09:00",
        severity="info",
        owner="cloudwatch",
        signal="schedule",
        metric="09:00",
        reason="what the platform cost, by service and by environment",
    ),
    Alarm(
        name="backup-completion",
        row="backup completion",
        severity="info",
        owner="cloudwatch",
        signal="event",
        namespace="aws.backup",
        metric="Backup Job State Change",
        reason="a day without this letter is a day without a backup",
    ),
    Alarm(
        name="security-scan",
        row="security scan results",
        severity="info",
        owner="cloudwatch",
        signal="event",
        namespace="aws.ecr",
        metric="ECR Image Scan",
        reason="critical and high findings in an image, or a scan that failed; an image without them sends nothing",
    ),
)

_OPERATION = (
    Alarm(
        name="api-load-balancer-5xx",
        severity="critical",
        owner="cloudwatch",
        namespace="AWS/ApplicationELB",
        metric="HTTPCode_ELB_5XX_Count",
        statistic="Sum",
        threshold=5,
        evaluation=3 * MINUTE,
        least=5,
        reason="its own 502, 503 and 504 are no target's 5xx: api-5xx is silent when no pod answers",
    ),
    Alarm(
        name="api-no-healthy-target",
        severity="critical",
        owner="cloudwatch",
        namespace="AWS/ApplicationELB",
        metric="HealthyHostCount",
        statistic="Maximum",
        threshold=1,
        comparison="LessThanThreshold",
        evaluation=5 * MINUTE,
        missing="breaching",
        reason="a service has no pod that answers, however few requests come; also before the services are deployed",
    ),
    Alarm(
        name="aurora-capacity",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/RDS",
        metric="ACUUtilization",
        threshold=90,
        evaluation=15 * MINUTE,
        reason="Aurora cannot grow further: raise aurora_max_acu before it is slow",
    ),
    Alarm(
        name="aurora-connections",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/RDS",
        metric="DatabaseConnections",
        statistic="Maximum",
        evaluation=5 * MINUTE,
        reason="four fifths of what PostgreSQL lets in at the largest capacity; the threshold follows aurora_max_acu",
    ),
    Alarm(
        name="aurora-local-storage",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/RDS",
        metric="FreeLocalStorage",
        statistic="Minimum",
        threshold=2 * GIB,
        comparison="LessThanThreshold",
        evaluation=5 * MINUTE,
        reason="sorts and temporary tables fail when an instance's own disk is full",
    ),
    Alarm(
        name="redis-memory",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/ElastiCache",
        metric="DatabaseMemoryUsagePercentage",
        statistic="Maximum",
        threshold=80,
        evaluation=5 * MINUTE,
        reason="with noeviction a full Redis refuses writes, and the queue stops",
    ),
    Alarm(
        name="redis-cpu",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/ElastiCache",
        metric="EngineCPUUtilization",
        statistic="Maximum",
        threshold=80,
        evaluation=5 * MINUTE,
        reason="Redis runs commands on one core, which EngineCPUUtilization measures",
    ),
    Alarm(
        name="redis-evictions",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/ElastiCache",
        metric="Evictions",
        statistic="Sum",
        period=5 * MINUTE,
        evaluation=5 * MINUTE,
        reason="cannot happen under noeviction: somebody changed the policy, and jobs are being lost",
    ),
    Alarm(
        name="efs-io",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/EFS",
        metric="PercentIOLimit",
        statistic="Maximum",
        threshold=90,
        evaluation=15 * MINUTE,
        reason="models load slowly at the limit of the general purpose mode",
    ),
    Alarm(
        name="nat-ports",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/NATGateway",
        metric="ErrorPortAllocation",
        statistic="Sum",
        period=5 * MINUTE,
        evaluation=5 * MINUTE,
        reason="connections out of the VPC fail for want of ports",
    ),
    Alarm(
        name="cdn-5xx",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/CloudFront",
        metric="5xxErrorRate",
        threshold=5,
        evaluation=5 * MINUTE,
        reason="viewers see errors, also those of the edge and of the buckets; its metric lives in us-east-1 alone",
    ),
    Alarm(
        name="karpenter-queue",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/SQS",
        metric="ApproximateAgeOfOldestMessage",
        statistic="Maximum",
        threshold=120,
        evaluation=3 * MINUTE,
        reason="nobody reads Spot warnings, so nodes end without being drained",
    ),
    Alarm(
        name="dead-letters",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        statistic="Maximum",
        evaluation=MINUTE,
        reason="a notice or a report could not be delivered; it lies in the queue",
    ),
    Alarm(
        name="function-errors",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/Lambda",
        metric="Errors",
        statistic="Sum",
        period=5 * MINUTE,
        evaluation=5 * MINUTE,
        reason="the cost report, the Spot notice or a rotation of the origin header failed; the log says why",
    ),
    Alarm(
        name="undelivered",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/SNS",
        metric="NumberOfNotificationsFailed",
        statistic="Sum",
        period=5 * MINUTE,
        evaluation=5 * MINUTE,
        reason="PagerDuty, Slack or a mailbox refuses what is sent to it",
    ),
)

_CLUSTER = (
    Alarm(
        name="prometheus-silent",
        severity="warning",
        owner="cloudwatch",
        namespace="AWS/SNS",
        metric="NumberOfMessagesPublished",
        statistic="Sum",
        threshold=1,
        comparison="LessThanThreshold",
        period=5 * MINUTE,
        evaluation=15 * MINUTE,
        missing="breaching",
        reason="Prometheus or Alertmanager gives no sign of life, and their alarms none either; also before they run",
    ),
    Alarm(
        name="workers-missing",
        severity="critical",
        owner="prometheus",
        metric="queue_length",
        threshold=0,
        evaluation=20 * MINUTE,
        reason="jobs wait and no worker answers, for longer than a cold GPU node takes: no picture is made at all",
    ),
    Alarm(
        name="gpu-idle",
        severity="warning",
        owner="prometheus",
        metric="DCGM_FI_DEV_GPU_UTIL",
        threshold=1,
        comparison="LessThanThreshold",
        evaluation=30 * MINUTE,
        reason="a GPU is paid for and computes nothing: nodes are not being taken back",
    ),
    Alarm(
        name="metrics-missing",
        severity="warning",
        owner="prometheus",
        metric="up",
        threshold=1,
        comparison="LessThanThreshold",
        evaluation=5 * MINUTE,
        reason="something that should answer Prometheus does not: what it would have said raises no alarm",
    ),
)

_AUDIT = (
    Alarm(
        name="root-use",
        severity="critical",
        owner="cloudwatch",
        namespace="Pingvas/Audit",
        metric="RootUse",
        statistic="Sum",
        resolves=False,
        reason="somebody used the account's root user; the audit trail's log group says who, where and what for",
    ),
)
ROOT_USE = '{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }'
"""What counts as use of the root user, in any region, as CloudWatch Logs filters the audit trail (CIS AWS Foundations
Benchmark 4.3). An EventBridge rule would see the sign-ins of one region alone."""

_EVENTS = tuple(
    Alarm(
        name=notice.name,
        severity=notice.severity,
        owner="cloudwatch",
        namespace="AWS/Events",
        metric="TriggeredRules",
        statistic="Sum",
        resolves=False,
        reason=f"{notice.title}. The event's own message says more; this alarm is what PagerDuty understands",
    )
    for notice in NOTICES.values()
    if notice.severity == "critical"
)
ALARMS: MappingProxyType[str, Alarm] = MappingProxyType(
    {alarm.name: alarm for alarm in (*_SECTION_4, *_OPERATION, *_CLUSTER, *_AUDIT, *_EVENTS)}
)

SPOT_WARNING = "EC2 Spot Instance Interruption Warning"
GPU_FAMILIES = tuple(sorted({one.name.split(".")[0] for one in GPU.types}))
"""Instance families of the GPU pool; a Spot warning for another of the nodes is Karpenter's business alone."""
MAX_CONNECTIONS_BYTES = 9_531_392
"""Aurora PostgreSQL lets in DBInstanceClassMemory / 9531392 connections (its default parameter group); an Aurora
capacity unit has 2 GiB, of which PostgreSQL sees about nine tenths: 4 units let 823 in."""


MAX_CONNECTIONS_OF_SMALL = 2_000
"""However large it may grow, a cluster whose minimum is 0.5 units or less lets no more in (Aurora user guide, "Maximum
connections for Aurora Serverless v2")."""


def admitted(*, minimum: float, maximum: float) -> int:
    """The connections that Aurora PostgreSQL lets in between two capacities, in Aurora capacity units.

    >>> admitted(minimum=0.5, maximum=4), admitted(minimum=0.5, maximum=64)
    (811, 2000)
    """
    most = 0.9 * maximum * 2 * GIB / MAX_CONNECTIONS_BYTES
    return int(min(most, MAX_CONNECTIONS_OF_SMALL) if minimum <= 0.5 else most)


def connections(*, minimum: float, maximum: float) -> int:
    """Four fifths of them.

    >>> connections(minimum=0.5, maximum=4), connections(minimum=0.5, maximum=64)
    (648, 1600)
    """
    return int(0.8 * admitted(minimum=minimum, maximum=maximum))
