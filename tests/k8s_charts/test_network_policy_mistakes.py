"""Network policies gone wrong, one mistake after another: each is told by the pair that it joins or parts."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from blueprint.network import NETWORK
from studio.cloud.reachability.difference import differences
from studio.cloud.reachability.estate import Estate
from studio.cloud.reachability.evaluator import Evaluator
from studio.cloud.reachability.matrix import Matrix, matrix
from studio.cloud.reachability.ports import ANY, NONE, Ports
from studio.cloud.reachability.report import Report

Policies = list[dict[str, Any]]


def some(matrix: Matrix, source: str, target: str) -> Ports:
    reach = matrix.get((source, target))
    return reach.some if reach else NONE


def _named(policies: Policies, name: str, namespace: str = "dev") -> dict[str, Any]:
    [one] = [one for one in policies if one["metadata"] == {"name": name, "namespace": namespace}]
    return one


def _whole_vpc(policies: Policies) -> None:
    _named(policies, "allow-https-out")["spec"]["egress"][0]["to"] = [{"ipBlock": {"cidr": "10.0.0.0/16"}}]


def _no_type(policies: Policies) -> None:
    for one in policies:
        if one["metadata"]["namespace"] == "dev":
            one["spec"]["policyTypes"] = ["Ingress"]


def _typo(policies: Policies) -> None:
    _named(policies, "allow-to-user-service")["spec"]["podSelector"]["matchLabels"] = {
        "app.kubernetes.io/nam": "user-service"
    }


def _allow_all(policies: Policies) -> None:
    _named(policies, "allow-same-namespace")["spec"]["egress"] = [{}]


def _allow_all_in(policies: Policies) -> None:
    _named(policies, "allow-same-namespace", "prod")["spec"]["ingress"] = [{"from": [{"namespaceSelector": {}}]}]


def _off_by_one(policies: Policies) -> None:
    _named(policies, "allow-to-model-service")["spec"]["ingress"][0]["ports"][0]["port"] += 1


def _longer(policies: Policies) -> None:
    _named(policies, "allow-to-model-service")["spec"]["ingress"][0]["ports"][0]["endPort"] = 8006


def _no_exception(policies: Policies) -> None:
    del _named(policies, "allow-https-out")["spec"]["egress"][0]["to"][0]["ipBlock"]["except"]


def _fewer_exceptions(policies: Policies) -> None:
    _named(policies, "allow-https-out", "prod")["spec"]["egress"][0]["to"][0]["ipBlock"]["except"].remove(
        "169.254.0.0/16"
    )


def _half_a_subnet(policies: Policies) -> None:
    _named(policies, "allow-postgres")["spec"]["egress"][0]["to"][0]["ipBlock"]["cidr"] = "10.0.21.0/25"


def _lost(policies: Policies) -> None:
    policies.remove(_named(policies, "allow-dns", "prod"))


def _udp_forgotten(policies: Policies) -> None:
    ports = _named(policies, "allow-dns")["spec"]["egress"][0]["ports"]
    ports[:] = [{"port": one["port"]} for one in ports]


def _namespace_only(policies: Policies) -> None:
    del _named(policies, "allow-to-gpu-worker")["spec"]["ingress"][0]["from"][0]["podSelector"]


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (_whole_vpc, "dev/user-service -> private-subnets"),
        (_no_type, "dev/user-service -> instance-metadata"),
        (_typo, "public-subnets -> dev/user-service"),
        (_allow_all, "dev/user-service -> instance-metadata"),
        (_allow_all_in, "monitoring/prometheus -> prod/migrations"),
        (_off_by_one, "public-subnets -> dev/model-service"),
        (_longer, "public-subnets -> dev/model-service"),
        (_no_exception, "dev/user-service -> private-subnets"),
        (_fewer_exceptions, "prod/user-service -> instance-metadata"),
        (_half_a_subnet, "dev/user-service -> data-subnets"),
        (_lost, "prod/user-service -> kube-system/coredns"),
        (_udp_forgotten, "dev/user-service -> kube-system/coredns"),
        (_namespace_only, "monitoring/grafana -> dev/gpu-worker"),
    ],
)
def test_a_policy_gone_wrong_is_told_by_the_pair(
    mutation: Callable[[Policies], None], told: str, reachability: Report
) -> None:
    policies: Policies = copy.deepcopy([dict(one) for one in reachability.estate.policies])
    mutation(policies)
    broken: Estate = replace(reachability.estate, policies=tuple(policies))
    problems = [str(one) for one in differences(matrix(Evaluator(broken)), reachability.wanted, "own")]
    assert any(one.startswith(f"{told}: ") for one in problems), problems[:5]


def test_an_opening_by_address_on_both_sides_joins_the_environments_and_is_told(reachability: Report) -> None:
    """The documents' own egress rule, 10.0.0.0/16, with an ingress rule as careless."""
    policies: Policies = copy.deepcopy([dict(one) for one in reachability.estate.policies])
    everywhere = [{"ipBlock": {"cidr": str(NETWORK.vpc)}}]
    _named(policies, "allow-same-namespace", "dev")["spec"]["egress"].append({"to": everywhere})
    _named(policies, "allow-same-namespace", "prod")["spec"]["ingress"].append({"from": everywhere})
    broken = matrix(Evaluator(replace(reachability.estate, policies=tuple(policies))))
    assert some(broken, "dev/user-service", "prod/user-service") == ANY
    assert some(broken, "prod/user-service", "dev/user-service") == NONE
