"""Prometheus' own tools where they are installed, and what is measured: names and labels that a rule may ask for."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from k8s_charts.values.exporters import GPU_FIELDS
from services.kernel.metrics import CensusMetrics, HttpMetrics, QueueMetrics, WorkerMetrics

TARGET = frozenset({"environment", "service", "namespace", "pod", "container", "job", "instance", "endpoint"})
"""Labels that our PodMonitors and Prometheus itself add to every series of ours."""
OTHERS: Mapping[str, frozenset[str]] = {
    "up": TARGET,
    # kube-state-metrics: docs/metrics
    "kube_resourcequota": frozenset({"namespace", "resourcequota", "resource", "type"}),
    "kube_pod_container_status_restarts_total": frozenset({"namespace", "pod", "container", "uid"}),
    "kube_pod_status_phase": frozenset({"namespace", "pod", "phase", "uid"}),
    "kube_node_info": frozenset({"node"}),
    "kube_node_status_condition": frozenset({"node", "condition", "status"}),
    "kube_node_status_capacity": frozenset({"node", "resource", "unit"}),
    # node_exporter; `node` is our relabelling
    "node_cpu_seconds_total": frozenset({"node", "cpu", "mode"}),
    "node_memory_MemAvailable_bytes": frozenset({"node"}),
    "node_memory_MemTotal_bytes": frozenset({"node"}),
    # kubelet
    "kubelet_volume_stats_used_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
    "kubelet_volume_stats_capacity_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
    # Argo CD, controller/metrics/metrics.go; External Secrets, pkg/controllers/externalsecret/esmetrics. Prometheus
    # renames their own `namespace`, since the target has one.
    "argocd_app_info": TARGET
    | {"name", "project", "autosync_enabled", "dest_namespace", "sync_status", "health_status", "exported_namespace"},
    "externalsecret_status_condition": TARGET | {"name", "condition", "status", "exported_namespace"},
    # DCGM; `node` is our relabelling
    **dict.fromkeys(GPU_FIELDS, frozenset({"node", "gpu", "UUID", "modelName"})),
}


def own() -> dict[str, frozenset[str]]:
    """Every series of ours and its labels, as the code's registry has them."""
    registry = CollectorRegistry()
    for metrics in (HttpMetrics, QueueMetrics, CensusMetrics, WorkerMetrics):
        metrics(registry)
    made: dict[str, frozenset[str]] = {}
    for collector in registry._collector_to_names:
        labels = frozenset(collector._labelnames) | TARGET  # type: ignore[attr-defined]
        for family in collector.collect():
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
            for suffix in suffixes:
                made[f"{family.name}{suffix}"] = labels | ({"le"} if suffix == "_bucket" else set())
    return made


def exported_by_cloudwatch(jobs: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """The series that the exporter makes of its configuration, by its rule: aws_<service>_<snake case>_<statistic>."""
    made: dict[str, frozenset[str]] = {}
    for job in jobs["static"]:
        labels = {"name", "region", "account_id", *(f"dimension_{one['name']}" for one in job["dimensions"])}
        made |= {name: frozenset(labels) for name in _series(job["namespace"], job["metrics"])}
    for job in jobs["discovery"]["jobs"]:
        made |= {name: frozenset({"name", "region"}) for name in _series(job["type"], job["metrics"])}
    return made


def _series(namespace: str, metrics: list[dict[str, Any]]) -> Iterator[str]:
    for metric in metrics:
        snake = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", metric["name"]).lower()
        for statistic in metric["statistics"]:
            yield f"{namespace.lower().replace('/', '_')}_{snake}_{statistic.lower()}"


_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTED = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}")
_GROUPED = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "by", "on", "without", "ignoring"})


def asked(expression: str) -> dict[str, set[str]]:
    """The metrics of an expression, each with the labels that its own matchers name.

    >>> asked('sum by (a) (rate(b_total{c="d"}[5m])) / on (e) f offset 5m')
    {'b_total': {'c'}, 'f': set()}
    """
    found: dict[str, set[str]] = {}
    bare = _TEXT.sub('""', expression)
    for name, matchers in _SELECTED.findall(bare):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    rest = re.sub(r"\[[^\]]*\]", "", _GROUPED.sub("", _SELECTED.sub(r"\1 ", bare)))
    for word, call in re.findall(r"(?<![\w.])([a-zA-Z_:][a-zA-Z0-9_:]*)(\s*\()?", rest):
        if not call and word not in _WORDS:
            found.setdefault(word, set())
    return found


def grouped(expression: str) -> set[str]:
    """The labels by which an expression groups or joins."""
    return {label.strip() for found in _GROUPED.findall(expression) for label in found.split(",") if label.strip()}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return _run("promtool", "prometheus", *arguments)


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return _run("amtool", "prometheus-alertmanager", *arguments)


def _run(program: str, package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: apt-get install {package})")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content), encoding="utf-8")
    return path
