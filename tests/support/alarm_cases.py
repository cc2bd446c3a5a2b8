"""When the alarms of Prometheus fire, case by case: what is measured, and what is told at which time."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Case:
    """Series as promtool writes them, a sample each 15 s, and what fires `at` that time: labels and the summary.

    `every` is how often rules are evaluated.
    """

    what: str
    alarm: str
    series: dict[str, str]
    at: str
    fires: dict[str, str] | None = None
    summary: str = ""
    every: str = "15s"


def quota(namespace: str, used: float, hard: float) -> dict[str, str]:
    of = f'kube_resourcequota{{namespace="{namespace}",resource="requests.cpu",resourcequota="quota"'
    return {f'{of},type="used"}}': f"{used}x80", f'{of},type="hard"}}': f"{hard}x80"}


def queue(*replicas: str, environment: str = "prod") -> dict[str, str]:
    return {
        f'queue_length{{environment="{environment}",service="generation-service",pod="g-{number}"}}': values
        for number, values in enumerate(replicas)
    }


def waits(*buckets: str, pod: str = "w") -> dict[str, str]:
    """Values of the buckets up to 30 s, 60 s, 120 s and of all."""
    of = f'generation_queue_wait_seconds_bucket{{environment="prod",service="gpu-worker",pod="{pod}"'
    return {f'{of},le="{le}"}}': values for le, values in zip(("30.0", "60.0", "120.0", "+Inf"), buckets, strict=True)}


def restarts(steps: int) -> dict[str, str]:
    of = 'kube_pod_container_status_restarts_total{namespace="dev",pod="p",container="c",uid="1"}'
    return {of: " ".join([f"{step}x4" for step in range(steps)] + [f"{steps}x60"])}


def idle(seconds: float) -> dict[str, str]:
    """CPU seconds that one of a node's cores was idle in each 15 s; the other core the same."""
    return {f'node_cpu_seconds_total{{node="n1",cpu="{cpu}",mode="idle"}}': f"0+{seconds}x60" for cpu in (0, 1)}


def memory(available: int) -> dict[str, str]:
    return {
        'node_memory_MemAvailable_bytes{node="n1",instance="1"}': f"{available}x60",
        'node_memory_MemTotal_bytes{node="n1",instance="1"}': "100x60",
    }


def application(name: str, to: str, *, sync: str = "Synced", health: str = "Healthy", auto: str = "true") -> str:
    """As the application controller tells it and Prometheus keeps it."""
    labels = {
        "name": name,
        "dest_namespace": to,
        "sync_status": sync,
        "health_status": health,
        "autosync_enabled": auto,
        "namespace": "argocd",
        "exported_namespace": "argocd",
    }
    told = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"argocd_app_info{{{told}}}"


def secret(status: str) -> str:
    labels = f'condition="Ready",status="{status}",name="user-service",exported_namespace="prod"'
    return f'externalsecret_status_condition{{{labels},namespace="external-secrets"}}'


