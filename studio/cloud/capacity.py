"""The capacity proof with some of the blueprint's numbers changed, by the names under which a failure names them."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from math import inf
from typing import Any

from blueprint.capacity import Proof
from blueprint.limits import Check
from blueprint.loads import PLAN, Plan
from blueprint.pools import gpu_pool
from studio.errors import UsageError

GPUS = "cluster.gpu-workers.gpu"
"""The one number that the pool's cores and memory follow."""
COUNTS, MOST = ("replicas", "maximum", "minimum", "desired"), 200
"""Numbers of pods or nodes: packing takes longer with each."""


def changed(settings: Sequence[str], plan: Plan = PLAN) -> Plan:
    """The plan with each `name=value` in place.

    Raises:
        UsageError: there is no such number, or the value is none.
    """
    for pair in settings:
        name, separator, text = pair.partition("=")
        if not separator:
            raise UsageError(f"--set {pair}: write it as name=value, such as worker.memory_gib=14.")
        plan = _set(plan, name.strip(), text.strip())
    return plan


def _set(plan: Plan, name: str, text: str) -> Plan:
    if name == GPUS:
        return replace(plan, gpu=gpu_pool(int(_number(name, text, 0))))
    first, *path = name.split(".")
    holder, path = _holder(plan, first, path)
    if holder in ("services", "environments", "components") and path:
        every = getattr(plan, holder)
        if path[0] not in (names := [one.name for one in every]):
            raise UsageError(f"--set {name}: there is no {path[0]!r}.", advice=f"One of {', '.join(names)}.")
        made: Any = tuple(_replaced(one, path[1:], name, text) if one.name == path[0] else one for one in every)
    elif holder in ("worker", "aurora", "system", "general", "gpu"):
        made = _replaced(getattr(plan, holder), path, name, text)
    else:
        raise UsageError(
            f"--set {name}: there is no such number.",
            advice="There are worker.*, services.NAME.*, environments.NAME.*, components.NAME.*, cluster.POOL.* and "
            "aurora.*: a failed proof names them.",
        )
    changes: dict[str, Any] = {holder: made}
    return replace(plan, **changes)


def _holder(plan: Plan, first: str, path: list[str]) -> tuple[str, list[str]]:
    """The plan's field that a name begins with, and the rest: `cluster.gpu-workers.cpu` is the field `gpu`."""
    pools = {"system": "system", plan.general.name: "general", plan.gpu.name: "gpu"}
    if first == "cluster" and path:
        return pools.get(path[0], ""), path[1:]
    return ("", path) if first in pools.values() else (first, path)


def _replaced(holder: Any, path: Sequence[str], name: str, text: str) -> Any:
    known = {one.name: getattr(holder, one.name) for one in fields(holder)} if is_dataclass(holder) else {}
    numbers = [key for key, value in known.items() if _counts(value) or is_dataclass(value)]
    if not path or path[0] not in numbers:
        raise UsageError(f"--set {name}: there is no such number.", advice=f"Here are {', '.join(numbers)}.")
    value = known[path[0]]
    if is_dataclass(value):
        return replace(holder, **{path[0]: _replaced(value, path[1:], name, text)})
    if len(path) > 1:
        raise UsageError(f"--set {name}: {path[0]} is a number.")
    number = _number(name, text, value)
    if path[0] in COUNTS and number > MOST:
        raise UsageError(f"--set {name}={text}: more than {MOST:,} are not tried.")
    if name == "worker.gpu" and number < 1:
        raise UsageError(f"--set {name}={text}: a worker has a GPU.")
    return replace(holder, **{path[0]: number})


def _counts(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(name: str, text: str, like: float) -> float:
    try:
        value = int(text) if isinstance(like, int) else float(text)
    except ValueError as error:
        kind = "a whole number" if isinstance(like, int) else "a number"
        raise UsageError(f"--set {name}={text}: {text!r} is not {kind}.") from error
    if not 0 <= value < inf:
        raise UsageError(f"--set {name}={text}: must be 0 or more, and finite.")
    return value


def as_json(proof: Proof) -> dict[str, Any]:
    """All of the proof: CPU in millicores and memory in MiB where a pod or a node is meant."""
    return {
        "ok": not proof.failures,
        "failures": [str(one) for one in proof.failures],
        "pods": [
            {
                "namespace": one.load.namespace,
                "name": one.load.name,
                "count": one.load.count,
                "pool": one.load.place,
                "type": one.type.name,
                "asks": {"cpu": one.load.asks.cpu, "memory": one.load.asks.memory, "gpu": one.load.asks.gpu},
                "room": {"cpu": one.room.cpu, "memory": one.room.memory, "pods": one.room.pods, "gpu": one.room.gpu},
                "lacks": list(one.lacks),
            }
            for one in proof.fits
        ],
        "nodes": [
            {
                "pool": one.pool,
                "type": one.type.name,
                "nodes": one.count,
                "cpu": one.cpu,
                "memory_gib": one.memory_gib,
                "pods_of_the_fullest": one.pods,
                "pods_at_most": one.type.pods,
            }
            for one in proof.nodes
        ],
        "checks": [_check(one) for one in proof.checks],
    }


def _check(one: Check) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "what": one.what,
        "asked": one.asked,
        "given": one.given,
        "unit": one.unit,
        "ok": one.ok,
        "setting": one.setting,
    }
