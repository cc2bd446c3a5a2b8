"""Values of the Helm charts: keys that the charts know, sizes of the blueprint, accounts that AWS binds roles to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint.addons import ADDONS
from blueprint.buckets import BACKUPS_BUCKET, BUCKETS
from blueprint.charts import CHARTS, SHARED, secret_namespaces
from blueprint.cluster import INTERRUPTION_QUEUE, NAME
from blueprint.components import COMPONENTS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.workloads import WORKLOADS
from k8s_charts import addons, monitoring
from k8s_charts.components.helm import resources, selector
from k8s_charts.facts import placeholders
from tests.support.manifests import Manifests

KNOWN = Path(__file__).parent / "charts"
VALUES = addons.values(placeholders())
EVERY = {**VALUES, **monitoring.values(placeholders())}
VERSIONS = {chart.chart: chart.version for chart in CHARTS.values()}


def paths(value: Any, here: str = "") -> Iterator[str]:
    """Every leaf of a values file, as the lists of known keys write it."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from paths(one, f"{here}.{key}" if here else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for one in value:
            yield from paths(one, f"{here}[]")
    elif here:
        yield f"{here}[]" if isinstance(value, list) else here


def known(chart: str) -> list[str]:
    lines = (KNOWN / f"{chart}.txt").read_text().splitlines()
    assert VERSIONS[chart] in lines[0], f"the list of {chart} is of another version"
    return [line for line in lines if not line.startswith("#")]


def fits(path: str, allowed: list[str]) -> bool:
    return any(
        path == one
        or (one.endswith(".*") and path.startswith(one[:-1]))
        or (one.endswith("[]") and path.startswith(one))
        for one in allowed
    )


def found(value: Any, wanted: Any) -> bool:
    """Whether a part of the values equals `wanted`."""
    if value == wanted:
        return True
    if isinstance(value, dict):
        return any(found(one, wanted) for one in value.values())
    return isinstance(value, list) and any(found(one, wanted) for one in value)


def test_every_chart_has_values() -> None:
    assert set(EVERY) == set(CHARTS)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_key_is_one_of_the_charts(name: str) -> None:
    allowed = known(CHARTS[name].chart)
    assert [path for path in paths(EVERY[name]) if not fits(path, allowed)] == []


def test_a_key_that_the_chart_does_not_know_is_noticed() -> None:
    allowed = known("keda")
    assert not fits("operator.replicas", allowed)
    assert not fits("nodeSelectors.role", allowed)
    assert fits("nodeSelector.role", allowed)
    assert list(paths({"a": {"b": [{"c": 1}], "d": [1], "e": {}}})) == ["a.b[].c", "a.d[]", "a.e"]


@pytest.mark.parametrize("name", sorted(EVERY))
def test_values_on_disk_are_the_ones_that_were_judged(manifests: Manifests, name: str) -> None:
    assert yaml.safe_load((manifests.root / "addons" / name / "values.yaml").read_text()) == EVERY[name]


@pytest.mark.parametrize(
    "component", [name for name, one in COMPONENTS.items() if one.chart in VALUES], ids=lambda name: name
)
def test_every_pod_asks_for_what_the_blueprint_counts_and_runs_where_it_counts_it(component: str) -> None:
    values = VALUES[COMPONENTS[component].chart]
    assert found(values, resources(component))
    if chosen := selector(component):
        assert any(chosen.items() <= one.items() for one in _selectors(values))


