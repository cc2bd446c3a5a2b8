"""What ArgoCD applies: every folder once, every chart pinned, in an order in which each finds what it needs."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from blueprint.charts import CHARTS
from blueprint.delivery import FOLLOWING, PLATFORM_BRANCH, REPOSITORY_URL
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.in_cluster import EDGE_AND_CACHE, IN_CLUSTER_CHARTS
from blueprint.services import SERVICES
from k8s_charts import tree
from k8s_charts.argocd import DEFINITIONS, ROOT
from k8s_charts.components.argocd import IGNORE_HEALTH, WAVE
from k8s_charts.facts import placeholders
from k8s_charts.main import build
from studio.home import PROJECT
from tests.support.argocd import Target, expand, refused
from tests.support.manifests import Manifests

ENVIRONMENTS = tuple(one.name for one in CLUSTER_ENVIRONMENTS)
DOCS = PROJECT / "docs" / "kubernetes" / "gitops.md"
EVERY_CHART = {chart.name: chart for chart in (*CHARTS.values(), *IN_CLUSTER_CHARTS)}


@pytest.fixture(scope="module", params=EDGE_AND_CACHE)
def manifests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """Of both choices for edge and cache."""
    app = build(replace(placeholders(), edge_and_cache=request.param))
    root = tmp_path_factory.mktemp(f"gitops-{request.param}")
    tree.write(root, app.files())
    return Manifests(app, root)


def statics(manifests: Manifests) -> list[dict[str, Any]]:
    return [one.body for one in manifests.of("Application")]


def generated(manifests: Manifests, name: str) -> list[dict[str, Any]]:
    return expand(manifests.one("ApplicationSet", name, namespace="argocd").body)


def everything(manifests: Manifests) -> Iterator[tuple[dict[str, Any], int]]:
    """Every application with the wave it comes in."""
    for body in statics(manifests):
        yield body, int(body["metadata"]["annotations"][WAVE])
    for one in manifests.of("ApplicationSet"):
        for body in expand(one.body):
            yield body, int(one.body["metadata"]["annotations"][WAVE])


def names(bodies: list[dict[str, Any]]) -> set[str]:
    return {str(body["metadata"]["name"]) for body in bodies}


def folder(body: dict[str, Any]) -> str | None:
    """The folder below gitops/ that an application applies; None for a chart's."""
    path = body["spec"].get("source", {}).get("path")
    if path is None:
        return None
    assert path.startswith("gitops/")
    return str(path.removeprefix("gitops/"))


def targets(manifests: Manifests, body: dict[str, Any]) -> list[Target]:
    path = folder(body)
    if path is None:
        return []
    return [
        Target(one.body["apiVersion"].rpartition("/")[0], one.kind, one.namespace, one.name)
        for one in manifests.built(path)
    ]


def test_the_services_set_makes_exactly_the_ten_named_applications(manifests: Manifests) -> None:
    made = generated(manifests, "pingvas-services")
    assert len(made) == 10
    assert names(made) == {f"{env}-{service}-service" for env in ("dev", "prod") for service in SERVICES}


@pytest.mark.parametrize(
    ("applicationset", "suffix"),
    [("pingvas-workers", "gpu-worker"), ("pingvas-migrations", "migrations")],
)
def test_the_other_sets_make_one_application_an_environment(
    manifests: Manifests, applicationset: str, suffix: str
) -> None:
    assert names(generated(manifests, applicationset)) == {f"{env}-{suffix}" for env in ENVIRONMENTS}


def test_names_are_unique_and_every_name_is_a_label(manifests: Manifests) -> None:
    count = Counter(body["metadata"]["name"] for body, _ in everything(manifests))
    assert [name for name, times in count.items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in count)


@pytest.mark.parametrize("applicationset", ["pingvas-services", "pingvas-workers", "pingvas-migrations"])
def test_an_environments_applications_stay_in_it(manifests: Manifests, applicationset: str) -> None:
    for body in generated(manifests, applicationset):
        environment, _, app = body["metadata"]["name"].partition("-")
        spec = body["spec"]
        assert spec["project"] == f"pingvas-{environment}"
        assert spec["destination"]["namespace"] == environment
        assert spec["source"] == {
            "repoURL": REPOSITORY_URL,
            "targetRevision": FOLLOWING[environment].branch,
            "path": f"gitops/overlays/{environment}/{app}",
        }


