"""Projects and the evaluator that the tests of applications believe."""

from typing import Any

import pytest

from blueprint.charts import CHARTS
from blueprint.delivery import FOLLOWING, REPOSITORY_URL
from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.components.argocd import SERVER
from tests.support.argocd import Target, TemplateError, expand, parameters, refused, render
from tests.support.manifests import Manifests, Object

ENVIRONMENTS = tuple(one.name for one in CLUSTER_ENVIRONMENTS)
BINDING = ("ResourceQuota", "LimitRange", "NetworkPolicy", "Secret", "Namespace", "Application", "AppProject")
"""Kinds that bind an environment, or that Git must not hold."""


def project(manifests: Manifests, name: str) -> Object:
    return manifests.one("AppProject", name, namespace="argocd")


def application(namespace: str, repository: str = REPOSITORY_URL) -> dict[str, Any]:
    return {"spec": {"source": {"repoURL": repository}, "destination": {"server": SERVER, "namespace": namespace}}}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environments_project_admits_its_own_namespace_alone(manifests: Manifests, environment: str) -> None:
    body = project(manifests, f"pingvas-{environment}").body
    others = [*(one for one in ENVIRONMENTS if one != environment), "argocd", "kube-system", "default", "*"]
    assert refused(body, application(environment), []) == []
    for other in others:
        assert refused(body, application(other), []), other
        assert refused(body, application(environment), [Target("", "ConfigMap", other, "x")]), other


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environments_project_admits_no_guard_rails_and_no_secrets(manifests: Manifests, environment: str) -> None:
    body = project(manifests, f"pingvas-{environment}").body
    assert body["spec"]["clusterResourceWhitelist"] == []
    assert body["spec"]["namespaceResourceWhitelist"], "an empty list admits every kind"
    for kind in BINDING:
        for group in ("", "networking.k8s.io", "argoproj.io"):
            assert refused(body, application(environment), [Target(group, kind, environment, "x")]), kind
    for kind in ("ClusterRole", "PriorityClass", "CustomResourceDefinition", "Namespace"):
        assert refused(body, application(environment), [Target("", kind, None, "x")]), kind


@pytest.mark.parametrize("name", ["pingvas-platform", *(f"pingvas-{one}" for one in ENVIRONMENTS)])
def test_projects_take_from_known_repositories_alone(manifests: Manifests, name: str) -> None:
    spec = project(manifests, name).body["spec"]
    known = {REPOSITORY_URL, *(chart.source for chart in CHARTS.values())}
    assert set(spec["sourceRepos"]) <= known
    assert not any("*" in one for one in spec["sourceRepos"])
    assert all(one["server"] == SERVER and "*" not in one["namespace"] for one in spec["destinations"])
    assert not any("*" in one["kind"] for one in spec["clusterResourceWhitelist"])


def test_the_default_project_admits_nothing(manifests: Manifests) -> None:
    body = project(manifests, "default").body
    assert refused(body, application("default"), []) == [f"source {REPOSITORY_URL}", "destination 'default'"]


def test_the_platforms_project_admits_what_charts_write_beside_their_own_namespace(manifests: Manifests) -> None:
    """Karpenter's chart has a role in kube-node-lease and one in kube-system, KEDA's a binding there."""
    body = project(manifests, "pingvas-platform").body
    for namespace in ("kube-node-lease", "kube-system"):
        role = Target("rbac.authorization.k8s.io", "Role", namespace, "karpenter-lease")
        assert refused(body, application("karpenter"), [role]) == [], namespace


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_where_a_person_approves_the_project_denies_automation_all_day(manifests: Manifests, environment: str) -> None:
    windows = project(manifests, f"pingvas-{environment}").body["spec"].get("syncWindows", [])
    if FOLLOWING[environment].automated:
        assert windows == []
        return
    (window,) = windows
    assert window["kind"] == "deny"
    assert window["manualSync"] is True
    assert (window["schedule"], window["duration"]) == ("0 0 * * *", "24h")
    assert window["applications"] == ["*"]


def test_a_project_refuses_what_it_does_not_list() -> None:
    body = {
        "spec": {
            "sourceRepos": [REPOSITORY_URL],
            "destinations": [{"server": SERVER, "namespace": "dev"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            "namespaceResourceWhitelist": [{"group": "apps", "kind": "Deployment"}],
        }
    }
    assert refused(body, application("dev"), [Target("apps", "Deployment", "dev", "x")]) == []
    assert refused(body, application("dev"), [Target("", "Namespace", None, "x")]) == []
    assert refused(body, application("prod"), []) == ["destination 'prod'"]
    nowhere = application("dev")
    del nowhere["spec"]["destination"]["namespace"]
    assert refused(body, nowhere, []) == ["destination ''"], "no namespace at all is one that no list names"
    assert refused(body, application("dev", "https://elsewhere.invalid"), []) == ["source https://elsewhere.invalid"]
    assert refused(body, application("dev"), [Target("apps", "Deployment", "prod", "x")])
    assert refused(body, application("dev"), [Target("apps", "DaemonSet", "dev", "x")])
    assert refused(body, application("dev"), [Target("", "Node", None, "x")])


def test_a_matrix_multiplies_its_two_lists() -> None:
    first = {"list": {"elements": [{"a": 1}, {"a": 2}]}}
    second = {"list": {"elements": [{"b": 3}, {"b": 4}]}}
    assert parameters({"matrix": {"generators": [first, second]}}) == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
    ]
    with pytest.raises(TemplateError, match="both generators give a"):
        parameters({"matrix": {"generators": [first, first]}})
    with pytest.raises(TemplateError, match="two generators"):
        parameters({"matrix": {"generators": [first]}})
    with pytest.raises(TemplateError, match="not known"):
        parameters({"git": {}})


def test_a_missing_key_is_an_error() -> None:
    with pytest.raises(TemplateError, match="no entry for key 'app'"):
        render("{{ .app }}", {})
    with pytest.raises(TemplateError, match="not known"):
        render("{{ .app | upper }}", {"app": "x"})


def test_a_patch_is_merged_where_its_condition_holds() -> None:
    applicationset = {
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"list": {"elements": [{"name": "a", "on": True}, {"name": "b", "on": False}]}}],
            "template": {"metadata": {"name": "{{.name}}"}, "spec": {"syncPolicy": {"retry": {"limit": 5}}}},
            "templatePatch": "{{- if .on }}\nspec:\n  syncPolicy:\n    automated: {prune: true}\n{{- end }}\n",
        }
    }
    first, second = expand(applicationset)
    assert first["spec"]["syncPolicy"] == {"retry": {"limit": 5}, "automated": {"prune": True}}
    assert second["spec"]["syncPolicy"] == {"retry": {"limit": 5}}
