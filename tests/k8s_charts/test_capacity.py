"""What the proof counted is what the manifests ask for: every workload is known to it, with the same requests."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint import capacity
from blueprint.addons import ADDONS
from blueprint.charts import CHARTS
from blueprint.components import COMPONENTS, PRIORITY, PRIORITY_CLASS, Component
from blueprint.in_cluster import NGINX_NAME
from blueprint.loads import PLAN, Load, Plan, loads
from blueprint.rules import RuleError
from k8s_charts import tree
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from k8s_charts.main import build
from tests.support.manifests import WORKLOAD_KINDS, Manifests, Object

SUFFIXES = {"m": Fraction(1, 1000), "Ki": Fraction(1, 1024), "Mi": Fraction(1), "Gi": Fraction(1024)}


def quantity(text: str) -> Fraction:
    """Cores, or MiB where a suffix of bytes stands."""
    for suffix, factor in SUFFIXES.items():
        if text.endswith(suffix):
            return Fraction(text.removesuffix(suffix)) * factor
    return Fraction(text)


def requests(pod: dict[str, Any]) -> tuple[Fraction, Fraction, int]:
    """CPU in cores, memory in MiB and GPUs of a pod: of its containers together, or of an init container if more."""
    sums = [Fraction(0), Fraction(0), Fraction(0)]
    for container in pod["spec"]["containers"]:
        sums = [one + two for one, two in zip(sums, _of(container), strict=True)]
    for container in pod["spec"].get("initContainers", []):
        sums = [max(one, two) for one, two in zip(sums, _of(container), strict=True)]
    return sums[0], sums[1], int(sums[2])


def _of(container: dict[str, Any]) -> tuple[Fraction, Fraction, Fraction]:
    asked = container["resources"]["requests"]
    return quantity(str(asked["cpu"])), quantity(str(asked["memory"])), Fraction(str(asked.get("nvidia.com/gpu", 0)))


def workloads(manifests: Manifests) -> list[Object]:
    return [one for kind in WORKLOAD_KINDS for one in manifests.of(kind)]


def known(plan: Plan = PLAN) -> dict[tuple[str | None, str], Load | Component]:
    applications: dict[tuple[str | None, str], Load | Component] = {
        (one.namespace, one.name): one for one in loads(plan)
    }
    return applications | {(one.namespace, one.name): one for one in COMPONENTS.values()}


def test_every_workload_of_the_manifests_is_known_to_the_proof(manifests: Manifests) -> None:
    unknown = [str(one) for one in workloads(manifests) if (one.namespace, one.name) not in known()]
    assert not unknown, f"blueprint/loads.py or blueprint/components.py lacks {', '.join(unknown)}"


def test_every_workload_asks_for_what_the_proof_counted(manifests: Manifests) -> None:
    for one in workloads(manifests):
        counted = known()[one.namespace, one.name]
        pod = one.pod
        assert pod is not None
        cpu, memory, gpu = requests(pod)
        if isinstance(counted, Load):
            assert (cpu * 1000, memory, gpu) == (counted.asks.cpu, counted.asks.memory, counted.asks.gpu), str(one)
        else:
            assert (cpu, memory) == (Fraction(str(counted.cpu)), counted.memory_mib), str(one)


def test_edge_and_cache_inside_the_cluster_are_counted_where_they_are_chosen(tmp_path: Path) -> None:
    facts = replace(placeholders(), edge_and_cache="in-cluster")
    written = build(facts)
    tree.write(tmp_path, written.files())
    chosen = Manifests(written, tmp_path)
    counted = known(replace(PLAN, in_cluster=True))
    more = {key for key in counted if key not in known()}
    found = [one for path in chosen.folders() if path.startswith("in-cluster/") for one in chosen.built(path)]
    workloads = [one for one in found if one.kind in WORKLOAD_KINDS]
    assert more == {(one.namespace, one.name) for one in workloads} | {(NGINX_NAME, NGINX_NAME)}
    for one in workloads:
        pod, load = one.pod, counted[one.namespace, one.name]
        assert pod is not None
        assert isinstance(load, Load)
        cpu, memory, _ = requests(pod)
        assert (cpu * 1000, memory, one.body["spec"]["replicas"]) == (load.asks.cpu, load.asks.memory, load.count)
    nginx = counted[NGINX_NAME, NGINX_NAME]
    assert isinstance(nginx, Load)
    (asked,) = (one["requests"] for path, one in sizes(values_of(chosen, NGINX_NAME)).items() if "controller" in path)
    assert (quantity(asked["cpu"]) * 1000, quantity(asked["memory"])) == (nginx.asks.cpu, nginx.asks.memory)


def test_workloads_run_where_the_proof_counted_them(manifests: Manifests) -> None:
    labels = {
        "gpu": dict(PLAN.gpu.labels),
        "system": dict([PLAN.system.label]),
    }
    for one in workloads(manifests):
        pod = one.pod
        assert pod is not None
        place = known()[one.namespace, one.name].place
        selector = pod["spec"].get("nodeSelector", {})
        assert labels.get(place, {}).items() <= selector.items(), f"{one} must select {labels[place]}"
        if place == "general":
            assert "workload-type" not in selector or selector["workload-type"] == "general", str(one)


def test_autoscalers_end_at_the_maxima_that_the_proof_counted(manifests: Manifests) -> None:
    for one in manifests.of("HorizontalPodAutoscaler"):
        environment = next(each for each in PLAN.environments if each.namespace == one.namespace)
        assert one.body["spec"]["maxReplicas"] == environment.replicas.maximum, str(one)
    for one in manifests.of("ScaledObject"):
        counted = next(each for each in loads() if (each.namespace, each.name) == (one.namespace, "gpu-worker"))
        assert one.body["spec"]["maxReplicaCount"] == counted.count, str(one)


def test_pools_have_the_limits_that_the_proof_counted(manifests: Manifests) -> None:
    for pool in (PLAN.gpu, PLAN.general):
        for one in manifests.of("NodePool", name=pool.name):
            limits = one.body["spec"]["limits"]
            assert quantity(str(limits["cpu"])) == pool.cpu
            assert quantity(str(limits["memory"])) == pool.memory_gib * 1024


def test_every_component_comes_from_somewhere_that_is_there(app: GitOps) -> None:
    folders = {folder.path for folder in app.folders()}
    for one in COMPONENTS.values():
        assert [bool(one.chart), bool(one.addon), bool(one.folder)].count(True) == 1, one.name
        assert not one.addon or one.addon in {addon.name for addon in ADDONS}, f"{one.name}: no add-on {one.addon}"
        assert not one.folder or one.folder in folders, f"{one.name}: no folder {one.folder}"
        assert not one.chart or one.chart in CHARTS, f"{one.name}: no chart {one.chart} in blueprint/charts.py"


def test_platform_pods_have_a_priority_that_services_do_not_reach(manifests: Manifests) -> None:
    made = manifests.one("PriorityClass", PRIORITY_CLASS)
    assert made.body["value"] == PRIORITY
    others = [one for one in manifests.of("PriorityClass") if one.name != PRIORITY_CLASS]
    assert all(one.body["value"] < PRIORITY for one in others)


def test_synthesis_asks_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Plan) -> None:
        raise RuleError("worker.memory_gib", 15, "does not fit")

    monkeypatch.setattr(capacity, "check", refuse)
    with pytest.raises(RuleError, match=r"worker\.memory_gib = 15"):
        build(placeholders())


RELOADER = "prometheusOperator.prometheusConfigReloader.resources"
VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "argo-cd": {
        "argocd-application-controller": ("controller.resources",),
        "argocd-repo-server": ("repoServer.resources",),
        "argocd-server": ("server.resources",),
        "argocd-applicationset-controller": ("applicationSet.resources",),
        "argocd-redis": ("redis.resources",),
    },
    "karpenter": {"karpenter": ("controller.resources",)},
    "aws-load-balancer-controller": {"aws-load-balancer-controller": ("resources",)},
    "keda": {
        "keda-operator": ("resources.operator",),
        "keda-metrics-apiserver": ("resources.metricServer",),
        "keda-admission-webhooks": ("resources.webhooks",),
    },
    **{
        f"external-secrets-{name}": {f"external-secrets-{name}": ("resources",)}
        for name in ("dev", "prod", "bootstrap")
    },
    "external-secrets-shared": {
        "external-secrets-shared": ("resources",),
        "external-secrets-webhook": ("webhook.resources",),
        "external-secrets-cert-controller": ("certController.resources",),
    },
    "velero": {"velero": ("resources",)},
    "kube-prometheus-stack": {
        "prometheus-operator": ("prometheusOperator.resources",),
        "prometheus": ("prometheus.prometheusSpec.resources", RELOADER),
        "alertmanager": ("alertmanager.alertmanagerSpec.resources", RELOADER),
        "grafana": ("grafana.resources", "grafana.sidecar.resources", "grafana.sidecar.resources"),
        "kube-state-metrics": ("kube-state-metrics.resources",),
        "node-exporter": ("prometheus-node-exporter.resources",),
    },
    "cloudwatch-exporter": {"cloudwatch-exporter": ("resources",)},
    "fluent-bit": {"fluent-bit": ("resources",)},
    "dcgm-exporter": {"dcgm-exporter": ("resources",)},
    "gha-runner-scale-set-controller": {"actions-runner-controller": ("resources",)},
    "gha-runner-scale-set": {
        "actions-runner": ("template.spec.containers.0.resources",),
        "actions-runner-listener": ("listenerTemplate.spec.containers.0.resources",),
    },
}
"""Where a chart's values have the resources of a component's containers; Grafana's two sidecars share theirs."""
BEFORE = ("redisSecretInit.resources", "initContainers.0.resources")
"""Of what runs before a pod's containers do, or once."""