GPU = 'DCGM_FI_DEV_GPU_UTIL{node="n1",gpu="0",UUID="u"}'
WORKER = 'up{environment="prod",service="gpu-worker",namespace="prod",job="gpu-worker",pod="w"}'
TARGET = 'up{namespace="prod",job="user-service",pod="u-1"}'
CPU_OF_DEV = {"namespace": "dev", "resource": "requests.cpu", "environment": "dev"}
CASES = (
    Case(
        what="dev above 90 % for ten minutes",
        alarm="quota-dev",
        series=quota("dev", 18.2, 20),
        at="10m",
        fires={"severity": "warning", **CPU_OF_DEV},
        summary="requests.cpu of dev: 91 % of the quota is used",
    ),
    Case(what="dev above 90 %, not yet ten minutes", alarm="quota-dev", series=quota("dev", 18.2, 20), at="9m45s"),
    Case(what="dev at exactly 90 %", alarm="quota-dev", series=quota("dev", 18, 20), at="15m"),
    Case(what="a quota of nothing, all of it used", alarm="quota-dev", series=quota("dev", 0, 0), at="15m"),
    Case(what="prod is not dev", alarm="quota-dev", series=quota("prod", 50, 50), at="15m"),
    Case(
        what="prod above 80 % for five minutes",
        alarm="quota-prod",
        series=quota("prod", 41, 50),
        at="5m",
        fires={"severity": "warning", "namespace": "prod", "resource": "requests.cpu", "environment": "prod"},
        summary="requests.cpu of prod: 82 % of the quota is used",
    ),
    Case(what="prod at exactly 80 %", alarm="quota-prod", series=quota("prod", 40, 50), at="15m"),
    Case(
        what="101 jobs for a quarter of an hour, as either replica says",
        alarm="queue-length",
        series=queue("101x80", "101x80"),
        at="15m",
        fires={"severity": "warning", "environment": "prod"},
        summary="101 jobs of prod wait for a worker",
    ),
    Case(what="exactly 100 jobs", alarm="queue-length", series=queue("100x80"), at="20m"),
    Case(what="101 jobs, once fewer", alarm="queue-length", series=queue("101x40 99 101x40"), at="15m"),
    Case(
        what="six of a hundred jobs wait longer than a minute",
        alarm="queue-wait",
        series=waits("0+90x60", "0+94x60", "0+100x60", "0+100x60"),
        at="10m",
        fires={"severity": "warning", "environment": "prod"},
        summary="one job of prod in twenty waited 70 s or more for a worker",
    ),
    Case(
        what="four of a hundred jobs wait longer than a minute",
        alarm="queue-wait",
        series=waits("0+90x60", "0+96x60", "0+100x60", "0+100x60"),
        at="10m",
    ),
    Case(
        what="the one job of a worker that has just started waited for its cold node",
        alarm="queue-wait",
        series=waits("_x36 0x10", "_x36 0x10", "_x36 1x10", "_x36 1x10"),
        at="10m",
        fires={"severity": "warning", "environment": "prod"},
        summary="one job of prod in twenty waited 117 s or more for a worker",
    ),
    Case(
        what="long waits of yesterday",
        alarm="queue-wait",
        series=waits("0x60", "0x60", "50x60", "50x60"),
        at="10m",
    ),
    Case(
        what="jobs of prod wait twenty minutes and nobody answers",
        alarm="workers-missing",
        series={**queue("3x100"), WORKER: "0x100"},
        at="20m",
        fires={"severity": "critical", "environment": "prod"},
        summary="3 jobs of prod wait and no worker answers",
    ),
    Case(
        what="the same in dev wakes nobody",
        alarm="workers-missing",
        series=queue("3x100", environment="dev"),
        at="20m",
        fires={"severity": "warning", "environment": "dev"},
        summary="3 jobs of dev wait and no worker answers",
    ),
    Case(
        what="a cold worker comes within ten minutes",
        alarm="workers-missing",
        series={**queue("3x100"), WORKER: "_x40 1x60"},
        at="24m",
    ),
    Case(what="nothing waits and no worker is there", alarm="workers-missing", series=queue("0x100"), at="24m"),
    Case(
        what="six restarts in ten minutes",
        alarm="pod-restarts",
        series=restarts(6),
        at="10m",
        fires={
            "severity": "warning",
            "environment": "dev",
            "namespace": "dev",
            "pod": "p",
            "container": "c",
        },
        summary="c of dev/p restarted 6 times",
    ),
    Case(what="five restarts in ten minutes", alarm="pod-restarts", series=restarts(5), at="10m20s", every="20s"),
    Case(what="six restarts, an hour ago", alarm="pod-restarts", series=restarts(6), at="22m"),
    Case(
        what="a node at 81 % for five minutes",
        alarm="node-cpu",
        series=idle(2.85),
        at="6m",
        fires={"severity": "warning", "environment": "shared", "node": "n1"},
        summary="n1: 81 % of its CPU is used",
    ),
    Case(what="a node at 79 %", alarm="node-cpu", series=idle(3.15), at="14m"),
    Case(what="a node at 81 %, not yet five minutes", alarm="node-cpu", series=idle(2.85), at="4m"),
    Case(
        what="86 % of a node's memory for five minutes",
        alarm="node-memory",
        series=memory(14),
        at="5m",
        fires={"severity": "warning", "environment": "shared", "node": "n1"},
        summary="n1: 86 % of its memory is used",
    ),
    Case(what="exactly 85 % of a node's memory", alarm="node-memory", series=memory(15), at="14m"),
    Case(
        what="a GPU that does nothing for half an hour",
        alarm="gpu-idle",
        series={GPU: "0x140"},
        at="30m",
        fires={"severity": "warning", "environment": "shared", "node": "n1", "gpu": "0"},
        summary="GPU 0 of n1 computes nothing",
    ),
    Case(what="a GPU with one picture in it", alarm="gpu-idle", series={GPU: "0x60 97 0x60"}, at="30m"),
    Case(
        what="a pod that does not answer for five minutes",
        alarm="metrics-missing",
        series={TARGET: "0x60"},
        at="5m",
        fires={
            "severity": "warning",
            "environment": "prod",
            "namespace": "prod",
            "job": "user-service",
            "pod": "u-1",
        },
        summary="prod/u-1 (user-service) does not answer Prometheus",
    ),
    Case(
        what="an application that is broken for half an hour",
        alarm="application-unhealthy",
        series={application("prod-user-service", "prod", sync="OutOfSync", health="Degraded", auto="false"): "1x130"},
        at="30m",
        fires={"severity": "warning", "environment": "prod", "namespace": "prod", "name": "prod-user-service"},
        summary="ArgoCD's prod-user-service (prod) is degraded, or not as Git says",
    ),
    Case(
        what="an application that should sync and does not",
        alarm="application-unhealthy",
        series={application("keda", "keda", sync="Unknown"): "1x130"},
        at="30m",
        fires={"severity": "warning", "environment": "shared", "namespace": "keda", "name": "keda"},
        summary="ArgoCD's keda (keda) is degraded, or not as Git says",
    ),
    Case(
        what="a release that waits for its approval",
        alarm="application-unhealthy",
        series={application("prod-user-service", "prod", sync="OutOfSync", auto="false"): "1x130"},
        at="31m",
    ),
    Case(
        what="a sync of some minutes",
        alarm="application-unhealthy",
        series={
            application("keda", "keda", sync="OutOfSync"): "1x40 _x90",
            application("keda", "keda"): "_x41 1x90",
        },
        at="31m",
    ),
    Case(
        what="a secret that cannot be read for a quarter of an hour",
        alarm="secret-unread",
        series={secret("False"): "1x70", secret("True"): "0x70"},
        at="15m",
        fires={"severity": "warning", "environment": "prod", "namespace": "prod", "name": "user-service"},
        summary="prod/user-service cannot be read from Secrets Manager",
    ),
    Case(
        what="a secret that is read",
        alarm="secret-unread",
        series={secret("False"): "0x70", secret("True"): "1x70"},
        at="16m",
    ),
    Case(what="a pod that misses some scrapes", alarm="metrics-missing", series={TARGET: "0x16 1 0x16"}, at="6m"),
)
