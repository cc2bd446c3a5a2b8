"""KEDA counts what waits and what is in flight, of the real queue, and scale-in never needs a busy worker."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint import scaling
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.jobs import JOBS
from blueprint.maxima import workers_maximum
from blueprint.plans import PLANS, PRIORITIES
from blueprint.queue import unacked_key, waiting_keys
from blueprint.rollout import ROLLOUT, SPOT_NOTICE
from blueprint.rules import RuleError
from blueprint.scaling import SCALING
from blueprint.worker import BUSY, WORKER
from gpu_worker.disruption import MARKS
from gpu_worker.drain import PATIENCE
from k8s_charts import worker
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from services.kernel.ids import new_id
from services.kernel.queue import Publisher, celery_app
from services.kernel.redis import client
from services.kernel.settings import Settings
from tests.support.keda import active, composite, readings, replicas
from tests.support.manifests import Manifests
from tests.support.replicasets import ActivePod, scaled_in

BOTH = pytest.mark.parametrize("environment", CLUSTER_ENVIRONMENTS, ids=lambda one: one.name)


def scaled_object(manifests: Manifests, environment: Environment) -> dict[str, Any]:
    (found,) = [one.body for one in manifests.built(f"overlays/{environment.name}/gpu-worker") if one.kind == KIND]
    return found


KIND = "ScaledObject"


@pytest.fixture
def queue(settings: Settings) -> Iterator[Settings]:
    """The queue of environment dev, on the tests' own Valkey."""
    own = settings.model_copy(update={"env": CLUSTER_ENVIRONMENTS[0].name})
    redis = client(own.redis_url.get_secret_value())
    keys = [*waiting_keys(own.env).values(), unacked_key(own.env)]
    redis.delete(*keys)
    yield own
    redis.delete(*keys)
    redis.close()


def test_keda_sees_every_wake_up_that_waits_and_every_one_in_flight(manifests: Manifests, queue: Settings) -> None:
    """Published by the services' Celery, taken by the worker's, read as KEDA's scaler reads what Kustomize built."""
    scaled = scaled_object(manifests, CLUSTER_ENVIRONMENTS[0])
    redis = client(queue.redis_url.get_secret_value())
    publisher, app = Publisher(queue), celery_app(queue)
    sent = [plan.priority for plan in PLANS.values() for _ in range(plan.priority)]
    try:
        assert composite(scaled, readings(scaled, redis)) == 0
        assert not active(scaled, 0)
        publisher.send([(new_id(), priority, "request") for priority in sent])
        waiting = readings(scaled, redis)
        assert waiting == {**{f"priority_{one}": sent.count(one) for one in PRIORITIES}, "working": 0}
        with app.connection_for_read() as connection, connection.channel() as channel:
            taken = [channel.basic_get(app.conf.task_default_queue, no_ack=False) for _ in range(3)]
            flying = readings(scaled, redis)
            assert flying["working"] == len(taken)
            assert composite(scaled, flying) == len(sent), "in flight is not gone"
            assert active(scaled, composite(scaled, flying))
            for message in taken:
                channel.basic_ack(message.delivery_tag)
            assert composite(scaled, readings(scaled, redis)) == len(sent) - len(taken)
    finally:
        publisher.close()
        app.close()
        redis.close()


@BOTH
def test_the_lists_are_the_environments_own_to_the_last_control_character(
    manifests: Manifests, environment: Environment
) -> None:
    scaled = scaled_object(manifests, environment)
    counted = [one["metadata"]["listName"] for one in scaled["spec"]["triggers"]]
    assert counted == [*waiting_keys(environment.name).values(), unacked_key(environment.name)]
    assert sum("\x06\x16" in key for key in counted) == len(PRIORITIES)


