"""The evaluator says what the Kubernetes API reference says."""

from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Any

import pytest

from blueprint.reach import PLACES, Allowed
from studio.cloud.reachability.difference import differences, disagreements, plan, unmatched
from studio.cloud.reachability.estate import Estate, Pod, estate
from studio.cloud.reachability.evaluator import Evaluator
from studio.cloud.reachability.matrix import Matrix, matrix
from studio.cloud.reachability.policies import PolicyError, read
from studio.cloud.reachability.ports import ANY, NONE, Ports
from studio.cloud.reachability.prefixes import PORTS_MAXIMUM, traps
from tests.support.reachability import cluster, policy

WEB = Pod("a", "web", {"app": "web", "tier": "front"}, {("http", "tcp"): 8080})
DATA = Pod("a", "data", {"app": "data"}, {("http", "tcp"): 9090})
OTHER = Pod("b", "other", {"app": "web"}, {("http", "tcp"): 7070})
PODS = (WEB, DATA, OTHER)
OPEN = Ports.of("tcp/443")
HTTPS = [{"port": 443}]


def made(*policies: dict[str, Any], pods: tuple[Pod, ...] = PODS) -> Matrix:
    return matrix(Evaluator(cluster(policies, *pods)))


def ports(found: Matrix, source: str, target: str) -> str:
    """Ports for some address, and after a slash those for every one where they differ."""
    reach = found.get((source, target))
    return str(reach) if reach else "-"