def test_dev_syncs_itself_from_develop_and_prod_waits_on_main(manifests: Manifests) -> None:
    assert (FOLLOWING["dev"].branch, FOLLOWING["prod"].branch) == ("develop", "main")
    for applicationset in ("pingvas-services", "pingvas-workers", "pingvas-migrations"):
        for body in generated(manifests, applicationset):
            environment = body["metadata"]["labels"]["pingvas.com/environment"]
            automated = body["spec"]["syncPolicy"].get("automated")
            assert automated == ({"prune": True, "selfHeal": True} if environment == "dev" else None), body["metadata"]


def test_guard_rails_of_both_environments_are_there_before_what_they_bind(manifests: Manifests) -> None:
    """By applications that `pingvas` waits for: a set is healthy as soon as it has made its applications."""
    rails = [body for body in statics(manifests) if body["metadata"]["name"].endswith("-environment")]
    assert names(rails) == {f"{environment}-environment" for environment in ENVIRONMENTS}
    for body in rails:
        assert body["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
        assert {target.kind for target in targets(manifests, body)} >= {"ResourceQuota", "NetworkPolicy"}
    waves = {body["metadata"]["name"]: wave for body, wave in everything(manifests)}
    for name, wave in waves.items():
        environment, _, app = name.partition("-")
        if environment in ENVIRONMENTS and app != "environment":
            assert wave > waves[f"{environment}-environment"], name


def test_what_has_the_platforms_rights_comes_from_the_reviewed_branch(manifests: Manifests) -> None:
    for body, _ in everything(manifests):
        if body["spec"]["project"] != "pingvas-platform":
            continue
        for source in body["spec"].get("sources") or [body["spec"]["source"]]:
            if source["repoURL"] == REPOSITORY_URL:
                assert source["targetRevision"] == PLATFORM_BRANCH, body["metadata"]["name"]


def test_every_folder_is_applied_by_exactly_one_application(manifests: Manifests) -> None:
    applied = Counter(path for body, _ in everything(manifests) if (path := folder(body)))
    assert set(applied) == set(manifests.folders())
    assert [path for path, times in applied.items() if times > 1] == []


def test_every_chart_is_installed_once_at_its_pinned_version_with_values_from_git(manifests: Manifests) -> None:
    installed = {}
    for body in statics(manifests):
        if "sources" not in body["spec"]:
            continue
        chart, values = body["spec"]["sources"]
        assert values == {"repoURL": REPOSITORY_URL, "targetRevision": PLATFORM_BRANCH, "ref": "values"}
        name = body["metadata"]["name"]
        (file,) = chart["helm"]["valueFiles"]
        assert file == f"$values/gitops/addons/{name}/values.yaml"
        assert (manifests.root / "addons" / name / "values.yaml").is_file()
        assert not ({"parameters", "values", "valuesObject"} & chart["helm"].keys()), "values stand in one place"
        installed[name] = (chart["repoURL"], chart["chart"], chart["targetRevision"], chart["helm"]["releaseName"])
    written = {path.parent.name for path in (manifests.root / "addons").glob("*/values.yaml")}
    assert set(installed) == written
    for name, found in installed.items():
        chart = EVERY_CHART[name]
        assert found == (chart.source, chart.chart, chart.version, chart.release_name)
        assert re.fullmatch(r"\d+\.\d+\.\d+", chart.version), "a version, not a range"


def test_every_project_admits_what_its_applications_apply(manifests: Manifests) -> None:
    projects = {one.name: one.body for one in manifests.of("AppProject")}
    for body, _ in everything(manifests):
        found = refused(projects[body["spec"]["project"]], body, targets(manifests, body))
        assert found == [], body["metadata"]["name"]


def test_definitions_come_strictly_before_objects_of_their_kinds(manifests: Manifests) -> None:
    brought = {group: chart for chart in CHARTS.values() for group in chart.brings}
    checked = 0
    for body, wave in everything(manifests):
        for target in targets(manifests, body):
            # ArgoCD's own are there when its chart has been installed by hand.
            if (chart := brought.get(target.group)) and chart.name != "argo-cd":
                assert wave > chart.wave, f"{body['metadata']['name']}: {target.kind} before {chart.name}"
                checked += 1
            assert chart or not _custom(target.group), f"nothing brings {target.group}"
    assert checked > 10


def _custom(group: str) -> bool:
    return "." in group and not group.endswith(".k8s.io")


def test_namespaces_come_before_everything_in_them(manifests: Manifests) -> None:
    given = {"kube-system", "argocd"}
    made = {
        target.name: (body["metadata"]["name"], wave)
        for body, wave in everything(manifests)
        for target in targets(manifests, body)
        if target.kind == "Namespace"
    }
    for body, wave in everything(manifests):
        name = body["metadata"]["name"]
        used = {target.namespace for target in targets(manifests, body)} | {
            body["spec"]["destination"].get("namespace")
        }
        for namespace in used - {None} - given:
            assert namespace in made, f"{namespace}, for {name}, is made by nobody"
            maker, first = made[namespace]
            assert name == maker or wave > first, f"{name} comes before namespace {namespace}"


def test_nodes_for_pods_of_the_general_pool_come_before_those_pods(manifests: Manifests) -> None:
    waves = {body["metadata"]["name"]: wave for body, wave in everything(manifests)}
    assert waves["karpenter-crd"] < waves["karpenter"] < waves["platform-karpenter"]
    # What runs before there is a pool selects system nodes or has no pods.
    early = {name for name, wave in waves.items() if name in EVERY_CHART and wave <= waves["platform-karpenter"]}
    assert early == {"argo-cd", "karpenter", *DEFINITIONS}
    for name in DEFINITIONS:
        (body,) = [one for one in statics(manifests) if one["metadata"]["name"] == name]
        assert body["spec"]["syncPolicy"]["automated"]["prune"] is False


def test_every_application_is_applied_server_side_into_namespaces_that_exist(manifests: Manifests) -> None:
    for body, _ in everything(manifests):
        options = body["spec"]["syncPolicy"]["syncOptions"]
        assert "ServerSideApply=true" in options
        assert "CreateNamespace=false" in options
        assert body["spec"]["syncPolicy"]["retry"]["limit"] != 0
        assert body["spec"]["syncPolicy"]["retry"]["refresh"] is True


def test_removing_an_application_takes_nothing_down(manifests: Manifests) -> None:
    for one in (*manifests.of("Application"), *manifests.of("ApplicationSet"), *manifests.of("AppProject")):
        assert "finalizers" not in one.body["metadata"], str(one)
    for one in manifests.of("ApplicationSet"):
        assert one.body["spec"]["syncPolicy"] == {
            "applicationsSync": "create-update",
            "preserveResourcesOnDeletion": True,
        }
        for body in expand(one.body):
            assert "finalizers" not in body["metadata"]


def test_bootstrap_brings_the_projects_and_the_one_application_that_brings_all_others(manifests: Manifests) -> None:
    assert sorted((one.kind, one.name) for one in manifests.built("bootstrap")) == [
        ("AppProject", "default"),
        ("AppProject", "pingvas-dev"),
        ("AppProject", "pingvas-platform"),
        ("AppProject", "pingvas-prod"),
        ("Application", ROOT),
    ]
    (root,) = [body for body in statics(manifests) if body["metadata"]["name"] == ROOT]
    assert folder(root) == "argocd"
    assert root["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert root["metadata"]["annotations"][IGNORE_HEALTH] == "true", "it would wait for itself"
    assert root["spec"]["syncPolicy"]["retry"]["limit"] < 0
    assert {one.kind for one in manifests.built("argocd")} == {"Application", "ApplicationSet"}


def test_argocd_takes_itself_over(manifests: Manifests) -> None:
    own = [body for body in statics(manifests) if body["metadata"]["name"] == "argo-cd"]
    assert [body["spec"]["destination"]["namespace"] for body in own] == ["argocd"]
    assert own[0]["spec"]["sources"][0]["helm"]["releaseName"] == "argocd"
    assert own[0]["spec"]["syncPolicy"]["automated"]


def test_nobody_but_the_autoscaler_sets_replicas(manifests: Manifests) -> None:
    """What a sync is told to respect it writes itself, as it was when the sync began."""
    scaled = 0
    for applicationset in ("pingvas-services", "pingvas-workers"):
        for body in generated(manifests, applicationset):
            for ignored in body["spec"].get("ignoreDifferences", []):
                assert ignored["kind"] != "Deployment", body["metadata"]["name"]
            for one in manifests.built(str(folder(body))):
                if one.kind == "Deployment":
                    assert "replicas" not in one.body["spec"], body["metadata"]["name"]
                    scaled += 1
    assert scaled == len(ENVIRONMENTS) * (len(SERVICES) + 1)


def test_the_table_of_waves_in_the_docs_is_the_one_that_is_applied(manifests: Manifests) -> None:
    if any(folder.path.startswith("in-cluster/") for folder in manifests.app.folders()):
        pytest.skip("the table is of the default")
    waves: dict[int, set[str]] = {}
    for one in (*manifests.of("Application"), *manifests.of("ApplicationSet")):
        if one.name != ROOT:
            waves.setdefault(int(one.body["metadata"]["annotations"][WAVE]), set()).add(one.name)
    rows = re.findall(r"^\| (\d+) \| (`.*`) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(wave): set(re.findall(r"`([^`]+)`", names_)) for wave, names_ in rows} == waves