@BOTH
def test_workers_go_from_none_to_what_quota_and_pool_allow(manifests: Manifests, environment: Environment) -> None:
    spec = scaled_object(manifests, environment)["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, workers_maximum(environment))
    assert "idleReplicaCount" not in spec
    (deployment,) = [
        one.body for one in manifests.built(f"overlays/{environment.name}/gpu-worker") if one.kind == "Deployment"
    ]
    assert spec["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "each sync would set KEDA's number back"


@BOTH
def test_the_triggers_are_one_sum(manifests: Manifests, environment: Environment) -> None:
    spec = scaled_object(manifests, environment)["spec"]
    modifiers = spec["advanced"]["scalingModifiers"]
    names = [one["name"] for one in spec["triggers"]]
    assert modifiers["formula"].split(" + ") == names
    assert all(name.isidentifier() for name in names), "expr would read something else"
    assert modifiers["metricType"] == "AverageValue"
    assert (modifiers["target"], modifiers["activationTarget"]) == (str(SCALING.jobs_per_worker), "0")


@BOTH
def test_a_redis_that_is_away_changes_no_number_of_workers(manifests: Manifests, environment: Environment) -> None:
    """With a fallback of no replicas KEDA scales to zero on an error; without one it leaves the count alone."""
    assert "fallback" not in scaled_object(manifests, environment)["spec"]


@BOTH
def test_keda_signs_in_where_redis_asks_and_by_a_secret_that_is_there(
    manifests: Manifests, environment: Environment
) -> None:
    objects = manifests.built(f"overlays/{environment.name}/gpu-worker")
    triggers = scaled_object(manifests, environment)["spec"]["triggers"]
    assert all(one["metadata"]["enableTLS"] == "true" for one in triggers)
    assert all("password" not in one["metadata"] for one in triggers)
    found = [one.body for one in objects if one.kind == "TriggerAuthentication"]
    assert bool(found) is environment.redis_auth
    for trigger in triggers:
        assert ("authenticationRef" in trigger) is environment.redis_auth
    for authentication in found:
        assert triggers[0]["authenticationRef"]["name"] == authentication["metadata"]["name"]
        (reference,) = authentication["spec"]["secretTargetRef"]
        (secret,) = [one.body["spec"] for one in objects if one.kind == "ExternalSecret"]
        assert reference["parameter"] == "password"
        assert reference["name"] == secret["target"]["name"]
        assert reference["key"] in secret["target"]["template"]["data"]
        assert {
            "secretKey": reference["key"],
            "remoteRef": {"key": "pingvas/prod/redis-auth", "property": "token"},
        } in (secret["data"])


@BOTH
def test_workers_go_one_by_one_and_only_after_a_while(manifests: Manifests, environment: Environment) -> None:
    behaviour = scaled_object(manifests, environment)["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    down, up = behaviour["scaleDown"], behaviour["scaleUp"]
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    assert down["stabilizationWindowSeconds"] > SCALING.idle_seconds + SCALING.polling_seconds
    assert up["stabilizationWindowSeconds"] == 0
    assert up["policies"][0]["value"] >= workers_maximum(environment)


@given(working=st.integers(0, 10), idle=st.integers(0, 10), waiting=st.integers(0, 40), young=st.booleans())
def test_scale_in_takes_idle_workers_only(
    manifests: Manifests, working: int, idle: int, waiting: int, young: bool
) -> None:
    """A busy worker's wake-up is in the sum, so fewer are never wanted than are busy; the ranking does the rest."""
    environment = CLUSTER_ENVIRONMENTS[1]
    working = min(working, workers_maximum(environment))
    idle = min(idle, workers_maximum(environment) - working)
    scaled = scaled_object(manifests, environment)
    total = composite(scaled, dict.fromkeys([f"priority_{one}" for one in PRIORITIES], 0) | {"working": working})
    total += waiting
    pods = [
        *(
            ActivePod(f"busy-{n}", node=f"b{n}", age=1 if young else 900, annotations=dict(MARKS))
            for n in range(working)
        ),
        *(ActivePod(f"idle-{n}", node=f"i{n}", age=900 if young else 1) for n in range(idle)),
    ]
    gone = scaled_in(pods, replicas(scaled, total))
    assert [one.name for one in gone if one.name.startswith("busy")] == []
    if working:
        assert active(scaled, total), "KEDA takes nobody to zero"


def test_without_the_marks_scale_in_would_take_the_youngest_busy_or_not() -> None:
    busy, idle = ActivePod("busy", node="a", age=5), ActivePod("idle", node="b", age=500)
    assert scaled_in([busy, idle], 1) == [busy]
    assert scaled_in([replace(busy, annotations=dict(MARKS)), idle], 1) == [idle]


def test_what_is_not_ready_or_has_no_node_goes_before_what_is_cheap() -> None:
    busy = ActivePod("busy", ready=False, annotations=dict(MARKS))
    assert scaled_in([ActivePod("idle"), busy], 1) == [busy]
    pending = ActivePod("pending", node="", phase="Pending", ready=False)
    assert scaled_in([ActivePod("idle"), pending, busy], 2) == [pending]


def test_the_worker_sets_the_marks_that_the_controllers_read() -> None:
    assert tuple(MARKS) == BUSY
    assert int(MARKS[BUSY[1]]) == SCALING.deletion_cost


def test_a_worker_ends_well_within_its_grace_and_a_spot_notice() -> None:
    assert PATIENCE < WORKER.soft_shutdown_seconds < WORKER.grace_seconds
    assert ROLLOUT.drain_reaction + WORKER.grace_seconds <= SPOT_NOTICE


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"jobs_per_worker": 0}, "scaling.jobs_per_worker"),
        ({"polling_seconds": 0}, "scaling.polling_seconds"),
        ({"cooldown_seconds": int(JOBS.lease)}, "scaling.cooldown_seconds"),
        ({"scale_down_seconds": 10}, "scaling.scale_down_seconds"),
        ({"deletion_cost": 0}, "scaling.deletion_cost"),
    ],
)
def test_a_number_that_would_lose_work_or_never_scale_stops_synthesis(
    changes: dict[str, int], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling.check, "__defaults__", (replace(SCALING, **changes),))
    with pytest.raises(RuleError) as stopped:
        worker.add(GitOps(placeholders()))
    assert stopped.value.setting == setting
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"grace_seconds": 110}, "worker.grace_seconds"),
        ({"soft_shutdown_seconds": 100}, "worker.soft_shutdown_seconds"),
        ({"visibility_timeout_seconds": 10}, "worker.visibility_timeout_seconds"),
    ],
)
def test_a_grace_that_spot_does_not_give_stops_synthesis(
    changes: dict[str, int], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "WORKER", replace(WORKER, **changes))
    with pytest.raises(RuleError) as stopped:
        scaling.check()
    assert stopped.value.setting == setting