def incoming(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return policy("a", policyTypes=["Ingress"], ingress=list(rules), **more)


def outgoing(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return policy("a", policyTypes=["Egress"], egress=list(rules), **more)


def test_without_a_policy_everything_is_open() -> None:
    found = made()
    assert ports(found, "a/web", "b/other") == "any"
    assert ports(found, "internet", "a/web") == "any"


def test_a_policy_without_rules_denies_its_direction_alone() -> None:
    found = made(incoming())
    assert ports(found, "b/other", "a/web") == "-"
    assert ports(found, "a/web", "b/other") == "any"


def test_a_policy_without_types_is_of_ingress_and_of_egress_only_where_it_has_rules() -> None:
    without = policy("a", ingress=[])
    assert ports(made(without), "b/other", "a/web") == "-"
    assert ports(made(without), "a/web", "internet") == "any"
    assert ports(made(policy("a", egress=[{"ports": HTTPS}])), "a/web", "internet") == "tcp/443"
    assert ports(made(policy("a", egress=[])), "a/web", "internet") == "any"


def test_an_empty_peer_list_is_anybody_and_an_empty_port_list_every_port() -> None:
    assert ports(made(incoming({"from": [], "ports": HTTPS})), "internet", "a/web") == "tcp/443"
    assert ports(made(incoming({"from": [{"podSelector": {}}], "ports": []})), "a/data", "a/web") == "any"


def test_a_pod_selector_alone_stays_in_its_namespace() -> None:
    found = made(incoming({"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}))
    assert ports(found, "a/web", "a/data") == "any"
    assert ports(found, "b/other", "a/data") == "-"


def test_a_namespace_selector_alone_takes_all_of_its_pods_and_with_a_pod_selector_some() -> None:
    b = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}}
    assert ports(made(incoming({"from": [b]})), "b/other", "a/web") == "any"
    assert ports(made(incoming({"from": [b]})), "a/data", "a/web") == "-"
    some = {**b, "podSelector": {"matchLabels": {"app": "data"}}}
    assert ports(made(incoming({"from": [some]})), "b/other", "a/web") == "-"


def test_an_empty_namespace_selector_is_every_namespace() -> None:
    found = made(incoming({"from": [{"namespaceSelector": {}}]}))
    assert ports(found, "b/other", "a/web") == "any"
    assert ports(found, "internet", "a/web") == "-"


def test_selectors_do_not_match_addresses_outside() -> None:
    found = made(outgoing({"to": [{"namespaceSelector": {}}]}))
    assert ports(found, "a/web", "b/other") == "any"
    assert ports(found, "a/web", "data-subnets") == "-"


def test_an_address_range_that_covers_the_private_subnets_reaches_pods() -> None:
    found = made(outgoing({"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": HTTPS}))
    assert ports(found, "a/web", "b/other") == "tcp/443"
    without = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/16"]}
    found = made(outgoing({"to": [{"ipBlock": without}], "ports": HTTPS}))
    assert ports(found, "a/web", "b/other") == "-"
    assert ports(found, "a/web", "internet") == "tcp/443"


def test_an_address_range_that_covers_some_of_them_reaches_pods_for_some_address() -> None:
    found = made(outgoing({"to": [{"ipBlock": {"cidr": "10.0.11.128/25"}}]}))["a/web", "b/other"]
    assert found.some == ANY
    assert found.every == NONE


def test_one_end_may_go_by_address_and_the_other_by_selector() -> None:
    one = outgoing({"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": HTTPS}, pods={"matchLabels": {"app": "web"}})
    other = policy(
        "b", "in", policyTypes=["Ingress"], ingress=[{"from": [{"namespaceSelector": {}}], "ports": [{"port": 443}]}]
    )
    assert ports(made(one, other), "a/web", "b/other") == "tcp/443"


def test_a_named_port_is_the_receivers() -> None:
    named = [{"port": "http"}]
    found = made(outgoing({"to": [{"namespaceSelector": {}}], "ports": named}))
    assert ports(found, "a/web", "a/data") == "tcp/9090"
    assert ports(found, "a/web", "b/other") == "tcp/7070"
    assert ports(made(incoming({"ports": [{"port": "https"}]})), "b/other", "a/web") == "-"
    assert ports(made(incoming({"ports": named})), "internet", "a/web") == "tcp/8080"


def test_a_port_may_be_a_range_or_a_whole_protocol() -> None:
    assert ports(made(incoming({"ports": [{"port": 80, "endPort": 90}]})), "b/other", "a/web") == "tcp/80-90"
    assert ports(made(incoming({"ports": [{"protocol": "UDP"}]})), "b/other", "a/web") == "udp/1-65535"


def test_policies_of_one_pod_add_up() -> None:
    more = (
        incoming({"ports": [{"port": 80}]}),
        {**incoming({"ports": HTTPS}), "metadata": {"name": "two", "namespace": "a"}},
    )
    assert ports(made(*more), "b/other", "a/web") == "tcp/80, tcp/443"


def test_a_policy_holds_in_its_own_namespace_and_for_its_own_pods() -> None:
    found = made(incoming(pods={"matchExpressions": [{"key": "tier", "operator": "Exists"}]}))
    assert ports(found, "b/other", "a/web") == "-"
    assert ports(found, "b/other", "a/data") == "any"
    assert ports(found, "a/data", "b/other") == "any"


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["front"], {"a/web"}),
        ("NotIn", ["front"], {"a/data"}),
        ("Exists", [], {"a/web"}),
        ("DoesNotExist", [], {"a/data"}),
    ],
)
def test_expressions_select_as_labels_do(operator: str, values: list[str], selected: set[str]) -> None:
    expression = {"key": "tier", "operator": operator, **({"values": values} if values else {})}
    found = made(incoming(pods={"matchExpressions": [expression]}))
    assert {pod for pod in ("a/web", "a/data") if ports(found, "b/other", pod) == "-"} == selected


@pytest.mark.parametrize(
    "spec",
    [
        {"podselector": {}},
        {"ingress": [{"form": []}]},
        {"ingress": [{"from": [{"ipblock": {}}]}]},
        {"ingress": [{"from": [{}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/16"}, "podSelector": {}}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.1.0.0/16"]}}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1/16"}}]}]},
        {"ingress": [{"ports": [{"port": 90, "endPort": 80}]}]},
        {"ingress": [{"ports": [{"port": "http", "endPort": 80}]}]},
        {"ingress": [{"ports": [{"protocol": "ICMP"}]}]},
        {"policyTypes": ["ingress"]},
        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In"}]}},
        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Is", "values": ["web"]}]}},
    ],
)
def test_what_kubernetes_would_refuse_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="NetworkPolicy a/one"):
        read(policy("a", **spec))


