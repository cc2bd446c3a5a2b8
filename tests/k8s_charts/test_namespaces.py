"""Namespaces: which there are, and that each lets in what runs in it and nothing laxer."""

from copy import deepcopy
from dataclasses import replace

import pytest

from blueprint.cluster import VERSION
from blueprint.namespaces import CONTAINER_DEFAULTS, NAMESPACES, check
from blueprint.rules import RuleError
from blueprint.workloads import WORKLOADS
from k8s_charts.facts import placeholders
from k8s_charts.main import build
from tests.support.manifests import Manifests
from tests.support.pod_security import refusals

MODES = ("enforce", "audit", "warn")


def levels(manifests: Manifests) -> dict[str, str]:
    return {
        one.name: one.body["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for one in manifests.of("Namespace")
    }


def test_there_are_the_namespaces_of_the_design_and_the_bootstraps(manifests: Manifests) -> None:
    design = "dev prod argocd monitoring karpenter keda external-secrets velero ci-runners"
    assert set(levels(manifests)) == {*design.split(), "bootstrap"}


def test_pod_security_is_restricted_but_where_a_reason_stands(manifests: Manifests) -> None:
    lax = {name for name, level in levels(manifests).items() if level != "restricted"}
    assert lax == {"monitoring"}
    for one in manifests.of("Namespace"):
        reason = one.body["metadata"]["annotations"].get("pingvas.com/pod-security-reason", "")
        assert (len(reason) > 20) == (one.name in lax), one.name


def test_every_namespace_judges_in_each_mode_by_the_clusters_own_version(manifests: Manifests) -> None:
    for one in manifests.of("Namespace"):
        labels = one.body["metadata"]["labels"]
        for mode in MODES:
            level = labels["pod-security.kubernetes.io/enforce"]
            assert labels[f"pod-security.kubernetes.io/{mode}"] == level, one.name
            assert labels[f"pod-security.kubernetes.io/{mode}-version"] == f"v{VERSION}", one.name


def test_every_pod_is_let_in_where_it_is_to_run(manifests: Manifests) -> None:
    found = levels(manifests)
    for one in manifests.all():
        if one.pod:
            level = found.get(str(one.namespace), "privileged")
            assert refusals(level, one.pod["spec"]) == [], str(one)


def test_pod_security_would_refuse_the_device_plugin_anywhere_else(manifests: Manifests) -> None:
    pod = manifests.one("DaemonSet", "nvidia-device-plugin").pod
    assert pod is not None
    assert refusals("baseline", pod["spec"]) == ["hostPath sockets"]
    escaping = deepcopy(pod["spec"])
    escaping["containers"][0]["securityContext"]["privileged"] = True
    assert "plugin is privileged" in refusals("baseline", escaping)


def test_everything_goes_into_a_namespace_that_exists(manifests: Manifests) -> None:
    there = {*levels(manifests), "kube-system"}
    for one in manifests.all():
        assert one.namespace is None or one.namespace in there, str(one)
    assert {one.namespace for one in WORKLOADS.values()} <= there


def test_only_pods_behind_the_load_balancer_get_its_readiness_gates(manifests: Manifests) -> None:
    gate = "elbv2.k8s.aws/pod-readiness-gate-inject"
    gated = {one.name for one in manifests.of("Namespace") if one.body["metadata"]["labels"].get(gate) == "enabled"}
    assert gated == {"dev", "prod"}


def test_a_namespace_outlives_its_application(manifests: Manifests) -> None:
    for one in manifests.of("Namespace"):
        options = one.body["metadata"]["annotations"]["argocd.argoproj.io/sync-options"].split(",")
        assert {"Prune=false", "Delete=false"} <= set(options), one.name


def test_selectors_by_name_find_every_namespace(manifests: Manifests) -> None:
    for one in manifests.of("Namespace"):
        assert one.body["metadata"]["labels"]["kubernetes.io/metadata.name"] == one.name


def test_the_edge_has_a_namespace_only_where_it_is_in_the_cluster() -> None:
    inside = build(replace(placeholders(), edge_and_cache="in-cluster"))
    names = {
        body["metadata"]["name"]
        for folder in inside.folders()
        if folder.path == "platform/cluster"
        for body in folder.objects()
        if body["kind"] == "Namespace"
    }
    assert names - set(NAMESPACES) == {"ingress-nginx"}


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        (
            "keda",
            {"level": "privileged"},
            "namespaces.keda.level = privileged: must be restricted, or say why it is not",
        ),
        ("keda", {"level": "lax", "why": "x"}, "namespaces.keda.level = lax: must be one of"),
        ("dev", {"level": "baseline", "why": "x"}, "namespaces.dev = "),
        ("prod", {"own_images": False}, "namespaces.prod = "),
    ],
)
def test_a_namespace_that_cannot_be_stops_synthesis(name: str, changed: dict[str, object], told: str) -> None:
    rows = {**NAMESPACES, name: replace(NAMESPACES[name], **changed)}  # type: ignore[arg-type]
    with pytest.raises(RuleError) as error:
        check(rows)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_workload_without_a_namespace_stops_synthesis() -> None:
    with pytest.raises(RuleError, match=r"workloads\.velero\.namespace = velero: is no namespace of the cluster"):
        check({name: one for name, one in NAMESPACES.items() if name != "velero"})


def test_defaults_out_of_order_stop_synthesis() -> None:
    with pytest.raises(RuleError, match=r"namespaces\.defaults\.memory_limit_mib = 64"):
        check(defaults=replace(CONTAINER_DEFAULTS, memory_limit_mib=64))
