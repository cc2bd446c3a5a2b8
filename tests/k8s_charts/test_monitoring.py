"""Prometheus, Alertmanager, Grafana, the exporters and the log pipeline: their charts' values, and what is scraped."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from blueprint.charts import CHARTS
from blueprint.components import COMPONENTS
from blueprint.data import AURORA, CACHES
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.monitoring import CLOUDWATCH, PROMETHEUS, CloudWatch, Prometheus, check
from blueprint.pools import GENERAL, GPU
from blueprint.rules import RuleError
from blueprint.services import SERVICES
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from k8s_charts.main import files
from k8s_charts.monitoring import values
from k8s_charts.values import exporters, logs
from tests.support.manifests import Manifests

FACTS = placeholders()
OURS = ("kube-prometheus-stack", "dcgm-exporter", "cloudwatch-exporter", "fluent-bit")


@pytest.fixture(scope="module")
def charts(app: GitOps) -> dict[str, dict[str, Any]]:
    written = files(app)
    return {name: yaml.safe_load(written[f"addons/{name}/values.yaml"]) for name in OURS}


@pytest.fixture(scope="module")
def stack(charts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return charts["kube-prometheus-stack"]


def mebibytes(quantity: str) -> float:
    return float(quantity.removesuffix("Gi")) * 1024 if quantity.endswith("Gi") else float(quantity.removesuffix("Mi"))


def millicores(quantity: str) -> float:
    return float(quantity.removesuffix("m")) if quantity.endswith("m") else float(quantity) * 1000


def test_prometheus_looks_every_15_seconds_and_keeps_15_days_on_50_gibibytes(stack: dict[str, Any]) -> None:
    spec = stack["prometheus"]["prometheusSpec"]
    assert (spec["scrapeInterval"], spec["evaluationInterval"], spec["retention"]) == ("15s", "15s", "15d")
    claim = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert claim["resources"]["requests"]["storage"] == "50Gi"
    assert 0.5 * 50 < float(spec["retentionSize"].removesuffix("GB")) <= 0.9 * 50
    for kind in ("rule", "serviceMonitor", "podMonitor", "probe", "scrapeConfig"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False, "it would see none but its own chart's"


def test_the_volume_is_of_a_class_that_the_cluster_has(stack: dict[str, Any], manifests: Manifests) -> None:
    claim = stack["prometheus"]["prometheusSpec"]["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert claim["storageClassName"] in {one.name for one in manifests.of("StorageClass")}


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        (replace(PROMETHEUS, scrape_seconds=30), "alarms.quota-dev.period"),
        (replace(PROMETHEUS, scrape_seconds=0), "monitoring.prometheus.scrape_seconds"),
        (replace(PROMETHEUS, filled=0.95), "monitoring.prometheus.filled"),
        (replace(PROMETHEUS, volume_gib=5), "monitoring.prometheus.volume_gib"),
        (replace(CLOUDWATCH, length_seconds=300), "monitoring.cloudwatch.length_seconds"),
    ],
)
def test_a_number_that_cannot_be_stops_synthesis(changed: Prometheus | CloudWatch, setting: str) -> None:
    with pytest.raises(RuleError) as caught:
        check(changed) if isinstance(changed, Prometheus) else check(cloudwatch=changed)
    assert caught.value.setting == setting


def test_nothing_is_watched_that_eks_does_not_show(stack: dict[str, Any]) -> None:
    for part in ("kubeEtcd", "kubeScheduler", "kubeControllerManager", "kubeProxy"):
        assert stack[part]["enabled"] is False
    rules = stack["defaultRules"]["rules"]
    for group in ("etcd", "kubeSchedulerAlerting", "kubeSchedulerRecording", "kubeControllerManager", "kubeProxy"):
        assert rules[group] is False
    assert stack["defaultRules"]["disabled"]["TargetDown"] is True, "metrics-missing says it"


def test_definitions_come_from_one_chart_of_the_operators_own_minor(stack: dict[str, Any]) -> None:
    assert stack["crds"]["enabled"] is False
    minors = {CHARTS[name].app_version.split(".")[1] for name in ("kube-prometheus-stack", "prometheus-operator-crds")}
    assert len(minors) == 1


SIZED = {
    "prometheus-operator": lambda stack: [stack["prometheusOperator"]["resources"]],
    "prometheus": lambda stack: [
        stack["prometheus"]["prometheusSpec"]["resources"],
        stack["prometheusOperator"]["prometheusConfigReloader"]["resources"],
    ],
    "alertmanager": lambda stack: [
        stack["alertmanager"]["alertmanagerSpec"]["resources"],
        stack["prometheusOperator"]["prometheusConfigReloader"]["resources"],
    ],
    "grafana": lambda stack: [stack["grafana"]["resources"], *[stack["grafana"]["sidecar"]["resources"]] * 2],
    "kube-state-metrics": lambda stack: [stack["kube-state-metrics"]["resources"]],
    "node-exporter": lambda stack: [stack["prometheus-node-exporter"]["resources"]],
}


@pytest.mark.parametrize("component", [*SIZED, "dcgm-exporter", "cloudwatch-exporter", "fluent-bit"])
def test_a_pods_containers_ask_together_for_what_the_capacity_proof_counts(
    charts: dict[str, dict[str, Any]], component: str
) -> None:
    of = COMPONENTS[component]
    found = (
        SIZED[component](charts["kube-prometheus-stack"]) if component in SIZED else [charts[component]["resources"]]
    )
    assert sum(millicores(one["requests"]["cpu"]) for one in found) == pytest.approx(of.cpu * 1000)
    assert sum(mebibytes(one["requests"]["memory"]) for one in found) == of.memory_mib
    assert sum(mebibytes(one["limits"]["memory"]) for one in found) == of.memory_limit_mib
    assert not any("cpu" in one["limits"] for one in found)


def test_pods_are_where_the_capacity_proof_counts_them(
    charts: dict[str, dict[str, Any]], stack: dict[str, Any]
) -> None:
    placed = {
        "prometheus-operator": stack["prometheusOperator"],
        "prometheus": stack["prometheus"]["prometheusSpec"],
        "alertmanager": stack["alertmanager"]["alertmanagerSpec"],
        "grafana": stack["grafana"],
        "kube-state-metrics": stack["kube-state-metrics"],
        "node-exporter": stack["prometheus-node-exporter"],
        **{name: charts[name] for name in ("dcgm-exporter", "cloudwatch-exporter", "fluent-bit")},
    }
    for name, where in placed.items():
        place = COMPONENTS[name].place
        assert where["priorityClassName"] == COMPONENTS[name].priority_class
        if place == "general":
            assert (where["nodeSelector"], where["tolerations"]) == (dict(GENERAL.labels), []), name
        elif place == "every":
            assert where["tolerations"] == [{"operator": "Exists"}], f"{name} is not on GPU nodes"
            assert where["nodeSelector"] == {"kubernetes.io/os": "linux"}
        else:
            assert place == "gpu" and where["nodeSelector"] == dict(GPU.labels)
            assert {one["key"] for one in where["tolerations"]} == {one.key for one in GPU.taints}


def test_accounts_of_pods_that_call_aws_are_those_that_have_the_roles(charts: dict[str, dict[str, Any]]) -> None:
    named = {
        "alertmanager": charts["kube-prometheus-stack"]["alertmanager"]["serviceAccount"],
        "cloudwatch-exporter": charts["cloudwatch-exporter"]["serviceAccount"],
        "fluent-bit": charts["fluent-bit"]["serviceAccount"],
    }
    for name, account in named.items():
        assert (account["create"], account["name"]) == (True, WORKLOADS[name].service_account)
        assert WORKLOADS[name].namespace == "monitoring"


def test_only_what_reads_a_node_runs_as_root_and_without_roots_powers(charts: dict[str, dict[str, Any]]) -> None:
    for name in ("fluent-bit", "dcgm-exporter"):
        security = charts[name]["securityContext"]
        assert security["runAsUser"] == 0
        assert security["capabilities"] == {"drop": ["ALL"]} and security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
    text = json.dumps({name: of for name, of in charts.items() if name not in ("fluent-bit", "dcgm-exporter")})
    assert '"runAsUser": 0' not in text and '"privileged": true' not in text and '"runAsNonRoot": false' not in text


def test_nothing_secret_is_in_the_values(charts: dict[str, dict[str, Any]], stack: dict[str, Any]) -> None:
    admin = stack["grafana"]["admin"]
    assert set(admin) == {"existingSecret", "userKey", "passwordKey"} and "adminPassword" not in stack["grafana"]
    text = json.dumps(charts)
    for word in ("routing_key", "service_key", "api_url", "slack.com", "aws_secret_access_key", "hooks."):
        assert word not in text


def test_grafana_lets_nobody_in_without_a_name_and_finds_its_password(
    stack: dict[str, Any], manifests: Manifests
) -> None:
    ini = stack["grafana"]["grafana.ini"]
    assert ini["auth.anonymous"]["enabled"] is False and ini["users"]["allow_sign_up"] is False
    made = manifests.one("ExternalSecret", stack["grafana"]["admin"]["existingSecret"], namespace="monitoring")
    keys = set(made.body["spec"]["target"]["template"]["data"])
    assert {stack["grafana"]["admin"]["userKey"], stack["grafana"]["admin"]["passwordKey"]} <= keys
    assert made.path == "platform/grafana", "Grafana waits for it, and ArgoCD for Grafana: it comes before the chart"


def test_grafana_takes_the_dashboards_by_their_label(stack: dict[str, Any], manifests: Manifests) -> None:
    sidecar = stack["grafana"]["sidecar"]["dashboards"]
    for one in manifests.of("ConfigMap", namespace=sidecar["searchNamespace"]):
        assert one.body["metadata"]["labels"][sidecar["label"]] == sidecar["labelValue"]


def test_every_pod_of_ours_is_scraped_on_a_port_that_it_has(manifests: Manifests) -> None:
    monitors = [one.body["spec"] for one in manifests.of("PodMonitor", namespace="monitoring")]
    wanted = {(one.namespace, service.title) for one in CLUSTER_ENVIRONMENTS for service in SERVICES.values()}
    wanted |= {(one.namespace, "gpu-worker") for one in CLUSTER_ENVIRONMENTS}
    found: dict[tuple[str | None, str], int] = {}
    for workload in manifests.of("Deployment"):
        if workload.pod is None or workload.namespace not in {one.namespace for one in CLUSTER_ENVIRONMENTS}:
            continue
        labels = workload.pod["metadata"]["labels"]
        for monitor in monitors:
            if workload.namespace not in monitor["namespaceSelector"]["matchNames"]:
                continue
            if not monitor["selector"]["matchLabels"].items() <= labels.items():
                continue
            (endpoint,) = monitor["podMetricsEndpoints"]
            ports = {
                port.get("name"): port["containerPort"]
                for container in workload.pod["spec"]["containers"]
                for port in container.get("ports", [])
            }
            assert endpoint["port"] in ports, f"{workload} has no port {endpoint['port']}"
            found[workload.namespace, labels["app.kubernetes.io/name"]] = ports[endpoint["port"]]
    assert set(found) == wanted
    ports = {service.title: service.port for service in SERVICES.values()} | {"gpu-worker": WORKER.metrics_port}
    assert all(port == ports[name] for (_, name), port in found.items())


def test_series_of_ours_say_whose_they_are(manifests: Manifests) -> None:
    for name in ("services", "workers"):
        (endpoint,) = manifests.one("PodMonitor", name).body["spec"]["podMetricsEndpoints"]
        assert endpoint["interval"] == "15s" and endpoint["path"] == "/metrics"
        assert {one["targetLabel"] for one in endpoint["relabelings"]} == {"environment", "service"}
        (drop,) = endpoint["metricRelabelings"]
        assert re.fullmatch(drop["regex"], "http_requests_created")
        assert not re.fullmatch(drop["regex"], "http_requests_total")


def test_the_gpu_exporter_takes_no_gpu_and_no_profiling_field(charts: dict[str, dict[str, Any]]) -> None:
    text = json.dumps(charts["dcgm-exporter"])
    assert "nvidia.com/gpu" not in json.dumps(charts["dcgm-exporter"]["resources"])
    assert "DCGM_FI_PROF" not in text and "SYS_ADMIN" not in text
    assert {line.split(",")[0] for line in charts["dcgm-exporter"]["customMetrics"].splitlines()} == set(
        exporters.GPU_FIELDS
    )


def test_the_gpu_exporter_measures_as_often_as_it_is_asked(charts: dict[str, dict[str, Any]]) -> None:
    values = charts["dcgm-exporter"]
    variables = {one["name"]: one["value"] for one in values["extraEnv"]}
    assert int(variables["DCGM_EXPORTER_INTERVAL"]) == 1000 * int(
        values["serviceMonitor"]["interval"].removesuffix("s")
    )


def test_cloudwatch_is_asked_about_what_is_there() -> None:
    asked = exporters.jobs(FACTS)
    by_namespace: dict[str, list[dict[str, str]]] = {}
    for job in asked["static"]:
        by_namespace.setdefault(job["namespace"], []).append({one["name"]: one["value"] for one in job["dimensions"]})
    assert by_namespace["AWS/RDS"] == [
        {"DBClusterIdentifier": AURORA.cluster, "Role": role} for role in ("WRITER", "READER")
    ]
    members = {member for cache in CACHES.values() for member in cache.members}
    assert {one["CacheClusterId"] for one in by_namespace["AWS/ElastiCache"]} == members
    buckets = {value for name, value in FACTS.outputs.items() if name.startswith("buckets/")}
    assert {one["BucketName"] for one in by_namespace["AWS/S3"]} == buckets
    (balancer,) = asked["discovery"]["jobs"]
    assert (balancer["type"], balancer["dimensionNameRequirements"]) == ("AWS/ApplicationELB", ["LoadBalancer"])
    assert balancer["searchTags"] == [{"key": "project", "value": "^pingvas-studio$"}]


def test_asking_cloudwatch_costs_little() -> None:
    """0.01 dollars a thousand metrics that are asked for (CloudWatch pricing, us-east-1)."""
    asked = exporters.jobs(FACTS)
    every = [*asked["static"], *asked["discovery"]["jobs"]]
    metrics = sum(len(metric["statistics"]) for job in every for metric in job["metrics"])
    month = metrics * 30 * 86_400 / CLOUDWATCH.scrape_seconds * 0.01 / 1000
    assert month < 5, month
    for job in asked["static"]:
        for metric in job["metrics"]:
            daily = job["namespace"] == "AWS/S3"
            assert metric["period"] == (86_400 if daily else 300)
            assert metric["length"] >= 2 * metric["period"]


def test_values_are_the_same_for_other_facts_but_for_the_facts() -> None:
    other = replace(FACTS, account="123456789012", region="ap-northeast-2")
    text = json.dumps(values(other), default=str)
    assert "000000000000:" not in text and "us-east-1:" not in text
    assert logs.to_cloudwatch(other)[1]["region"] == "ap-northeast-2"
