"""The reachability matrix: both ends put together, for pods and for places outside, by what they are and by address.

A connection needs the sender's policies and the receiver's. What either admits for an address holds for every pod that
has it, and a pod may have any address of the private subnets; so each pair has two answers: ports that are open for
`some` address, the one that counts for what must not be, and for `every` one, which counts for what must work.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from blueprint.network import NETWORK
from blueprint.reach import PLACES
from studio.cloud.reachability.estate import Estate, Pod
from studio.cloud.reachability.policies import Direction
from studio.cloud.reachability.ports import ANY, NONE, Ports


class Verdicts(Protocol):
    """An analyser."""

    @property
    def name(self) -> str: ...

    @property
    def estate(self) -> Estate: ...

    def by_selector(self, direction: Direction, pod: Pod, peer: Pod) -> Ports: ...

    def by_address(self, direction: Direction, pod: Pod, address: IPv4Address) -> Ports: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """Ports open for some of the addresses that the two ends may have, and for every one."""

    some: Ports
    every: Ports

    def __bool__(self) -> bool:
        return bool(self.some)

    def __str__(self) -> str:
        return str(self.some) if self.some == self.every else f"{self.some} (from every address: {self.every})"

    def __and__(self, other: "Reach") -> "Reach":
        return Reach(self.some & other.some, self.every & other.every)


Matrix = Mapping[tuple[str, str], Reach]


def matrix(verdicts: Verdicts, places: Mapping[str, tuple[IPv4Network, ...]] = PLACES) -> Matrix:
    """Every pair that may speak, by the names of its ends. A pod's own replicas are left out, and so is what neither
    end is a pod of."""
    return _Matrix(verdicts, places).made()


class _Matrix:
    def __init__(self, verdicts: Verdicts, places: Mapping[str, tuple[IPv4Network, ...]]) -> None:
        self.verdicts = verdicts
        self.places = {name: samples(ranges, verdicts.estate) for name, ranges in places.items()}
        self.pods = samples(NETWORK.tier("private"), verdicts.estate)

    def made(self) -> Matrix:
        pods = self.verdicts.estate.pods
        near: dict[tuple[str, Direction], tuple[Ports, ...]] = {}
        directions: tuple[Direction, Direction] = ("egress", "ingress")
        for pod in pods:
            for direction in directions:
                near[pod.name, direction] = self._each(direction, pod, self.pods)
        found: dict[tuple[str, str], Reach] = {}
        for pod in pods:
            for place, samples in self.places.items():
                found[pod.name, place] = _reach(self._each("egress", pod, samples), NONE)
                found[place, pod.name] = _reach(self._each("ingress", pod, samples), NONE)
            for peer in pods:
                if peer is not pod:
                    sent = self.verdicts.by_selector("egress", pod, peer)
                    taken = self.verdicts.by_selector("ingress", peer, pod)
                    found[pod.name, peer.name] = _reach(near[pod.name, "egress"], sent) & _reach(
                        near[peer.name, "ingress"], taken
                    )
        return {pair: reach for pair, reach in sorted(found.items()) if reach}

    def _each(self, direction: Direction, pod: Pod, samples: Iterable[IPv4Address]) -> tuple[Ports, ...]:
        return tuple(self.verdicts.by_address(direction, pod, one) for one in samples)


def _reach(each: tuple[Ports, ...], beside: Ports) -> Reach:
    return Reach(Ports.union((*each, beside)), reduce(Ports.__and__, each, ANY) | beside)


def _cuts(estate: Estate) -> list[int]:
    """Addresses at which some ipBlock begins or has just ended: between two of them nothing changes."""
    blocks: list[IPv4Network] = []
    for policy in estate.policies:
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction) or ():
                for peer in rule.get(side) or ():
                    block = peer.get("ipBlock") or {}
                    blocks += [IPv4Network(one) for one in (*_one(block.get("cidr")), *(block.get("except") or ()))]
    ends = {int(one.network_address) for one in blocks} | {int(one.broadcast_address) + 1 for one in blocks}
    return sorted(ends)


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def samples(ranges: Iterable[IPv4Network], estate: Estate) -> tuple[IPv4Address, ...]:
    """An address of every part of the ranges within which no policy tells one from another."""
    cuts = _cuts(estate)
    found: set[int] = set()
    for one in ranges:
        first, last = int(one.network_address), int(one.broadcast_address)
        found |= {first, *(cut for cut in cuts if first < cut <= last)}
    return tuple(IPv4Address(one) for one in sorted(found))
