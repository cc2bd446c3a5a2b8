"""Where the VPC CNI would judge otherwise than the API reference: it keeps one answer an address range.

Its agent turns a pod's rules into a map by range, in which the longest prefix that holds an address answers alone. A
range takes over the ports of wider ones it has met, an `except` becomes a range that denies, and an answer has room for
24 ports. So an `except` inside a range that another rule allows takes that away, too.

Source: aws/aws-network-policy-agent, pkg/fwruleprocessor and pkg/ebpf/c (2025).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from blueprint.network import NETWORK
from studio.cloud.reachability.estate import Pod
from studio.cloud.reachability.evaluator import Evaluator
from studio.cloud.reachability.matrix import samples
from studio.cloud.reachability.policies import DIRECTIONS, Direction, Rule
from studio.cloud.reachability.ports import NONE, Ports

PORTS_MAXIMUM = 24
EVERYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class _Entry:
    range: IPv4Network
    ports: Ports
    entries: frozenset[object]
    without: tuple[IPv4Network, ...] = ()


def traps(evaluator: Evaluator) -> Iterator[str]:
    """A line for every pod and address of which the agent's map says something else, or that it has no room for."""
    pods = {pod.name: _address(index) for index, pod in enumerate(evaluator.estate.pods)}
    outside = samples((EVERYWHERE,), evaluator.estate)
    owners = {pods[pod.name]: pod for pod in evaluator.estate.pods}
    for pod in evaluator.estate.pods:
        for direction in DIRECTIONS:
            if not evaluator.of(pod, direction):
                continue
            made = _map(list(_entries(evaluator, pod, direction, pods)))
            for entry in made.values():
                if len(entry.entries) > PORTS_MAXIMUM:
                    yield f"{pod.name} {direction} {entry.range}: {len(entry.entries)} ports, room for {PORTS_MAXIMUM}"
            for address in (*outside, *owners):
                peer = owners.get(address)
                if peer is pod:
                    continue
                meant = evaluator.by_address(direction, pod, address)
                if peer:
                    meant |= evaluator.by_selector(direction, pod, peer)
                done = _lookup(made, address)
                if done != meant:
                    yield f"{pod.name} {direction} {address}: the VPC CNI would admit {done}, the policies say {meant}"


def _address(index: int) -> IPv4Address:
    """An address for a pod, within the private subnets and nobody else's."""
    ranges = NETWORK.tier("private")
    return ranges[index % len(ranges)][index // len(ranges) + 10]


def _entries(evaluator: Evaluator, pod: Pod, direction: Direction, pods: Mapping[str, IPv4Address]) -> Iterator[_Entry]:
    for policy in evaluator.of(pod, direction):
        for rule in policy.rules[direction]:
            named = pod.named if direction == "ingress" else {}
            if not rule.peers:
                yield _entry(EVERYWHERE, rule, named)
            for peer in rule.peers:
                if peer.block is not None:
                    yield _entry(peer.block.range, rule, named, peer.block.without)
                    continue
                for other in evaluator.estate.pods:
                    if evaluator.selects(policy, peer, other):
                        receiver = other if direction == "egress" else pod
                        yield _entry(IPv4Network(pods[other.name]), rule, receiver.named)


def _entry(
    where: IPv4Network, rule: Rule, named: Mapping[tuple[str, str], int], without: tuple[IPv4Network, ...] = ()
) -> _Entry:
    return _Entry(where, rule.admits(named), frozenset(rule.ports) or frozenset({None}), without)


def _map(entries: list[_Entry]) -> dict[IPv4Network, _Entry]:
    made: dict[IPv4Network, _Entry] = {}
    for one in sorted(entries, key=lambda each: each.range.prefixlen):
        before = made.get(one.range)
        wider = (
            [before]
            if before
            else [
                other
                for other in made.values()
                if one.range.subnet_of(other.range)
                and not any(one.range.network_address in hole for hole in other.without)
            ]
        )
        made[one.range] = _Entry(
            one.range,
            Ports.union((one.ports, *(each.ports for each in wider))),
            one.entries.union(*(each.entries for each in wider)),
            one.without + (before.without if before else ()),
        )
    for hole in {hole for one in entries for hole in one.without}:
        made.setdefault(hole, _Entry(hole, NONE, frozenset()))
    return made


def _lookup(made: Mapping[IPv4Network, _Entry], address: IPv4Address) -> Ports:
    found = max((one for one in made if address in one), key=lambda one: one.prefixlen, default=None)
    return made[found].ports if found else NONE
