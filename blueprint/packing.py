"""How many nodes of one kind hold a set of pods, packed as Karpenter packs and spread as the scheduler spreads."""

from collections.abc import Iterable, Sequence
from math import ceil

from blueprint.allocatable import Amount, total

FIELDS = ("cpu", "memory", "pods", "gpu")


def pack(pods: Sequence[Amount], room: Amount) -> list[list[Amount]]:
    """Pods by node, the largest first, each on the first node that has room for it.

    At most 11/9 of the fewest nodes and one, where one resource decides (Johnson, 1973); with several it is an upper
    bound all the same, since each node's pods do fit.

    Raises:
        ValueError: a pod fits no empty node.

    >>> [len(node) for node in pack([Amount(cpu=600, pods=1)] * 3, Amount(cpu=1200, pods=10))]
    [2, 1]
    """
    nodes: list[list[Amount]] = []
    left: list[Amount] = []
    for pod in sorted(pods, key=lambda one: _share(one, room), reverse=True):
        if not room.holds(pod):
            raise ValueError(f"{pod} fits no node of {room}")
        for index, space in enumerate(left):
            if space.holds(pod):
                nodes[index].append(pod)
                left[index] = space - pod
                break
        else:
            nodes.append([pod])
            left.append(room - pod)
    return nodes


def spread(pods: Iterable[Amount], room: Amount, nodes: int) -> list[list[Amount]] | None:
    """Pods by node in the order in which they come, each on the emptiest node that has room; None where one has none.

    That is what the scheduler does with a fixed number of nodes (Kubernetes documentation, "Resource Bin Packing":
    its own default is LeastAllocated).

    >>> [len(node) for node in spread([Amount(cpu=600, pods=1)] * 2, Amount(cpu=1200, pods=10), 2) or ()]
    [1, 1]
    """
    placed: list[list[Amount]] = [[] for _ in range(nodes)]
    left = [room] * nodes
    for pod in pods:
        able = [index for index, space in enumerate(left) if space.holds(pod)]
        if not able:
            return None
        emptiest = min(able, key=lambda index: _share(room - left[index], room))
        placed[emptiest].append(pod)
        left[emptiest] -= pod
    return placed


def least(pods: Sequence[Amount], room: Amount) -> list[list[Amount]]:
    """Pods by node on the fewest nodes that either way finds: packing fills a node's memory and wastes its pod slots
    where spreading the large ones first does not.

    Raises:
        ValueError: a pod fits no empty node.
    """
    packed = pack(pods, room)
    ordered = sorted(pods, key=lambda one: _share(one, room), reverse=True)
    for nodes in range(fewest(pods, room), len(packed)):
        if placed := spread(ordered, room, nodes):
            return placed
    return packed


def fewest(pods: Sequence[Amount], room: Amount) -> int:
    """Nodes that no packing can do without: the sum of each resource over what a node has of it.

    >>> fewest([Amount(cpu=600, pods=1)] * 3, Amount(cpu=1200, pods=10))
    2
    """
    every = total(pods)
    return max((ceil(getattr(every, name) / getattr(room, name)) for name in FIELDS if getattr(every, name)), default=0)


def _share(pod: Amount, room: Amount) -> float:
    """The largest part of a node that a pod takes, of any resource."""
    return max(float(getattr(pod, name) / getattr(room, name)) for name in FIELDS if getattr(room, name))
