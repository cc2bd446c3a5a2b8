"""The capacity page's tables and claims, held to the proof."""

from dataclasses import replace

import pytest

from blueprint.allocatable import Amount, allocatable, daemons, room
from blueprint.capacity import check, prove
from blueprint.components import COMPONENTS, PRIORITY_CLASS
from blueprint.loads import PLAN, Plan
from blueprint.pools import gpu_pool
from blueprint.rules import RuleError
from blueprint.service_quotas import service_quotas
from tests.docs.markdown import ROOT, section, tables

PAGE = ROOT / "docs" / "kubernetes" / "capacity.md"


def amount(one: Amount) -> str:
    return f"{one.cpu}m, {one.memory}Mi"


def test_the_table_of_nodes_is_the_proofs() -> None:
    (rows,) = tables(section(PAGE, "What a node leaves to pods"))
    expected = []
    for place in ("system", "general", "gpu"):
        for one in PLAN.types(place):  # type: ignore[arg-type]
            given, left = allocatable(one), room(one, place)  # type: ignore[arg-type]
            running = f"{len(daemons(place))}: {amount(given - left)}"  # type: ignore[arg-type]
            size, rest = f"{one.cpu}, {one.memory_gib}Gi", f"{amount(left)}, {left.pods} pods"
            expected.append((f"`{one.name}`", size, amount(given), running, rest))
    assert [tuple(row) for row in rows] == expected


def test_the_table_of_maxima_is_the_proofs() -> None:
    (rows,) = tables(section(PAGE, "The maxima"))
    expected = [
        (
            one.topic,
            "" if one.what == "the same" else one.what,
            f"{one.asked:,.10g}",
            f"{one.given:,.10g} {one.unit}".strip(),
        )
        for one in prove().checks
        if one.given is not None
    ]
    assert [tuple(row) for row in rows] == expected


def test_what_would_break_it_first_does() -> None:
    check(replace(PLAN, gpu=gpu_pool(15)))
    with pytest.raises(RuleError, match="addresses"):
        check(replace(PLAN, gpu=gpu_pool(16)))
    misses = {memory: {fit.type.name for fit in prove(worker(memory)).fits if fit.lacks} for memory in (12, 13, 14)}
    assert misses == {12: set(), 13: {"g5.xlarge"}, 14: {"g5.xlarge", "g4dn.xlarge"}}


def worker(memory_gib: int) -> Plan:
    return replace(PLAN, worker=replace(PLAN.worker, memory_gib=memory_gib))


def test_it_names_what_is_there() -> None:
    text = PAGE.read_text()
    assert all(f"`{one.code}`" in text for one in service_quotas())
    assert f"`{PRIORITY_CLASS}`" in text
    assert any(one.assumed_mib for one in COMPONENTS.values())
    for key, value in (PLAN.system.label, *PLAN.general.labels.items()):
        assert f"`{key}={value}`" in text