def _selectors(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "nodeSelector":
                yield one
            else:
                yield from _selectors(one)


def test_no_pod_has_a_cpu_limit_and_each_has_a_memory_limit() -> None:
    for name, values in VALUES.items():
        for one in _resources(values):
            assert set(one) == {"requests", "limits"}, name
            assert set(one["requests"]) == {"cpu", "memory"}, name
            assert set(one["limits"]) == {"memory"}, name


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "requests" in value:
            yield value
        else:
            for one in value.values():
                yield from _resources(one)
    elif isinstance(value, list):
        for one in value:
            yield from _resources(one)


def test_every_role_that_a_chart_uses_is_bound_to_the_account_the_chart_makes() -> None:
    ours = {chart.namespace: set[str]() for chart in CHARTS.values()}
    for chart in CHARTS.values():
        for account in chart.accounts:
            if chart.name in VALUES:
                assert found(VALUES[chart.name], account), f"{chart.name} makes no account {account}"
            ours[chart.namespace].add(account)
    of_eks = {one.workload for one in ADDONS}
    for workload in WORKLOADS.values():
        if workload.name in of_eks or workload.namespace in {one.namespace for one in CLUSTER_ENVIRONMENTS}:
            continue
        assert workload.service_account in ours[workload.namespace], f"no chart has {workload.service_account}"


def test_pods_are_restricted() -> None:
    contexts = [one for values in VALUES.values() for one in _contexts(values)]
    assert len(contexts) > 10
    for one in contexts:
        assert one["allowPrivilegeEscalation"] is False
        assert one["capabilities"] == {"drop": ["ALL"]}
        assert one["runAsNonRoot"] is True
        assert one["seccompProfile"] == {"type": "RuntimeDefault"}


def _contexts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "allowPrivilegeEscalation" in value:
            yield value
        for one in value.values():
            yield from _contexts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _contexts(one)


def test_argocd_lets_nobody_in_but_the_workflows_which_may_sync_and_no_more() -> None:
    values = VALUES["argo-cd"]
    cm, params, rbac = values["configs"]["cm"], values["configs"]["params"], values["configs"]["rbac"]
    assert cm["admin.enabled"] is False
    assert cm["users.anonymous.enabled"] is False
    assert values["dex"]["enabled"] is False
    assert values["server"]["ingress"]["enabled"] is False
    assert values["server"]["service"]["type"] == "ClusterIP"
    assert [key for key in cm if key.startswith("accounts.")] == ["accounts.pingvas-delivery"]
    assert cm["accounts.pingvas-delivery"] == "apiKey"
    assert rbac["policy.default"] == ""
    granted = [line.split(", ") for line in rbac["policy.csv"].splitlines() if line.startswith("p, ")]
    assert {(resource, action) for _, _, resource, action, _, _ in granted} == {
        ("applications", "get"),
        ("applications", "sync"),
    }
    assert {target for *_, target, _ in granted} == {"pingvas-dev/*", "pingvas-prod/*"}
    assert params["application.namespaces"] == ""
    assert values["applicationSet"]["allowAnyNamespace"] is False


def test_argocd_can_be_installed_where_no_monitor_is_known() -> None:
    assert not any("serviceMonitor" in path for path in paths(VALUES["argo-cd"]))


def test_every_release_of_external_secrets_serves_one_store_and_one_namespace() -> None:
    releases = list(secret_namespaces())
    classes, namespaces = set(), set()
    for name in releases:
        values = VALUES[name]
        classes.add(values["controllerClass"])
        namespaces.add(values["scopedNamespace"])
        assert values["scopedRBAC"] is True, "rights in the whole cluster would let it write every Secret"
        assert values["extraArgs"]["enable-cluster-store-reconciler"] == "true"
        assert values["leaderElect"] is False
        assert values["serviceAccount"]["name"] == name
        assert values["installCRDs"] is False
    assert len(classes) == len(namespaces) == len(releases)
    for part in ("webhook", "certController"):
        assert [name for name in releases if VALUES[name][part]["create"]] == [SHARED]


def test_definitions_of_external_secrets_come_alone() -> None:
    values = VALUES["external-secrets-crds"]
    assert values["installCRDs"] is True
    assert values["createOperator"] is False
    assert [values[part]["create"] for part in ("rbac", "serviceAccount", "webhook", "certController")] == [False] * 4


def test_karpenter_runs_on_system_nodes_and_reads_this_clusters_queue() -> None:
    values = VALUES["karpenter"]
    assert values["settings"]["clusterName"] == NAME
    assert values["settings"]["interruptionQueue"] == INTERRUPTION_QUEUE
    assert values["nodeSelector"]["role"] == "system"
    assert values["replicas"] >= 2
    assert {"name": "AWS_REGION", "value": "us-east-1"} in values["controller"]["env"]


def test_the_load_balancer_controller_makes_no_load_balancer() -> None:
    values = VALUES["aws-load-balancer-controller"]
    assert values["createIngressClassResource"] is False
    assert values["enableServiceMutatorWebhook"] is False
    assert values["enableBackendSecurityGroup"] is False
    assert values["controllerConfig"]["featureGates"] == dict.fromkeys(
        ("EnableServiceController", "ALBGatewayAPI", "NLBGatewayAPI", "GatewayListenerSet"), False
    )
    assert values["vpcId"].startswith("vpc-")
    assert values["region"] == "us-east-1"


def test_keda_reads_two_namespaces_and_scales_deployments(manifests: Manifests) -> None:
    values = VALUES["keda"]
    scaled = manifests.of("ScaledObject")
    assert {one.namespace for one in scaled} == set(values["watchNamespace"].split(","))
    assert all(one.body["spec"]["scaleTargetRef"].get("kind", "Deployment") == "Deployment" for one in scaled)
    assert values["rbac"]["enabledCustomScaledRefKinds"] is False, "a right to everything, for kinds that nobody scales"
    assert "operator" not in values["permissions"], "a list of names would look narrower than it is"


def test_backups_are_daily_and_live_as_long_as_their_bucket_keeps_them() -> None:
    values = VALUES["velero"]
    (location,) = values["configuration"]["backupStorageLocation"]
    assert location["bucket"] == placeholders()[f"buckets/{BACKUPS_BUCKET}"]
    (schedule,) = values["schedules"].values()
    minute, hour, *rest = schedule["schedule"].split()
    assert minute.isdigit()
    assert hour.isdigit()
    assert rest == ["*", "*", "*"]
    kept = next(one.delete_after for one in BUCKETS if one.name == BACKUPS_BUCKET)
    assert schedule["template"]["ttl"] == f"{kept * 24}h0m0s" == "720h0m0s"
    assert values["deployNodeAgent"] is False
    assert values["credentials"]["useSecret"] is False
    (plugin,) = values["initContainers"]
    assert plugin["image"].partition(":")[2].startswith("v1.14."), "the plugin's line for Velero 1.18"
    assert CHARTS["velero"].app_version.startswith("1.18.")


def test_runners_wait_at_zero_and_have_no_rights_of_their_own() -> None:
    values = VALUES["gha-runner-scale-set"]
    assert values["minRunners"] == 0
    assert 0 < values["maxRunners"] == COMPONENTS["actions-runner"].replicas
    pod = values["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod, "the chart's own account without rights"
    (container,) = pod["containers"]
    assert not container["image"].endswith(":latest")
    assert isinstance(values["githubConfigSecret"], str), "the name of a Secret, never its content"
    controller = VALUES["gha-runner-scale-set-controller"]
    assert values["controllerServiceAccount"]["name"] == controller["serviceAccount"]["name"]
    assert controller["flags"]["watchSingleNamespace"] == CHARTS["gha-runner-scale-set"].namespace
