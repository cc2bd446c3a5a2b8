"""Values together with what the charts do by themselves (charts/defaults.yaml): neither may make the other void."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint.charts import CHARTS
from blueprint.components import COMPONENTS
from blueprint.monitoring import PROMETHEUS
from blueprint.namespaces import NAMESPACES
from k8s_charts import addons, monitoring
from k8s_charts.facts import placeholders

DEFAULTS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "charts/defaults.yaml").read_text())
OURS = {**addons.values(placeholders()), **monitoring.values(placeholders())}
# Argo CD's chart names the profile in each container by itself.
RESTRICTED = sorted(
    name
    for name in set(OURS) - {"argo-cd"}
    if (namespace := NAMESPACES.get(CHARTS[name].namespace)) is not None and namespace.level == "restricted"
)
SECONDS = {"s": 1, "m": 60}
SEARCHED = ("extraVolumeMounts", "daemonSetVolumeMounts", "extraEmptyDirMounts")


def over(default: Any, ours: Any) -> Any:
    """Values over a chart's own, as Helm lays them: maps together, everything else instead."""
    if not isinstance(default, dict) or not isinstance(ours, dict):
        return ours
    return {**default, **{key: over(default.get(key), one) for key, one in ours.items()}}


def at(values: dict[str, Any], path: str) -> Any:
    for key in path.split("."):
        values = values.get(key, {})
    return values


def seconds(duration: str) -> int:
    found = re.fullmatch(r"(\d+)([sm])", duration)
    assert found, f"{duration} is no duration"
    return int(found[1]) * SECONDS[found[2]]


def monitors(value: Any, here: str = "") -> Iterator[tuple[str, str, str]]:
    """Where a value says how long a scrape may take, how often there is one, and how long it may take."""
    if not isinstance(value, dict):
        return
    if timeout := value.get("scrapeTimeout"):
        interval = value.get("interval") or value.get("scrapeInterval") or f"{PROMETHEUS.scrape_seconds}s"
        yield here, interval, timeout
    for key, one in value.items():
        yield from monitors(one, f"{here}.{key}")


def mounted(value: Any, here: str = "") -> Iterator[tuple[str, str]]:
    """Each value that mounts something more, and where."""
    if isinstance(value, dict):
        for key, one in value.items():
            path = f"{here}.{key}" if here else key
            if key in SEARCHED:
                yield from ((path, mount["mountPath"]) for mount in one)
            else:
                yield from mounted(one, path)


def pods_seccomp(value: Any) -> int:
    """How many pods' own contexts name a seccomp profile: a container's context says more than that."""
    if isinstance(value, list):
        return sum(pods_seccomp(one) for one in value)
    if not isinstance(value, dict):
        return 0
    here = "seccompProfile" in value and "allowPrivilegeEscalation" not in value
    return here + sum(pods_seccomp(one) for one in value.values())


def test_defaults_are_of_charts_that_are_installed() -> None:
    assert set(DEFAULTS) <= {one.chart for one in CHARTS.values()}


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_operator_leaves_out_no_monitor_for_a_timeout_longer_than_its_interval(name: str) -> None:
    values = over(DEFAULTS.get(CHARTS[name].chart, {}).get("values", {}), OURS[name])
    late = [where for where, interval, timeout in monitors(values) if seconds(timeout) > seconds(interval)]
    assert late == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_nothing_is_mounted_where_the_chart_mounts_something(name: str) -> None:
    taken = DEFAULTS.get(CHARTS[name].chart, {}).get("mounts", {})
    twice = [(path, place) for path, place in mounted(OURS[name]) if place in taken.get(path, ())]
    assert twice == []


@pytest.mark.parametrize(
    ("chart", "security", "variables"),
    [
        ("dcgm-exporter", "securityContext", "extraEnv"),
        ("kube-prometheus-stack", "grafana.containerSecurityContext", "grafana.env"),
        ("kube-prometheus-stack", "grafana.sidecar.securityContext", "grafana.sidecar.dashboards.env"),
        ("kube-prometheus-stack", "grafana.sidecar.securityContext", "grafana.sidecar.datasources.env"),
    ],
)
def test_what_wants_temporary_files_has_a_place_for_them(chart: str, security: str, variables: str) -> None:
    values = OURS[chart]
    assert at(values, security)["readOnlyRootFilesystem"] is True
    found = at(values, variables)
    named = found if isinstance(found, dict) else {one["name"]: one["value"] for one in found}
    assert named["TMPDIR"] in {"/dev/shm", "/var/lib/grafana"}, "the root is read-only"  # noqa: S108 (in the container)


@pytest.mark.parametrize("name", RESTRICTED)
def test_pods_in_restricted_namespaces_name_a_seccomp_profile(name: str) -> None:
    pods = [one for one in COMPONENTS.values() if one.chart == name]
    assert pods_seccomp(OURS[name]) >= len(pods)


def test_a_default_stays_where_no_value_says_otherwise() -> None:
    laid = over({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"c": [2]}})
    assert laid == {"a": {"b": 1, "c": [2]}, "d": 2}
    assert list(monitors({"m": {"interval": "", "scrapeTimeout": "30s"}})) == [(".m", "15s", "30s")]
    assert list(mounted({"a": {"extraVolumeMounts": [{"mountPath": "/b"}]}})) == [("a.extraVolumeMounts", "/b")]
