"""NetworkPolicies in few words: who, which ports, and both directions named, so that what is not said is denied.

`pods` and peers are selectors as Kubernetes writes them: labels, or `any_of` for a list of names; `{}` selects all.

Source: Kubernetes documentation, "Network Policies"; its policies admit, and nothing takes away what another admits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from cdk8s_plus_35 import k8s

from k8s_charts.folder import Folder

Selector = Mapping[str, str] | k8s.LabelSelector
EVERYWHERE = IPv4Network("0.0.0.0/0")
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""On every namespace, by the API server itself, so nobody can borrow another's (Kubernetes 1.21)."""
ALL_PODS: Selector = {}


@dataclass(frozen=True, slots=True)
class Rule:
    """One allowance: these peers, on these ports; without ports on all of them."""

    peers: tuple[k8s.NetworkPolicyPeer, ...]
    ports: tuple[k8s.NetworkPolicyPort, ...] = ()


def tcp(*ports: int) -> tuple[k8s.NetworkPolicyPort, ...]:
    return _ports("TCP", ports)


def udp(*ports: int) -> tuple[k8s.NetworkPolicyPort, ...]:
    return _ports("UDP", ports)


def addresses(*ranges: IPv4Network, without: Iterable[IPv4Network] = ()) -> tuple[k8s.NetworkPolicyPeer, ...]:
    """Whoever has one of these addresses, pods too: they have addresses of the VPC."""
    excepted = [str(one) for one in without] or None
    return tuple(k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=str(one), except_=excepted)) for one in ranges)


def neighbours(pods: Selector = ALL_PODS) -> tuple[k8s.NetworkPolicyPeer, ...]:
    """Pods of the policy's own namespace."""
    return (k8s.NetworkPolicyPeer(pod_selector=_selector(pods)),)


def pods_of(namespace: str, pods: Selector = ALL_PODS) -> tuple[k8s.NetworkPolicyPeer, ...]:
    """Pods of another namespace."""
    return (
        k8s.NetworkPolicyPeer(namespace_selector=_selector({NAMESPACE_LABEL: namespace}), pod_selector=_selector(pods)),
    )


def any_of(label: str, values: Iterable[str]) -> k8s.LabelSelector:
    """Selects pods whose label has one of these values."""
    return k8s.LabelSelector(
        match_expressions=[k8s.LabelSelectorRequirement(key=label, operator="In", values=sorted(values))]
    )


def policy(
    folder: Folder,
    name: str,
    *,
    namespace: str,
    pods: Selector = ALL_PODS,
    ingress: Sequence[Rule] | None = None,
    egress: Sequence[Rule] | None = None,
) -> k8s.KubeNetworkPolicy:
    """A policy. A direction that is given is denied beyond its rules; one that is None is left to other policies.

    `policyTypes` is always written: Kubernetes would take a policy without it for one of ingress.
    """
    types = [name for name, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    return k8s.KubeNetworkPolicy(
        folder,
        f"{namespace}-{name}",
        metadata=k8s.ObjectMeta(name=name, namespace=namespace),
        spec=k8s.NetworkPolicySpec(
            pod_selector=_selector(pods),
            policy_types=types,
            ingress=[k8s.NetworkPolicyIngressRule(from_=[*one.peers], ports=_some(one)) for one in ingress or ()]
            or None,
            egress=[k8s.NetworkPolicyEgressRule(to=[*one.peers], ports=_some(one)) for one in egress or ()] or None,
        ),
    )


def _ports(protocol: str, ports: Iterable[int]) -> tuple[k8s.NetworkPolicyPort, ...]:
    return tuple(k8s.NetworkPolicyPort(protocol=protocol, port=k8s.IntOrString.from_number(port)) for port in ports)


def _some(rule: Rule) -> list[k8s.NetworkPolicyPort] | None:
    return list(rule.ports) or None


def _selector(pods: Selector) -> k8s.LabelSelector:
    if isinstance(pods, k8s.LabelSelector):
        return pods
    return k8s.LabelSelector(match_labels=dict(pods)) if pods else k8s.LabelSelector()
