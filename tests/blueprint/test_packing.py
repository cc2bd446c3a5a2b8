"""Packing and spreading: whatever the pods, no node holds more than it has, and none is opened that was not needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.allocatable import Amount, total
from blueprint.packing import fewest, least, pack, spread

ROOM = Amount(cpu=2000, memory=4000, pods=10, gpu=1)
PODS = st.lists(
    st.builds(
        Amount,
        cpu=st.integers(0, ROOM.cpu),
        memory=st.integers(0, ROOM.memory),
        pods=st.just(1),
        gpu=st.integers(0, ROOM.gpu),
    ),
    max_size=40,
)


def ordered(pods: list[Amount]) -> list[tuple[int, int, int, int]]:
    return sorted((one.cpu, one.memory, one.pods, one.gpu) for one in pods)


@given(pods=PODS)
def test_every_pod_is_on_one_node_and_no_node_is_over_its_room(pods: list[Amount]) -> None:
    for way in (pack, least):
        nodes = way(pods, ROOM)
        assert ordered([pod for node in nodes for pod in node]) == ordered(pods)
        assert all(ROOM.holds(total(node)) for node in nodes)
        assert all(nodes), "a node without a pod was not needed"


@given(pods=PODS)
def test_no_packing_beats_the_lower_bound_and_least_never_takes_more_than_packing(pods: list[Amount]) -> None:
    packed, found = len(pack(pods, ROOM)), len(least(pods, ROOM))
    assert fewest(pods, ROOM) <= found <= packed


@given(pods=PODS)
def test_packing_opens_a_node_only_for_a_pod_that_none_before_has_room_for(pods: list[Amount]) -> None:
    nodes = pack(pods, ROOM)
    for index, node in enumerate(nodes[1:], start=1):
        assert all(not ROOM.holds(total([*before, node[0]])) for before in nodes[:index])


@given(pods=PODS, nodes=st.integers(1, 6))
def test_spreading_keeps_within_the_nodes_or_says_that_it_cannot(pods: list[Amount], nodes: int) -> None:
    placed = spread(pods, ROOM, nodes)
    if placed is None:
        assert nodes < len(pods)
    else:
        assert len(placed) == nodes
        assert ordered([pod for node in placed for pod in node]) == ordered(pods)
        assert all(ROOM.holds(total(node)) for node in placed)


def test_spreading_finds_room_where_packing_wastes_pod_slots() -> None:
    """Three large pods fill a node's memory and leave seven of its slots empty; the small ones need eleven."""
    room = Amount(cpu=10_000, memory=3000, pods=10)
    pods = [Amount(memory=1000, pods=1)] * 3 + [Amount(memory=10, pods=1)] * 11
    assert len(pack(pods, room)) == 3
    assert len(least(pods, room)) == fewest(pods, room) == 2


def test_a_pod_larger_than_a_node_is_refused() -> None:
    with pytest.raises(ValueError, match="fits no node"):
        pack([Amount(memory=4001, pods=1)], ROOM)
