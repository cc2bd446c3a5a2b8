"""The rules between drain, probes, surge and the load balancer: each refuses what breaks it, by the number's name."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.edge import LOAD_BALANCER
from blueprint.environments import DEV, Replicas
from blueprint.pools import GENERAL
from blueprint.rollout import (
    AUTOSCALING,
    ROLLOUT,
    SPOT_NOTICE,
    Rollout,
    check,
    drained_after,
    in_service_after,
    rolled_out_after,
    surge,
)
from blueprint.rules import RuleError
from blueprint.services import HTTP
from k8s_charts import services
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps


def test_the_numbers_as_they_are_hold() -> None:
    check()


@pytest.mark.parametrize(
    ("broken", "named", "says"),
    [
        (lambda: check(replace(ROLLOUT, pre_stop=25)), "rollout.pre_stop", "above 25 s"),
        (lambda: check(balancer=replace(LOAD_BALANCER, deregistration_delay=30)), "rollout.pre_stop", "above 35 s"),
        (lambda: check(replace(ROLLOUT, grace=59)), "rollout.grace", "60 s"),
        (lambda: check(http=replace(HTTP, graceful_shutdown_seconds=26)), "rollout.grace", "61 s"),
        (lambda: check(replace(ROLLOUT, grace=101)), "rollout.grace", "120 s"),
        (lambda: check(general=replace(GENERAL, grace_seconds=59)), "cluster.general.grace_seconds", "60 s"),
        (lambda: check(http=replace(HTTP, keep_alive_seconds=60)), "services.HTTP.keep_alive_seconds", "60 s"),
        (
            lambda: check(replace(ROLLOUT, readiness=replace(ROLLOUT.readiness, timeout=3))),
            "rollout.readiness.timeout",
            "3 s",
        ),
        (
            lambda: check(replace(ROLLOUT, readiness=replace(ROLLOUT.readiness, timeout=6))),
            "rollout.readiness.timeout",
            "the period",
        ),
        (
            lambda: check(balancer=replace(LOAD_BALANCER, health_timeout=3)),
            "edge.LOAD_BALANCER.health_timeout",
            "3 s",
        ),
        (lambda: check(http=replace(HTTP, readiness_check_seconds=4.5)), "rollout.readiness.timeout", "4.5 s"),
        (
            lambda: check(replace(ROLLOUT, liveness=replace(ROLLOUT.liveness, failures=1))),
            "rollout.liveness",
            "slower than readiness",
        ),
        (lambda: check(replace(ROLLOUT, progress_deadline=150)), "rollout.progress_deadline", "150 s"),
        (lambda: check(autoscaling=replace(AUTOSCALING, cpu_percent=200)), "autoscaling.cpu_percent", "never scales"),
        (lambda: check(autoscaling=replace(AUTOSCALING, cpu_percent=0)), "autoscaling.cpu_percent", ""),
        (lambda: check(replace(ROLLOUT, disrupted=0.0)), "rollout.disrupted", "never be drained"),
        (
            lambda: check(environments=[replace(DEV, replicas=Replicas(0, 5))]),
            "environments.dev.replicas.minimum",
            "1 or more",
        ),
        (
            lambda: check(environments=[replace(DEV, replicas=Replicas(3, 2))]),
            "environments.dev.replicas.maximum",
            "below the minimum",
        ),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_name(broken: Callable[[], None], named: str, says: str) -> None:
    with pytest.raises(RuleError) as raised:
        broken()
    assert raised.value.setting == named
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_surge_a_rollout_could_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blueprint.rollout.SURGE", 0)
    with pytest.raises(RuleError, match=r"cluster\.SURGE"):
        check()


def test_synthesis_of_the_services_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "check", lambda: check(replace(ROLLOUT, grace=10)))
    app = GitOps(placeholders())
    with pytest.raises(RuleError, match=r"rollout\.grace = 10"):
        services.add(app)
    assert app.folders() == []


SECONDS = st.integers(min_value=0, max_value=60)


@given(
    rollout=st.builds(
        replace, st.just(ROLLOUT), pre_stop=SECONDS, grace=st.integers(0, 150), deregistration_reaction=SECONDS
    ),
    delay=SECONDS,
    graceful=SECONDS,
    reaction=st.integers(min_value=0, max_value=60),
    request=st.floats(min_value=0, max_value=60),
)
def test_what_the_rules_admit_loses_no_request(
    rollout: Rollout, delay: int, graceful: int, reaction: int, request: float
) -> None:
    """A request that ELB sends in the last moment, and that ELB itself would let end, is answered by a live process."""
    balancer = replace(LOAD_BALANCER, deregistration_delay=delay)
    http = replace(HTTP, graceful_shutdown_seconds=graceful)
    try:
        check(rollout, http=http, balancer=balancer)
    except RuleError:
        return
    last_sent = min(reaction, rollout.deregistration_reaction)
    answered = last_sent + min(request, delay)
    term, kill = rollout.pre_stop, rollout.grace
    assert last_sent < term, "the process still takes new requests"
    assert answered <= term + graceful
    assert term + graceful <= kill
    assert rollout.drain_reaction + kill <= SPOT_NOTICE


def test_a_rollout_takes_less_time_a_pod_the_more_there_are() -> None:
    assert surge(1) == surge(4) == 1
    assert surge(10) == 3
    assert rolled_out_after(10) < 10 * in_service_after() + drained_after()
