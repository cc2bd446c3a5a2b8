"""Our own analyser: what a pod's policies admit, by the words of the Kubernetes API reference.

A rule admits a peer for what it is (selectors) or for its address (ipBlock). Selectors know pods alone; an address may
be a pod's, since pods have addresses of the VPC.
"""

from functools import cached_property
from ipaddress import IPv4Address

from studio.cloud.reachability.estate import Estate, Pod
from studio.cloud.reachability.policies import Direction, Peer, Policy, read
from studio.cloud.reachability.ports import ANY, Ports


class Evaluator:
    """Answers per direction: what one end's policies admit, whatever the other end says."""

    name = "own evaluator"

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        return tuple(read(body) for body in self.estate.policies)

    def of(self, pod: Pod, direction: Direction) -> list[Policy]:
        """The policies that isolate a pod in a direction; without one everything is admitted."""
        return [
            one
            for one in self.policies
            if direction in one.rules and one.namespace == pod.namespace and one.pods.selects(pod.labels)
        ]

    def by_selector(self, direction: Direction, pod: Pod, peer: Pod) -> Ports:
        """What `pod` may send to (egress) or get from (ingress) another pod for what it is."""
        policies = self.of(pod, direction)
        if not policies:
            return ANY
        receiver = peer if direction == "egress" else pod
        return Ports.union(
            rule.admits(receiver.named)
            for policy in policies
            for rule in policy.rules[direction]
            if not rule.peers or any(self.selects(policy, one, peer) for one in rule.peers)
        )

    def by_address(self, direction: Direction, pod: Pod, address: IPv4Address) -> Ports:
        """The same for whoever has an address. A named port is a pod's, so it names none here unless it is `pod`'s."""
        policies = self.of(pod, direction)
        if not policies:
            return ANY
        named = pod.named if direction == "ingress" else {}
        return Ports.union(
            rule.admits(named)
            for policy in policies
            for rule in policy.rules[direction]
            if not rule.peers or any(one.block is not None and address in one.block for one in rule.peers)
        )

    def selects(self, policy: Policy, peer: Peer, pod: Pod) -> bool:
        """Whether a peer of a policy is this pod, for what it is."""
        if peer.block is not None:
            return False
        if peer.namespaces is None:
            if pod.namespace != policy.namespace:
                return False
        elif not peer.namespaces.selects(self.estate.namespaces[pod.namespace]):
            return False
        return peer.pods is None or peer.pods.selects(pod.labels)
