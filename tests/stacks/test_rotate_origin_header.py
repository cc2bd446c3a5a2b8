"""The rotation of the origin header, step by step, against secrets, rules and distributions that answer like AWS's.

What must hold after every single call is that no rule refuses a value that an edge of CloudFront may be sending.
"""

import importlib.util
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from moto import mock_aws
from moto.moto_api import state_manager

from tests.support.origin_header import (
    HEADER,
    HOST,
    OLD,
    REGION,
    STEPS,
    CrashError,
    World,
)

CODE = Path(__file__).parents[2] / "stacks" / "functions" / "rotate_origin_header" / "handler.py"
TOKENS = [f"{number}2345678-1234-1234-1234-123456789012" for number in range(1, 6)]
WRITES = {"PutSecretValue", "ModifyRule", "UpdateDistribution", "UpdateSecretVersionStage"}
WRITES_OF_A_ROTATION = 7
"""One value, two rules, the distribution, the label, two rules."""


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The file as Lambda loads it: alone."""
    spec = importlib.util.spec_from_file_location("rotate_origin_header", CODE)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def world(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        made = World(module)
        yield made
        made.close()
    state_manager.unset_transition("cloudfront::distribution")


def test_a_rotation_changes_value_rules_and_distribution(world: World) -> None:
    world.rotate(TOKENS[0], tries=1)
    new = world.value(VersionId=TOKENS[0])
    world.settled(new)
    assert new != OLD
    assert len(new) == 64
    assert new.isalnum(), "ELB reads * and ? as wildcards"
    assert new == new.lower(), "ELB compares without regard to case"
    writes = [call for call in world.calls if call in WRITES]
    assert len(writes) == WRITES_OF_A_ROTATION
    assert writes.index("UpdateSecretVersionStage") < len(writes) - 2, "the label first, then the end of the old value"


def test_each_step_does_its_part(world: World) -> None:
    both = {OLD}
    for step, current, accepted in zip(STEPS, ("old", "old", "old", "new"), (1, 2, 2, 1), strict=True):
        world.run(step, TOKENS[0])
        both.add(world.value(VersionId=TOKENS[0]))
        assert (world.current() == OLD) == (current == "old"), step
        assert all(len(values) == accepted for values in world.accepted(HOST).values()), step
        assert world.accepted(HOST)["/api/v1/me"] <= both, step
    assert world.slept >= 10 + 15, "ELB settles before CloudFront is told, and CloudFront deploys"


def test_other_origins_and_settings_of_the_distribution_stay(world: World) -> None:
    def config() -> dict[str, Any]:
        found: dict[str, Any] = world.unwatched(lambda: world.cdn.get_distribution_config(Id=world.distribution))
        return dict(found["DistributionConfig"])

    before = config()
    world.rotate(TOKENS[0])
    after = config()
    after["Origins"]["Items"][1]["CustomHeaders"]["Items"][0]["HeaderValue"] = OLD
    assert after == before


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", range(WRITES_OF_A_ROTATION))
def test_it_converges_when_cut_off_at_any_write(world: World, write: int, moment: str) -> None:
    seen = count()
    crashed = []

    def crash(_number: int, call: str, when: str) -> bool:
        now = call in WRITES and when == moment and next(seen) == write
        crashed.extend([call] if now else [])
        return now

    world.crash = crash
    world.rotate(TOKENS[0])
    assert crashed, "it was never cut off"
    world.settled(world.value(VersionId=TOKENS[0]))
    made = world.calls.count("PutSecretValue")
    assert made == 1, "a second try makes no second value"


@pytest.mark.parametrize("write", range(WRITES_OF_A_ROTATION))
def test_the_next_rotation_mends_one_that_was_never_ended(world: World, write: int) -> None:
    """Somebody cancels a rotation, which AWS allows, and starts another."""
    seen = count()
    world.crash = lambda _number, call, when: call in WRITES and when == "after" and next(seen) == write
    with pytest.raises(CrashError):
        world.rotate(TOKENS[0], tries=1)
    world.rotate(TOKENS[1])
    world.settled(world.value(VersionId=TOKENS[1]))


def test_every_step_can_be_repeated(world: World) -> None:
    for step in STEPS:
        world.run(step, TOKENS[0])
        world.run(step, TOKENS[0])
    world.settled(world.value(VersionId=TOKENS[0]))
    for step in STEPS:
        world.run(step, TOKENS[0])
    world.settled(world.value(VersionId=TOKENS[0]))


def test_it_waits_no_longer_than_lambda_lives(world: World, module: ModuleType) -> None:
    for step in STEPS[:2]:
        world.run(step, TOKENS[0])
    world.remaining = 40
    with pytest.raises(module.NotYetError, match="not deployed"):
        world.run("testSecret", TOKENS[0])
    assert world.current() == OLD
    with pytest.raises(module.NotYetError, match="everywhere"):
        world.run("finishSecret", TOKENS[0])
    assert world.current() == OLD
    world.rotate(TOKENS[0], tries=1)
    world.settled(world.value(VersionId=TOKENS[0]))


def test_a_deployment_that_changes_rules_meanwhile_is_mended(world: World) -> None:
    for step in STEPS[:2]:
        world.run(step, TOKENS[0])
    new = world.value(VersionId=TOKENS[0])
    world.reset_rules(world.current())
    world.sendable = {OLD}  # what edges still send; who has the new value is refused until the next look
    world.run("testSecret", TOKENS[0])
    assert all(new in values for values in world.accepted(HOST).values())
    world.run("finishSecret", TOKENS[0])
    world.settled(new)


def test_a_deployment_that_changes_the_distribution_meanwhile_is_survived(world: World, module: ModuleType) -> None:
    for step in STEPS[:2]:
        world.run(step, TOKENS[0])
    world.reset_distribution(world.current())
    with pytest.raises(module.NotYetError, match="another value"):
        world.run("testSecret", TOKENS[0])
    world.rotate(TOKENS[0])
    world.settled(world.value(VersionId=TOKENS[0]))


def test_a_deployment_afterwards_finds_the_new_value(world: World) -> None:
    world.rotate(TOKENS[0])
    world.reset_rules(world.current())
    world.reset_distribution(world.current())
    world.check()
    world.rotate(TOKENS[1])
    world.settled(world.value(VersionId=TOKENS[1]))


def test_it_refuses_a_distribution_or_a_listener_that_is_not_ours(world: World, module: ModuleType) -> None:
    world.run("createSecret", TOKENS[0])
    unwatched = world.unwatched
    unwatched(
        lambda: [
            world.balancer.delete_rule(RuleArn=rule["RuleArn"])
            for rule in world.balancer.describe_rules(ListenerArn=world.listener)["Rules"]
            if rule["Priority"] in ("1", "2")
        ]
    )
    with pytest.raises(module.NotYetError, match="no rule"):
        world.run("setSecret", TOKENS[0])
    assert world.sent() == OLD


def test_the_handler_takes_its_own_secret_alone(
    world: World, module: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment = {
        "SECRET_ARN": world.secret,
        "SECRET_KEY": "value",
        "LENGTH": "64",
        "LISTENER_ARN": world.listener,
        "HOST": HOST,
        "HEADER": HEADER,
        "DISTRIBUTION_ID": world.distribution,
        "POLL_SECONDS": "0",
        "SETTLE_SECONDS": "0",
        "RESERVE_SECONDS": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 900_000

    event = {"SecretId": world.secret, "ClientRequestToken": TOKENS[0]}
    with caplog.at_level("INFO"):
        for step in STEPS:
            module.handler(event | {"Step": step}, Context())
    new = world.value(VersionId=TOKENS[0])
    world.sendable = {new}
    world.settled(new)
    assert new not in caplog.text
    assert OLD not in caplog.text
    for wrong in ({"SecretId": "another"}, {"Step": "deleteSecret"}):
        with pytest.raises(ValueError, match="none of this function's"):
            module.handler(event | {"Step": "createSecret"} | wrong, Context())


def test_somebody_else_changing_the_distribution_costs_a_try_and_nothing_more(world: World, module: ModuleType) -> None:
    def meddle(_number: int, call: str, when: str) -> bool:
        if (call, when) == ("ModifyRule", "after"):
            world.state.etag = "E7"
        return False

    world.crash = meddle
    with pytest.raises(module.NotYetError, match="same time"):
        world.rotate(TOKENS[0], tries=1)
    assert world.sent() == OLD
    world.rotate(TOKENS[0])
    world.settled(world.value(VersionId=TOKENS[0]))


@pytest.mark.parametrize("version", ["gone", "copy"])
def test_a_schedule_that_is_tried_changes_nothing(world: World, version: str) -> None:
    """Secrets Manager runs testSecret alone when a schedule is made that does not rotate at once."""
    if version == "copy":
        world.manager.put_secret_value(
            SecretId=world.secret,
            ClientRequestToken=TOKENS[0],
            SecretString=json.dumps({"value": OLD}),
            VersionStages=["AWSPENDING"],
        )
        world.calls.clear()
    world.run("testSecret", TOKENS[0])
    assert not WRITES & set(world.calls)
    world.settled(OLD)
