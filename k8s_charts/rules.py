"""The alarms that Prometheus watches, as rules: what each asks stands here, its figures in `blueprint.alarms`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from blueprint.alarm import Alarm
from blueprint.alarms import ALARMS
from blueprint.environments import CLUSTER_ENVIRONMENTS, EnvironmentName
from blueprint.monitoring import runbook
from k8s_charts.components.monitoring import AlertRule, RuleGroup

SHARED = "shared"
"""The environment of what belongs to neither: nodes, controllers."""
OWN = "pingvas"
"""Label `source` of our rules; those of charts have none."""
_NAMESPACES = "|".join(one.namespace for one in CLUSTER_ENVIRONMENTS)
_OF_NAMESPACE = (
    f'{{{{ if match "^({_NAMESPACES})$" $labels.namespace }}}}{{{{ $labels.namespace }}}}{{{{ else }}}}'
    f"{SHARED}{{{{ end }}}}"
)
_COMPARE = {"GreaterThanThreshold": ">", "LessThanThreshold": "<"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What an alarm asks Prometheus and how it is told.

    `ask` makes the value that is compared, of the alarm and an environment; `text` says what it means, by Prometheus'
    templates. Of an alarm `per` environment there is a rule each, with that environment's own severity.
    """

    ask: Callable[[Alarm, str], str]
    text: str
    per: tuple[EnvironmentName, ...] = ()


def group(environment_scoped: bool) -> RuleGroup:
    """The rules of environments' own alarms, or of what they share."""
    rules = [
        rule(ALARMS[name], watch, environment)
        for name, watch in WATCHES.items()
        if bool(watch.per) is environment_scoped
        for environment in (watch.per or (None,))
    ]
    return RuleGroup("pingvas-environments" if environment_scoped else "pingvas-cluster", rules)


def rule(alarm: Alarm, watch: Watch, environment: EnvironmentName | None) -> AlertRule:
    """One rule. It is named as its alarm is in the runbook."""
    threshold = f"{alarm.threshold:g}"
    return AlertRule(
        alert=alarm.name,
        expr=f"{watch.ask(alarm, environment or '')} {_COMPARE[alarm.comparison]} {threshold}",
        hold=hold(alarm),
        labels={
            "severity": alarm.severity_in(environment) if environment else alarm.severity,
            "environment": environment or _environment_of(watch),
            "source": OWN,
        },
        annotations={
            "summary": f"{watch.text.replace('ENVIRONMENT', environment or '')}",
            "description": f"{alarm.reason}.",
            "runbook_url": runbook(alarm.anchor),
        },
    )


def hold(alarm: Alarm) -> str:
    """How long it must be so. What looks at a window as long as the evaluation has waited already.

    >>> hold(ALARMS["queue-length"]), hold(ALARMS["queue-wait"])
    ('15m', '0s')
    """
    seconds = alarm.evaluation if alarm.evaluation > alarm.period else 0
    return f"{seconds // 60}m" if seconds else "0s"


def _environment_of(watch: Watch) -> str:
    return _OF_NAMESPACE if "$labels.namespace" in watch.text else SHARED


def _window(alarm: Alarm) -> str:
    return f"{alarm.period // 60}m"


def _quota(alarm: Alarm, environment: str) -> str:
    def of(kind: str) -> str:
        return f'max by (namespace, resource) ({alarm.metric}{{namespace="{environment}", type="{kind}"}})'

    return f"100 * {of('used')} / ({of('hard')} > 0)"


def _queue(alarm: Alarm, environment: str) -> str:
    return f'max by (environment) ({alarm.metric}{{environment="{environment}"}})'


def _wait(alarm: Alarm, environment: str) -> str:
    """A worker that has just started shows its first jobs as a number that was there from the beginning, in which
    rate() sees no increase; and just those waited for a cold node. So of a new series the number itself counts."""
    series, window = f'{alarm.metric}_bucket{{environment="{environment}"}}', _window(alarm)
    old = f"(increase({series}[{window}]) and {series} offset {window})"
    new = f"({series} unless {series} offset {window})"
    share = int(alarm.statistic.removeprefix("p")) / 100
    return f"histogram_quantile({share:g}, sum by (environment, le) ({old} or {new}))"