def test_pods_of_the_nodes_network_are_addresses() -> None:
    template = {"metadata": {"labels": {"app": "agent"}}, "spec": {"hostNetwork": True, "containers": []}}
    agent = {"kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "a"}, "spec": {"template": template}}
    found = estate([agent])
    assert "a/agent" in found.on_nodes
    assert "a/agent" not in [one.name for one in found.pods]


def test_places_and_pods_are_all_addresses_there_are() -> None:
    ranges = sorted((one for part in PLACES.values() for one in part), key=lambda one: one.network_address)
    assert sum(one.num_addresses for one in ranges) == 2**32
    assert not any(one.overlaps(other) for one, other in pairwise(ranges))


def test_a_pair_that_is_more_or_less_open_than_planned_is_told_by_its_names() -> None:
    rows = (Allowed(("a/*",), ("a/*",), ("tcp/80",), "neighbours"), Allowed(("c/*",), ("a/web",), ("any",), "gone"))
    found = made(incoming({"from": [{"podSelector": {}}], "ports": HTTPS}))
    told = [str(one) for one in differences(found, plan(rows, (one.name for one in PODS)), "us")]
    assert "a/data -> a/web: open on tcp/443, allowed nothing (us)" not in told
    assert "a/data -> a/web: open on tcp/443, allowed tcp/80 (us)" in told
    assert "a/data -> a/web: closed on tcp/80, which is allowed (us)" in told
    assert unmatched(rows, (one.name for one in PODS)) == ["c/*"]


def test_two_matrices_that_differ_are_told_by_the_pair() -> None:
    closed, opened = made(incoming()), made(incoming({"from": [{"podSelector": {}}]}))
    told = [str(one) for one in disagreements(closed, opened, ("one", "two"))]
    assert "a/data -> a/web: one says -, two says any (both analysers)" in told


def test_an_exception_within_a_range_that_another_rule_allows_is_a_trap() -> None:
    wide = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 5432}]}
    out = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/16"]}}], "ports": HTTPS}
    told = list(traps(Evaluator(cluster([outgoing(wide, out)], WEB, OTHER))))
    assert any("egress 10.0.0.0" in one and "admit -, the policies say tcp/5432" in one for one in told)
    narrow = {"to": [{"ipBlock": {"cidr": "10.0.21.0/24"}}], "ports": [{"port": 5432}]}
    assert not list(traps(Evaluator(cluster([outgoing(narrow, out)], WEB, OTHER))))


def test_more_ports_than_an_entry_has_room_for_are_a_trap() -> None:
    def many(count: int) -> Estate:
        return cluster([incoming({"ports": [{"port": 8000 + 2 * one} for one in range(count)]})], WEB, OTHER)

    assert not list(traps(Evaluator(many(PORTS_MAXIMUM))))
    assert any(f"room for {PORTS_MAXIMUM}" in one for one in traps(Evaluator(many(PORTS_MAXIMUM + 1))))


def test_ports_are_sets() -> None:
    some = Ports.of("tcp/80", "udp/53", "tcp/81-90")
    assert str(some) == "tcp/80-90, udp/53"
    assert str(some - Ports.of("tcp/85")) == "tcp/80-84, tcp/86-90, udp/53"
    assert some & ANY == some
    assert ANY - ANY == NONE
    assert (ANY - some) | some == ANY
    with pytest.raises(ValueError, match="icmp"):
        Ports.of("icmp/1")


def test_an_address_belongs_to_the_range_that_holds_it() -> None:
    found = Evaluator(cluster([outgoing({"to": [{"ipBlock": {"cidr": "10.0.21.0/24"}}]})], WEB))
    inside, outside = IPv4Network("10.0.21.0/24"), IPv4Address("10.0.22.0")
    assert found.by_address("egress", WEB, inside[255]) == ANY
    assert found.by_address("egress", WEB, outside) == NONE
