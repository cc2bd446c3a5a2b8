"""The evaluator and an analyser that is not ours say the same of any policies."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from studio.cloud.reachability.analyser import Analyser, AnalyserError, _read
from studio.cloud.reachability.difference import disagreements
from studio.cloud.reachability.estate import Estate, Pod
from studio.cloud.reachability.evaluator import Evaluator
from studio.cloud.reachability.matrix import matrix
from tests.support.reachability import cluster, policy


def test_what_the_analyser_has_never_said_stops_the_reading() -> None:
    with pytest.raises(AnalyserError):
        list(_read("a/web => b/other : All but {protocols:TCP}"))
    with pytest.raises(AnalyserError):
        list(_read("something new"))


KEYS, VALUES = ("app", "tier"), ("x", "y")
NAMESPACES = [f"n{index}" for index in range(4)]
_labels = st.fixed_dictionaries({}, optional={key: st.sampled_from(VALUES) for key in KEYS})
_expressions = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        st.sampled_from(KEYS),
        st.sampled_from(["In", "NotIn"]),
        st.sampled_from([["x"], ["y"], ["x", "y"]]),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        st.sampled_from(KEYS),
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
_selectors = st.one_of(
    st.just({}),
    _labels.map(lambda labels: {"matchLabels": labels}),
    _expressions.map(lambda one: {"matchExpressions": [one]}),
)
_both_read = _selectors.filter(lambda one: "values" in one.get("matchExpressions", [{"values": ()}])[0])
"""Exists and DoesNotExist beside a namespaceSelector select nobody for network-config-analyzer 2.1: a fault of it."""
_blocks = st.sampled_from(
    [
        {"cidr": "0.0.0.0/0"},
        {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/16", "169.254.0.0/16"]},
        {"cidr": "10.0.0.0/16"},
        {"cidr": "10.0.0.0/16", "except": ["10.0.12.0/23"]},
        {"cidr": "10.0.11.64/26"},
        {"cidr": "10.0.21.0/24"},
        {"cidr": "169.254.170.23/32"},
    ]
)
_peers = st.one_of(
    _blocks.map(lambda block: {"ipBlock": block}),
    _selectors.map(lambda one: {"podSelector": one}),
    st.builds(
        lambda name: {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
        st.sampled_from(NAMESPACES),
    ),
    st.builds(lambda one, pods: {"namespaceSelector": one, "podSelector": pods}, _selectors, _both_read),
)
_port = st.sampled_from(
    [
        {"port": 80},
        {"port": 443, "protocol": "TCP"},
        {"port": 53, "protocol": "UDP"},
        {"port": 80, "endPort": 90},
        {"protocol": "UDP"},
        {"port": "http", "protocol": "TCP"},
    ]
)


def _rules(side: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    rule = st.fixed_dictionaries(
        {}, optional={side: st.lists(_peers, min_size=1, max_size=3), "ports": st.lists(_port, min_size=1, max_size=2)}
    )
    return st.lists(rule, max_size=2)


_policies = st.builds(
    lambda namespace, pods, types, ingress, egress: policy(
        namespace,
        pods=pods,
        policyTypes=types,
        **({"ingress": ingress} if "Ingress" in types else {}),
        **({"egress": egress} if "Egress" in types else {}),
    ),
    st.sampled_from(NAMESPACES),
    _selectors,
    st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
    _rules("from"),
    _rules("to"),
)


@st.composite
def _clusters(draw: st.DrawFn) -> Estate:
    """Many small namespaces at once: a run of the other analyser takes most of a second, however much it is asked."""
    pods = [
        Pod(namespace, f"p{index}", draw(_labels), {("http", "tcp"): draw(st.sampled_from([80, 8080]))})
        for namespace in NAMESPACES
        for index in range(draw(st.integers(1, 2)))
    ]
    policies = draw(st.lists(_policies, min_size=4, max_size=10))
    for index, one in enumerate(policies):
        one["metadata"]["name"] = f"policy-{index}"
    return cluster(policies, *pods, labels={name: draw(_labels) for name in NAMESPACES})


@pytest.mark.slow
@settings(
    max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(_clusters())
def test_both_analysers_say_the_same_of_any_policies(found: Estate) -> None:
    own, other = matrix(Evaluator(found)), matrix(Analyser(found))
    assert [str(one) for one in disagreements(own, other, ("own", "other"))] == []
