"""What an operator needs beside the table of the cluster: workers, GPUs, and that Prometheus lives. Seconds."""

from blueprint.alarm import MINUTE, Alarm

CLUSTER = (
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
