"""The Lua by which ArgoCD judges an application within another, run in Valkey, whose Lua is the same 5.1."""

import json
from typing import Any

import pytest
import redis

from k8s_charts.components.argocd import IGNORE_HEALTH
from k8s_charts.values.argo_cd import APPLICATION_HEALTH, values
from studio.valkey import Valkey

LIBRARIES = "local string, os, io, math = nil"
"""ArgoCD opens the base and the table library for a health check, and no others."""
SCRIPT = f"""
local obj = cjson.decode(ARGV[1])
{LIBRARIES}
local function judge()
{APPLICATION_HEALTH}
end
return cjson.encode(judge())
"""


@pytest.fixture(scope="module")
def server(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url)


def judged(server: redis.Redis, status: dict[str, Any] | None, **annotations: str) -> dict[str, str]:
    metadata = {"name": "keda", **({"annotations": annotations} if annotations else {})}
    application: dict[str, Any] = {"metadata": metadata}
    if status is not None:
        application["status"] = status
    read: dict[str, str] = json.loads(server.eval(SCRIPT, 0, json.dumps(application)))  # type: ignore[arg-type]
    return read


def test_argocd_is_given_it() -> None:
    assert values()["configs"]["cm"]["resource.customizations.health.argoproj.io_Application"] == APPLICATION_HEALTH


@pytest.mark.parametrize("health", ["Healthy", "Degraded"])
def test_a_wave_goes_by_the_health_of_what_it_made(server: redis.Redis, health: str) -> None:
    assert judged(server, {"health": {"status": health, "message": "m"}}) == {"status": health, "message": "m"}


@pytest.mark.parametrize("health", ["Progressing", "Missing", "Suspended", "Unknown"])
def test_a_wave_waits_for_what_is_on_its_way(server: redis.Redis, health: str) -> None:
    assert judged(server, {"health": {"status": health}})["status"] == "Progressing"
    warned = {"health": {"status": health}, "conditions": [{"type": "OrphanedResourceWarning", "message": "m"}]}
    assert judged(server, warned)["status"] == "Progressing"


@pytest.mark.parametrize("status", [None, {}, {"conditions": []}])
def test_a_wave_waits_for_an_application_that_nothing_is_known_of(
    server: redis.Redis, status: dict[str, Any] | None
) -> None:
    assert judged(server, status)["status"] == "Progressing"


@pytest.mark.parametrize("error", ["ComparisonError", "InvalidSpecError", "SyncError"])
def test_nobody_waits_for_an_application_that_only_another_commit_mends(server: redis.Redis, error: str) -> None:
    """A wave that waits holds on to its commit; one that fails tries again with the newest."""
    wrong = {"health": {"status": "Missing"}, "conditions": [{"type": error, "message": "no such version"}]}
    assert judged(server, wrong) == {"status": "Degraded", "message": "no such version"}


def test_a_failed_hook_holds_up_nothing_that_runs(server: redis.Redis) -> None:
    """The Job of the database's roles waits for the first image; what comes after it does not."""
    failed = {"health": {"status": "Healthy"}, "conditions": [{"type": "SyncError", "message": "job failed"}]}
    assert judged(server, failed)["status"] == "Healthy"


def test_what_waits_for_all_others_is_waited_for_by_nobody(server: redis.Redis) -> None:
    assert judged(server, {"health": {"status": "Progressing"}}, **{IGNORE_HEALTH: "true"})["status"] == "Healthy"
    assert judged(server, {"health": {"status": "Progressing"}}, **{IGNORE_HEALTH: "false"})["status"] == "Progressing"
