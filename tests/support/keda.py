"""What KEDA reads for a ScaledObject, and what it and the HPA make of it (KEDA's redis scaler and scalingModifiers)."""

from collections.abc import Mapping
from math import ceil
from typing import Any

COUNTS = {"list": "LLEN", "hash": "HLEN", "set": "SCARD", "zset": "ZCARD", "none": "LLEN"}
"""The scaler's script: which command counts a key, by its type."""


def readings(scaled: Mapping[str, Any], redis: Any) -> dict[str, int]:
    """Each trigger's value, by its name."""
    read = {}
    for trigger in scaled["spec"]["triggers"]:
        assert trigger["type"] in ("redis", "redis-sentinel")
        key = trigger["metadata"]["listName"]
        read[trigger["name"]] = int(redis.execute_command(COUNTS[redis.type(key).decode()], key))
    return read


def composite(scaled: Mapping[str, Any], values: Mapping[str, float]) -> float:
    """The formula of scalingModifiers; of expr's language it uses names and +."""
    formula = scaled["spec"]["advanced"]["scalingModifiers"]["formula"]
    return sum(values[name.strip()] for name in formula.split("+"))


def active(scaled: Mapping[str, Any], total: float) -> bool:
    """Whether KEDA keeps the Deployment above zero."""
    return total > float(scaled["spec"]["advanced"]["scalingModifiers"]["activationTarget"])


def replicas(scaled: Mapping[str, Any], total: float) -> int:
    """What the HPA wants of an average value, within its bounds; it never wants none (Kubernetes documentation,
    "Horizontal Pod Autoscaling")."""
    spec = scaled["spec"]
    wanted = ceil(total / float(spec["advanced"]["scalingModifiers"]["target"]))
    return min(max(wanted, spec["minReplicaCount"], 1), spec["maxReplicaCount"])
