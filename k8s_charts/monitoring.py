"""platform/monitoring: what is scraped, rules and dashboards; addons/<name>: values of the charts that do it."""

from blueprint import monitoring
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.monitoring import NAMESPACE
from k8s_charts import monitoring_values, rules
from k8s_charts.components.monitoring import PodMonitor, PrometheusRule, Relabel
from k8s_charts.folder import Folder, GitOps

_WHOSE = (
    Relabel(source=["__meta_kubernetes_namespace"], target="environment"),
    Relabel(source=["__meta_kubernetes_pod_label_app_kubernetes_io_name"], target="service"),
)
_CREATED = "(http|generation|queue|job|credits|images)_.+_created"
"""When a counter began, a series beside each: rules ask for increases, which need none."""


def add(app: GitOps) -> None:
    """Adds the folders.

    Raises:
        RuleError: a number of `blueprint.monitoring` cannot be.
    """
    monitoring.check()
    for name, values in monitoring_values.all_of(app.facts).items():
        Folder(app, f"addons/{name}", listed=False).write("values.yaml", values)
    folder = Folder(app, "platform/monitoring", namespace=NAMESPACE)
    _scrapes(folder)
    PrometheusRule(
        folder, "pingvas", groups=[rules.group(environment_scoped=True), rules.group(environment_scoped=False)]
    )


def _scrapes(folder: Folder) -> None:
    namespaces = [one.namespace for one in CLUSTER_ENVIRONMENTS]
    for name, component, port in (("services", "api", "http"), ("workers", "worker", "metrics")):
        PodMonitor(
            folder,
            name,
            namespaces=namespaces,
            labels={"app.kubernetes.io/part-of": "pingvas", "app.kubernetes.io/component": component},
            port=port,
            relabel=_WHOSE,
            drop=_CREATED,
        )