def _restarts(alarm: Alarm, _: str) -> str:
    """increase() guesses at the window's edges, so that five restarts count 5.1: rounded they are five."""
    return f"round(max by (namespace, pod, container) (increase({alarm.metric}[{_window(alarm)}])))"


def _node_cpu(alarm: Alarm, _: str) -> str:
    return f'100 * (1 - avg by (node) (rate({alarm.metric}{{mode="idle"}}[{_window(alarm)}])))'


def _node_memory(alarm: Alarm, _: str) -> str:
    return f"100 * (1 - max by (node) ({alarm.metric}) / max by (node) (node_memory_MemTotal_bytes))"


def _without_workers(alarm: Alarm, environment: str) -> str:
    of = f'environment="{environment}"'
    answering = f'max by (environment) (up{{{of}, service="gpu-worker"}} == 1)'
    return f"(max by (environment) ({alarm.metric}{{{of}}}) unless on (environment) {answering})"


def _idle(alarm: Alarm, _: str) -> str:
    return f"max by (node, gpu) ({alarm.metric})"


def _silent(alarm: Alarm, _: str) -> str:
    return f"min by (namespace, job, pod) ({alarm.metric})"


def _unhealthy(alarm: Alarm, _: str) -> str:
    """An application that syncs by itself and is not as Git says; of prod, which waits for people, its health alone."""
    broken = f'{alarm.metric}{{health_status="Degraded"}}'
    adrift = f'{alarm.metric}{{autosync_enabled="true",sync_status!="Synced"}}'
    return _by_name(f"{broken} or {adrift}", "dest_namespace")


def _unread(alarm: Alarm, _: str) -> str:
    """External Secrets' own label of the namespace: Prometheus renames it, since the target has one too."""
    return _by_name(f'{alarm.metric}{{condition="Ready",status="False"}}', "exported_namespace")


def _by_name(series: str, label: str) -> str:
    return f'max by (namespace, name) (label_replace({series}, "namespace", "$1", "{label}", "(.+)"))'


_BOTH = tuple(one.name for one in CLUSTER_ENVIRONMENTS)
_QUOTA_TEXT = '{{ $labels.resource }} of ENVIRONMENT: {{ $value | printf "%.0f" }} % of the quota is used'
WATCHES: Mapping[str, Watch] = MappingProxyType(
    {
        "quota-dev": Watch(ask=_quota, text=_QUOTA_TEXT, per=("dev",)),
        "quota-prod": Watch(ask=_quota, text=_QUOTA_TEXT, per=("prod",)),
        "queue-length": Watch(ask=_queue, text="{{ $value }} jobs of ENVIRONMENT wait for a worker", per=_BOTH),
        "queue-wait": Watch(
            ask=_wait,
            text='one job of ENVIRONMENT in twenty waited {{ $value | printf "%.0f" }} s or more for a worker',
            per=_BOTH,
        ),
        "workers-missing": Watch(
            ask=_without_workers, text="{{ $value }} jobs of ENVIRONMENT wait and no worker answers", per=_BOTH
        ),
        "pod-restarts": Watch(
            ask=_restarts,
            text="{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} restarted {{ $value }} times",
        ),
        "node-cpu": Watch(ask=_node_cpu, text='{{ $labels.node }}: {{ $value | printf "%.0f" }} % of its CPU is used'),
        "node-memory": Watch(
            ask=_node_memory, text='{{ $labels.node }}: {{ $value | printf "%.0f" }} % of its memory is used'
        ),
        "gpu-idle": Watch(ask=_idle, text="GPU {{ $labels.gpu }} of {{ $labels.node }} computes nothing"),
        "metrics-missing": Watch(
            ask=_silent,
            text="{{ $labels.namespace }}/{{ $labels.pod }} ({{ $labels.job }}) does not answer Prometheus",
        ),
        "application-unhealthy": Watch(
            ask=_unhealthy,
            text="ArgoCD's {{ $labels.name }} ({{ $labels.namespace }}) is degraded, or not as Git says",
        ),
        "secret-unread": Watch(
            ask=_unread, text="{{ $labels.namespace }}/{{ $labels.name }} cannot be read from Secrets Manager"
        ),
    }
)
"""By the alarm's name: every alarm whose owner is Prometheus, and no other."""
