"""platform/monitoring: what is scraped, and the rules. platform/grafana: its password and its dashboards.

addons/<name>: values of the charts that measure, tell and collect logs.
"""

from cdk8s_plus_35 import k8s

from blueprint import monitoring
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.monitoring import DASHBOARD_LABEL, NAMESPACE
from k8s_charts import rules
from k8s_charts.components.external_secrets import ExternalSecret, Remote, store
from k8s_charts.components.helm import Values
from k8s_charts.components.monitoring import PodMonitor, PrometheusRule, Relabel
from k8s_charts.dashboards import BOARDS
from k8s_charts.facts import Facts
from k8s_charts.folder import Folder, GitOps
from k8s_charts.values import exporters, logs, prometheus_stack

_WHOSE = (
    Relabel(source=["__meta_kubernetes_namespace"], target="environment"),
    Relabel(source=["__meta_kubernetes_pod_label_app_kubernetes_io_name"], target="service"),
)
_CREATED = "(http|generation|queue|job|credits|images)_.+_created"
"""When a counter began, a series beside each: rules ask for increases, which need none."""


def values(facts: Facts) -> dict[str, Values]:
    """By release."""
    return {
        "kube-prometheus-stack": prometheus_stack.values(facts),
        "dcgm-exporter": exporters.dcgm(),
        "cloudwatch-exporter": exporters.cloudwatch(facts),
        "fluent-bit": logs.values(facts),
    }


def add(app: GitOps) -> None:
    """Adds the folders.

    Raises:
        RuleError: a number of `blueprint.monitoring` cannot be.
    """
    monitoring.check()
    for name, of in values(app.facts).items():
        Folder(app, f"addons/{name}", listed=False).write("values.yaml", of)
    folder = Folder(app, "platform/monitoring", namespace=NAMESPACE)
    _scrapes(folder)
    PrometheusRule(folder, "pingvas", groups=[rules.group(environment_scoped=one) for one in (True, False)])
    _grafana(Folder(app, "platform/grafana", namespace=NAMESPACE))


def _grafana(folder: Folder) -> None:
    """What Grafana needs before it can start, and what it shows; none of it of a kind that comes later."""
    ExternalSecret(
        folder,
        prometheus_stack.ADMIN_SECRET,
        store=store("shared"),
        data={prometheus_stack.PASSWORD_KEY: Remote.of("pingvas/shared/grafana")},
        template={prometheus_stack.USER_KEY: "admin"},
    )
    for board in BOARDS:
        k8s.KubeConfigMap(
            folder,
            board.name,
            metadata=k8s.ObjectMeta(name=f"dashboard-{board.name}", labels=dict([DASHBOARD_LABEL])),
            data={f"{board.name}.json": board.text()},
        )


def _scrapes(folder: Folder) -> None:
    """Our own pods, and of the add-ons those whose charts bring no monitor, or come before its kind does."""
    environments = [one.namespace for one in CLUSTER_ENVIRONMENTS]
    for name, component, port in (("services", "api", "http"), ("workers", "worker", "metrics")):
        PodMonitor(
            folder,
            name,
            namespaces=environments,
            labels={"app.kubernetes.io/part-of": "pingvas", "app.kubernetes.io/component": component},
            port=port,
            relabel=_WHOSE,
            drop=_CREATED,
        )
    for name, namespace, part_of in (
        ("argocd", "argocd", "argocd"),
        ("runners", "ci-runners", "gha-rs-controller"),
    ):
        PodMonitor(folder, name, namespaces=[namespace], labels={"app.kubernetes.io/part-of": part_of}, port="metrics")