def values_of(manifests: Manifests, chart: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((manifests.root / "addons" / chart / "values.yaml").read_text())
    return read


def sizes(value: Any, path: str = "") -> dict[str, dict[str, Any]]:
    """Every request for CPU in values, by its path."""
    if isinstance(value, list):
        value = {str(index): one for index, one in enumerate(value)}
    if not isinstance(value, dict):
        return {}
    if "cpu" in (value.get("requests") or {}):
        return {path: value}
    return {key: one for name, part in value.items() for key, one in sizes(part, f"{path}.{name}".strip(".")).items()}


def test_every_chart_with_pods_is_counted(manifests: Manifests) -> None:
    written = {path.parent.name for path in (manifests.root / "addons").glob("*/values.yaml")}
    with_pods = {chart for chart in written if sizes(values_of(manifests, chart))}
    assert with_pods == set(VALUES) == {one.chart for one in COMPONENTS.values() if one.chart}


@pytest.mark.parametrize("chart", VALUES)
def test_helm_values_ask_for_what_the_proof_counted(manifests: Manifests, chart: str) -> None:
    found = sizes(values_of(manifests, chart))
    named = {path for paths in VALUES[chart].values() for path in paths}
    assert set(found) - set(BEFORE) == named, "a container that the proof does not count, or one that is gone"
    assert set(VALUES[chart]) == {one.name for one in COMPONENTS.values() if one.chart == chart}
    for name, paths in VALUES[chart].items():
        counted = COMPONENTS[name]
        blocks = [found[path] for path in paths]
        assert sum(quantity(block["requests"]["cpu"]) for block in blocks) == Fraction(str(counted.cpu)), name
        assert sum(quantity(block["requests"]["memory"]) for block in blocks) == counted.memory_mib, name
        assert sum(quantity(block["limits"]["memory"]) for block in blocks) == counted.memory_limit_mib, name
        assert all("cpu" not in block["limits"] for block in blocks), "a CPU limit slows while cores are idle"


REPLICAS = {
    "argocd-application-controller": "controller.replicas",
    "argocd-repo-server": "repoServer.replicas",
    "argocd-server": "server.replicas",
    "karpenter": "replicas",
    "aws-load-balancer-controller": "replicaCount",
    "keda-operator": "operator.replicaCount",
    "keda-metrics-apiserver": "metricsServer.replicaCount",
    "keda-admission-webhooks": "webhooks.replicaCount",
    "external-secrets-dev": "replicaCount",
    "external-secrets-prod": "replicaCount",
    "external-secrets-shared": "replicaCount",
    "external-secrets-bootstrap": "replicaCount",
    "prometheus": "prometheus.prometheusSpec.replicas",
    "alertmanager": "alertmanager.alertmanagerSpec.replicas",
    "grafana": "grafana.replicas",
    "actions-runner-controller": "replicaCount",
    "actions-runner": "maxRunners",
}


def test_helm_values_have_as_many_replicas_as_the_proof_counted(manifests: Manifests) -> None:
    for name, path in REPLICAS.items():
        value = values_of(manifests, COMPONENTS[name].chart)
        for part in path.split("."):
            value = value[part]
        assert value == COMPONENTS[name].replicas, name


def test_pods_of_charts_select_the_nodes_that_the_proof_counted_them_on(manifests: Manifests) -> None:
    """Selectors stand beside resources, or for the whole chart at its top."""
    labels = {"system": dict([PLAN.system.label]), "general": dict(PLAN.general.labels), "gpu": dict(PLAN.gpu.labels)}
    for chart, components in VALUES.items():
        values = values_of(manifests, chart)
        for name, paths in components.items():
            place = COMPONENTS[name].place
            if place != "every":
                assert selector_of(values, paths[0]).items() >= labels[place].items(), f"{chart}: {name}"


def selector_of(values: dict[str, Any], path: str) -> dict[str, str]:
    """The nearest selector above a path, or the chart's own."""
    parts = path.split(".")
    for end in range(len(parts) - 1, -1, -1):
        holder: Any = values
        for part in parts[:end]:
            holder = holder[int(part) if isinstance(holder, list) else part]
        if isinstance(holder, dict) and "nodeSelector" in holder:
            return dict(holder["nodeSelector"])
    return dict(values.get("global", {}).get("nodeSelector", {}))
