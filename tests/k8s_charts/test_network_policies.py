"""Who reaches whom, of the policies as they are applied: the list in blueprint/reach.py is all of it."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.network import INSTANCE_METADATA, NETWORK, PRIVATE_RANGES, check
from blueprint.reach import CLOSED, PLACES, allowed
from blueprint.rules import RuleError
from blueprint.services import SERVICES
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from k8s_charts import tree
from k8s_charts.facts import placeholders
from k8s_charts.main import build, files
from studio.cloud.reachability.difference import differences, plan
from studio.cloud.reachability.estate import estate, rendered
from studio.cloud.reachability.evaluator import Evaluator
from studio.cloud.reachability.lines import UNRULED
from studio.cloud.reachability.matrix import Matrix, matrix
from studio.cloud.reachability.policies import read
from studio.cloud.reachability.ports import ANY, NONE, Ports
from studio.cloud.reachability.report import Report, report
from tests.support.manifests import Manifests

ENVIRONMENTS = [one.namespace for one in CLUSTER_ENVIRONMENTS]
RULED = (*ENVIRONMENTS, *CLOSED)


@pytest.fixture(scope="module")
def objects(manifests: Manifests) -> list[dict[str, Any]]:
    return [one.body for one in manifests.all()]


@pytest.fixture(scope="module")
def own(reachability: Report) -> Matrix:
    return reachability.own


def pods(reachability: Report, namespace: str) -> list[str]:
    return [one.name for one in reachability.estate.pods if one.namespace == namespace]


def test_both_analysers_find_exactly_what_the_blueprint_lists(reachability: Report) -> None:
    assert reachability.problems == []
    assert reachability.own == reachability.other


def test_every_workload_is_somebody_that_the_analysers_were_asked_about(
    reachability: Report, manifests: Manifests
) -> None:
    known = {*(one.name for one in reachability.estate.pods), *reachability.estate.on_nodes}
    made = {f"{one.namespace}/{one.name}" for one in manifests.all() if one.pod is not None}
    assert made <= known
    assert {f"{env}/{one.title}" for env in ENVIRONMENTS for one in SERVICES.values()} <= made
    assert {f"{env}/{app}" for env in ENVIRONMENTS for app in ("gpu-worker", "migrations")} <= made
    assert any(one.startswith("bootstrap/") for one in made)


@pytest.mark.parametrize(("one", "other"), [("dev", "prod"), ("prod", "dev")])
def test_no_pod_of_one_environment_reaches_one_of_the_other(one: str, other: str, reachability: Report) -> None:
    pairs = [
        pair
        for pair in (*reachability.own, *reachability.other)
        if pair[0].startswith(f"{one}/") and pair[1].startswith(f"{other}/")
    ]
    assert pairs == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_neither_end_lets_the_other_environment_through_even_if_its_peer_had_no_policy(
    environment: str, reachability: Report
) -> None:
    evaluator = Evaluator(reachability.estate)
    [other] = [one for one in ENVIRONMENTS if one != environment]
    for pod in (reachability.estate.pod(name) for name in pods(reachability, environment)):
        for peer in (reachability.estate.pod(name) for name in pods(reachability, other)):
            assert evaluator.by_selector("egress", pod, peer) == NONE
            assert evaluator.by_selector("ingress", pod, peer) == NONE
        for private in NETWORK.private:
            assert evaluator.by_address("ingress", pod, private[20]) == NONE
            out = evaluator.by_address("egress", pod, private[20])
            assert out == (Ports.of("tcp/443") if pod.app == "gpu-worker" else NONE)


def test_services_reach_the_data_subnets_on_5432_and_6379_and_migrations_on_5432(own: Matrix) -> None:
    for environment in ENVIRONMENTS:
        for app in (*(one.title for one in SERVICES.values()), "gpu-worker"):
            assert str(own[f"{environment}/{app}", "data-subnets"]) == "tcp/5432, tcp/6379"
        assert str(own[f"{environment}/migrations", "data-subnets"]) == "tcp/5432"


def test_nobody_else_reaches_the_data_subnets_but_keda_and_the_bootstrap(own: Matrix) -> None:
    others = {source.partition("/")[0] for source, target in own if target == "data-subnets"}
    assert others - {UNRULED} == {*ENVIRONMENTS, "keda", "bootstrap"}
    assert all(
        str(reach) == "tcp/6379"
        for pair, reach in own.items()
        if pair[0].startswith("keda/") and pair[1] == "data-subnets"
    )


def test_no_pod_under_a_policy_reaches_instance_metadata(reachability: Report) -> None:
    metadata = IPv4Address(INSTANCE_METADATA.network_address)
    evaluator = Evaluator(reachability.estate)
    for pod in reachability.estate.pods:
        ruled = pod.namespace in RULED
        assert evaluator.by_address("egress", pod, metadata) == (NONE if ruled else ANY), pod.name
        assert ruled or pod.namespace == UNRULED, f"{pod.name} has no policy"


def test_the_load_balancer_reaches_each_service_on_its_own_port_and_nothing_else(own: Matrix) -> None:
    reached = {target: str(reach) for (source, target), reach in own.items() if source == "public-subnets"}
    wanted = {f"{env}/{one.title}": f"tcp/{one.port}" for env in ENVIRONMENTS for one in SERVICES.values()}
    assert {name: ports for name, ports in reached.items() if not name.startswith(f"{UNRULED}/")} == wanted


def test_prometheus_reaches_every_port_that_its_monitors_name_and_other_pods_of_monitoring_none(
    own: Matrix, reachability: Report
) -> None:
    for environment in ENVIRONMENTS:
        wanted = {one.title: one.port for one in SERVICES.values()} | {"gpu-worker": WORKER.metrics_port}
        for app, port in wanted.items():
            assert str(own["monitoring/prometheus", f"{environment}/{app}"]) == f"tcp/{port}"
            pod = reachability.estate.pod(f"{environment}/{app}")
            assert port in pod.named.values(), f"{pod.name} has no port {port}"
    others = {
        source
        for source, target in own
        if source.startswith("monitoring/") and target.partition("/")[0] in ENVIRONMENTS
    }
    assert others == {"monitoring/prometheus"}


def test_only_who_has_a_role_reaches_the_pod_identity_agent(own: Matrix) -> None:
    callers = {
        source for source, target in own if target == "pod-identity-agent" and source.partition("/")[0] in ENVIRONMENTS
    }
    assert callers == {
        f"{one.namespace}/{one.service_account}" for one in WORKLOADS.values() if one.namespace in ENVIRONMENTS
    }
    namespaces = {source.partition("/")[0] for source, target in own if target == "pod-identity-agent"}
    assert {one.namespace for one in WORKLOADS.values()} <= namespaces


def test_the_worker_alone_of_an_environment_reaches_the_kubernetes_api(own: Matrix) -> None:
    for place in ("api-server", "private-subnets"):
        callers = {source for source, target in own if target == place and source.partition("/")[0] in ENVIRONMENTS}
        assert callers == {f"{one}/gpu-worker" for one in ENVIRONMENTS}
        assert {str(own[source, place]) for source in callers} == {"tcp/443"}


def test_the_internet_and_the_rest_of_the_vpc_reach_no_pod_under_a_policy(own: Matrix) -> None:
    senders = {source for source, target in own if source in PLACES and target.partition("/")[0] in RULED}
    assert senders == {"public-subnets", "private-subnets"}
    webhooks = {pair[1].partition("/")[0]: str(reach) for pair, reach in own.items() if pair[0] == "private-subnets"}
    del webhooks[UNRULED]
    assert webhooks == {"keda": "tcp/6443, tcp/9443", "external-secrets": "tcp/10250"}


def test_a_services_port_is_the_port_of_its_pods(manifests: Manifests) -> None:
    """The VPC CNI sees a Service's address and port before they become a pod's."""
    checked = 0
    for one in manifests.of("Service"):
        if one.namespace not in ENVIRONMENTS:
            continue
        pod = estate([body.body for body in manifests.all()]).pod(f"{one.namespace}/{one.name}")
        for port in one.body["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            assert (pod.named[target, "tcp"] if isinstance(target, str) else target) == port["port"], str(one)
            checked += 1
    assert checked == len(ENVIRONMENTS) * len(SERVICES)


def test_every_policy_names_its_directions_and_every_ruled_namespace_denies_both(objects: list[dict[str, Any]]) -> None:
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    assert all(one["spec"]["policyTypes"] for one in policies)
    for namespace in RULED:
        denied = {
            direction
            for one in map(read, policies)
            if one.namespace == namespace and not one.pods.labels and not one.pods.expressions
            for direction in one.rules
        }
        assert denied == {"ingress", "egress"}, namespace


def test_ports_443_of_the_data_subnets_are_open_where_interface_endpoints_stand_there() -> None:
    app = build(replace(placeholders(), interface_endpoints=True))
    objects = [body for folder in app.folders() for body in folder.objects() if body["kind"] == "NetworkPolicy"]
    for environment in ENVIRONMENTS:
        names = [one["metadata"]["name"] for one in objects if one["metadata"]["namespace"] == environment]
        assert "allow-interface-endpoints" in names
    assert sum(one["metadata"]["name"] == "allow-interface-endpoints" for one in objects) == len(ENVIRONMENTS)


def test_interface_endpoints_open_exactly_what_the_blueprint_says(objects: list[dict[str, Any]]) -> None:
    app = build(replace(placeholders(), interface_endpoints=True))
    policies = [body for folder in app.folders() for body in folder.objects() if body["kind"] == "NetworkPolicy"]
    there = estate([*(one for one in objects if one["kind"] != "NetworkPolicy"), *policies])
    wanted = plan(allowed(interface_endpoints=True), (one.name for one in there.pods))
    assert [str(one) for one in differences(matrix(Evaluator(there)), wanted, "own")] == []


def test_with_edge_and_cache_as_pods_the_list_is_that_of_the_policies_too(tmp_path: Path) -> None:
    tree.write(tmp_path, files(build(replace(placeholders(), edge_and_cache="in-cluster"))))
    assert report(estate(rendered(tmp_path)), in_cluster=True).problems == []


@pytest.mark.parametrize("field", ["vpc", "services"])
def test_a_range_that_policies_would_take_for_the_internet_stops_synthesis(field: str) -> None:
    wide = replace(NETWORK, **{field: PLACES["internet"][20]})
    with pytest.raises(RuleError, match=f"network.{field}"):
        check(wide)
    assert all(any(getattr(NETWORK, one).subnet_of(each) for each in PRIVATE_RANGES) for one in ("vpc", "services"))
