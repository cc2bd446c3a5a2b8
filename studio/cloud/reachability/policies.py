"""NetworkPolicies read strictly: a field that is not known stops the analysis instead of being passed over.

Source: Kubernetes API reference, networking.k8s.io/v1; the defaults are those of its comments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

from studio.cloud.reachability.ports import ANY, FIRST, LAST, NONE, Ports

Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")


class PolicyError(ValueError):
    """A policy that Kubernetes would refuse, or that says something this reader does not know."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector; one without requirements selects everything."""

    labels: Mapping[str, str]
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.labels.items()) and all(
            _holds(labels, *one) for one in self.expressions
        )


@dataclass(frozen=True, slots=True)
class Block:
    """An ipBlock."""

    range: IPv4Network
    without: tuple[IPv4Network, ...]

    def __contains__(self, address: IPv4Address) -> bool:
        return address in self.range and not any(address in one for one in self.without)


@dataclass(frozen=True, slots=True)
class Peer:
    """Addresses, or pods: `namespaces` None means the policy's own, `pods` None all of them."""

    block: Block | None = None
    namespaces: Selector | None = None
    pods: Selector | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """`number` and `name` both None: every port of the protocol."""

    protocol: str
    number: int | None
    last: int | None
    name: str | None

    def ports(self, named: Mapping[tuple[str, str], int]) -> Ports:
        """As numbers; a name that the receiving pod does not have is no port."""
        number = named.get((self.name, self.protocol)) if self.name is not None else self.number
        if number is None:
            return NONE if self.name is not None else Ports(((self.protocol, FIRST, LAST),))
        return Ports(((self.protocol, number, self.last or number),))


@dataclass(frozen=True, slots=True)
class Rule:
    """No peers: anybody. No ports: every port."""

    peers: tuple[Peer, ...]
    ports: tuple[Port, ...]

    def admits(self, named: Mapping[tuple[str, str], int]) -> Ports:
        return Ports.union(one.ports(named) for one in self.ports) if self.ports else ANY


@dataclass(frozen=True, slots=True)
class Policy:
    """`rules` has a key for each direction that the policy denies beyond its rules."""

    name: str
    namespace: str
    pods: Selector
    rules: Mapping[Direction, tuple[Rule, ...]]


def read(body: Mapping[str, Any]) -> Policy:
    """One NetworkPolicy.

    Raises:
        PolicyError: it is not one that this reader understands; the message names it and the field.
    """
    name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
    try:
        return _policy(body)
    except (PolicyError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise PolicyError(f"NetworkPolicy {name}: {error}") from error


def _policy(body: Mapping[str, Any]) -> Policy:
    spec = _only(body["spec"], "podSelector", "policyTypes", *DIRECTIONS)
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    if set(types) - {"Ingress", "Egress"}:
        raise PolicyError(f"policyTypes {types}")
    return Policy(
        body["metadata"]["name"],
        body["metadata"]["namespace"],
        _selector(spec["podSelector"]),
        {
            direction: tuple(_rule(one, direction) for one in spec.get(direction) or ())
            for direction in DIRECTIONS
            if direction.title() in types
        },
    )


def _rule(body: Mapping[str, Any], direction: Direction) -> Rule:
    side = "from" if direction == "ingress" else "to"
    _only(body, side, "ports")
    return Rule(tuple(_peer(one) for one in body.get(side) or ()), tuple(_port(one) for one in body.get("ports") or ()))


def _peer(body: Mapping[str, Any]) -> Peer:
    _only(body, "ipBlock", "namespaceSelector", "podSelector")
    if "ipBlock" in body:
        if len(body) > 1:
            raise PolicyError("an ipBlock stands alone")
        block = _only(body["ipBlock"], "cidr", "except")
        whole = IPv4Network(block["cidr"])
        without = tuple(IPv4Network(one) for one in block.get("except") or ())
        if not all(one.subnet_of(whole) and one != whole for one in without):
            raise PolicyError(f"except of {whole} lies outside it")
        return Peer(block=Block(whole, without))
    if not body:
        raise PolicyError("a peer names nobody")
    return Peer(
        namespaces=_selector(body["namespaceSelector"]) if "namespaceSelector" in body else None,
        pods=_selector(body["podSelector"]) if "podSelector" in body else None,
    )


def _port(body: Mapping[str, Any]) -> Port:
    _only(body, "protocol", "port", "endPort")
    protocol = str(body.get("protocol", "TCP")).lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise PolicyError(f"protocol {protocol}")
    port, last = body.get("port"), body.get("endPort")
    if last is not None and (not isinstance(port, int) or last < port):
        raise PolicyError(f"endPort {last} goes with no port below it")
    if isinstance(port, str):
        return Port(protocol, None, None, port)
    return Port(protocol, port, last, None)


def _selector(body: Mapping[str, Any] | None) -> Selector:
    if body is None:
        raise PolicyError("a selector is null")
    _only(body, "matchLabels", "matchExpressions")
    return Selector(
        dict(body.get("matchLabels") or {}),
        tuple(_expression(one) for one in body.get("matchExpressions") or ()),
    )


def _expression(body: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    _only(body, "key", "operator", "values")
    operator, values = body["operator"], tuple(body.get("values") or ())
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist") or bool(values) != operator.endswith("In"):
        raise PolicyError(f"expression {dict(body)}")
    return body["key"], operator, values


def _holds(labels: Mapping[str, str], key: str, operator: str, values: Sequence[str]) -> bool:
    """NotIn holds also where the label is missing (Kubernetes documentation, "Labels and Selectors")."""
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    return (labels.get(key) in values) == (operator == "In")


def _only(body: Mapping[str, Any], *known: str) -> Mapping[str, Any]:
    unknown: Iterable[str] = set(body) - set(known)
    if unknown:
        raise PolicyError(f"unknown field {', '.join(sorted(unknown))}")
    return body
