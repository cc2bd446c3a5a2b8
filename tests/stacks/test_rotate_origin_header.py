"""The rotation of the origin header, step by step, against secrets, rules and distributions that answer like AWS's.

What must hold after every single call is that no rule refuses a value that an edge of CloudFront may be sending.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudfront.models import cloudfront_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import elbv2_backends
from moto.moto_api import state_manager

CODE = Path(__file__).parents[2] / "stacks" / "functions" / "rotate_origin_header" / "handler.py"
REGION = "us-east-1"
HEADER = "x-pingvas-origin"
HOST, OTHER_HOST = "dev.studio.pingvas.com", "studio.pingvas.com"
OLD, OTHERS = "old0old0", "prod0prod0"
TOKENS = [f"{number}2345678-1234-1234-1234-123456789012" for number in range(1, 6)]
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
WRITES = {"PutSecretValue", "ModifyRule", "UpdateDistribution", "UpdateSecretVersionStage"}
WRITES_OF_A_ROTATION = 7
"""One value, two rules, the distribution, the label, two rules."""


class CrashError(Exception):
    """Lambda ends here."""


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The file as Lambda loads it: alone."""
    spec = importlib.util.spec_from_file_location("rotate_origin_header", CODE)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@cache
def client(service: str) -> Any:
    """Made once: botocore reads a service's whole model for each. What they talk to is each test's own."""
    return boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


class World:
    """An account with two hosts' rules, one distribution and its secret; `calls` is what was asked of AWS."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.balancer, self.cdn, self.manager = (client(name) for name in ("elbv2", "cloudfront", "secretsmanager"))
        self._listener()
        self._distribution()
        self.secret = self.manager.create_secret(
            Name="pingvas/dev/origin-header", SecretString=json.dumps({"value": OLD})
        )["ARN"]
        self.sendable = {OLD}
        self.calls: list[str] = []
        self.slept = 0.0
        self.remaining = 900.0
        self.crash: Callable[[int, str, str], bool] = lambda _number, _call, _moment: False
        self.watching = True
        for one in (self.balancer, self.cdn, self.manager):
            one.meta.events.register("before-call.*.*", self._before)
            one.meta.events.register("after-call.*.*", self._after)

    def close(self) -> None:
        for one in (self.balancer, self.cdn, self.manager):
            one.meta.events.unregister("before-call.*.*", self._before)
            one.meta.events.unregister("after-call.*.*", self._after)

    def _listener(self) -> None:
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{zone}.0/24", AvailabilityZone=f"{REGION}{name}")
            for zone, name in enumerate("ab", start=1)
        ]
        balancer = self.balancer.create_load_balancer(
            Name="pingvas", Subnets=[one["Subnet"]["SubnetId"] for one in subnets]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self.group = self.balancer.create_target_group(
            Name="dev-user-service", Protocol="HTTP", Port=8001, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": self.group}]
        self.listener = self.balancer.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward
        )["Listeners"][0]["ListenerArn"]
        rules = ((HOST, "/api/v1/me", OLD), (HOST, "/api/v1/auth", OLD), (OTHER_HOST, "/api/v1/me", OTHERS))
        for priority, (host, path, value) in enumerate(rules, start=1):
            self.balancer.create_rule(
                ListenerArn=self.listener,
                Priority=priority,
                Conditions=conditions(host, path, [value]),
                Actions=forward,
            )

    def _distribution(self) -> None:
        origin = {
            "Id": "api",
            "DomainName": "alb.example.com",
            "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": HEADER, "HeaderValue": OLD}]},
            "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
        }
        bucket = {
            "Id": "studio",
            "DomainName": "bucket.s3.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        config = {
            "CallerReference": "once",
            "Comment": "dev",
            "Enabled": True,
            "Origins": {"Quantity": 2, "Items": [bucket, origin]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "studio",
                "ViewerProtocolPolicy": "https-only",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            },
        }
        self.distribution = self.cdn.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
        self.state = cloudfront_backends[DEFAULT_ACCOUNT_ID]["aws"].distributions[self.distribution]
        self.state.status = "Deployed"

    def _deploying(self) -> None:
        """What CloudFront does on an update and moto does not: another tag, and some minutes of work."""
        self.state.status, self.state._tick = "InProgress", 0
        self.state.etag = f"E{int(self.state.etag[1:]) + 1}" if self.state.etag[1:].isdigit() else "E1"

    def _before(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        if model.name == "UpdateDistribution" and params["headers"]["If-Match"] != self.state.etag:
            raise self.cdn.exceptions.PreconditionFailed({"Error": {"Code": "PreconditionFailed"}}, model.name)
        if self.watching and self.crash(len(self.calls), model.name, "before"):
            raise CrashError(f"before {model.name}")

    def _after(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if model.name == "UpdateDistribution":
            self._deploying()
        if not self.watching:
            return
        number = len(self.calls)
        if parsed["ResponseMetadata"]["HTTPStatusCode"] < 300:
            self.calls.append(model.name)
            if model.name == "UpdateDistribution":
                self.sendable.add(self.sent())
            if model.name == "GetDistribution" and parsed["Distribution"]["Status"] == "Deployed":
                self.sendable = {self.sent()}
        self.check()
        if self.crash(number, model.name, "after"):
            raise CrashError(f"after {model.name}")

    def unwatched(self, ask: Callable[[], Any]) -> Any:
        self.watching, was = False, self.watching
        try:
            return ask()
        finally:
            self.watching = was

    def check(self) -> None:
        """No edge is refused, and nothing is done to the other environment."""
        for path, values in self.accepted(HOST).items():
            assert self.sendable <= values, f"{path} refuses {self.sendable - values}"
        assert self.accepted(OTHER_HOST) == {"/api/v1/me": {OTHERS}}

    def sent(self) -> str:
        """What the distribution's configuration says, read behind the API's back: asking would be a look of its own."""
        headers = self.state.distribution_config.Origins["Items"][1].custom_headers
        return str(headers["Items"][0]["HeaderValue"])

    def accepted(self, host: str) -> dict[str, set[str]]:
        """Header values by the path of a rule."""
        found = {}
        for rule in elbv2_backends[DEFAULT_ACCOUNT_ID][REGION].describe_rules(self.listener, None):
            by = {one["Field"]: one for one in rule.conditions}
            if by and by["host-header"]["HostHeaderConfig"]["Values"] == [host]:
                path = by["path-pattern"]["PathPatternConfig"]["Values"][0]
                found[path] = set(by["http-header"]["HttpHeaderConfig"]["Values"])
        return found

    def reset_rules(self, value: str) -> None:
        """What a deployment does that changes every rule for another reason."""

        def ask() -> None:
            for rule in self.balancer.describe_rules(ListenerArn=self.listener)["Rules"]:
                by = {one["Field"]: one for one in rule["Conditions"]}
                if by and by["host-header"]["HostHeaderConfig"]["Values"] == [HOST]:
                    path = by["path-pattern"]["PathPatternConfig"]["Values"][0]
                    self.balancer.modify_rule(RuleArn=rule["RuleArn"], Conditions=conditions(HOST, path, [value]))

        self.unwatched(ask)

    def reset_distribution(self, value: str) -> None:
        """What a deployment does that changes the distribution for another reason."""

        def ask() -> None:
            answer = self.cdn.get_distribution(Id=self.distribution)
            config = answer["Distribution"]["DistributionConfig"]
            config["Origins"]["Items"][1]["CustomHeaders"]["Items"][0]["HeaderValue"] = value
            self.cdn.update_distribution(Id=self.distribution, DistributionConfig=config, IfMatch=answer["ETag"])

        self.unwatched(ask)
        self.sendable.add(value)

    def value(self, **version: str) -> str:
        answer = self.unwatched(lambda: self.manager.get_secret_value(SecretId=self.secret, **version))
        return str(json.loads(answer["SecretString"])["value"])

    def current(self) -> str:
        return self.value(VersionStage="AWSCURRENT")

    def run(self, step: str, token: str) -> None:
        """One step as Secrets Manager has it done."""

        def sleep(seconds: float) -> None:
            self.slept += seconds
            self.remaining -= seconds

        rotation = self.module.Rotation(
            secret=self.secret,
            key="value",
            length=64,
            listener=self.listener,
            host=HOST,
            header=HEADER,
            distribution=self.distribution,
            poll=15,
            settle=10,
            reserve=30,
            remaining=lambda: self.remaining,
            sleep=sleep,
            manager=self.manager,
            balancer=self.balancer,
            cdn=self.cdn,
        )
        self.deploys_after(3)
        name = {"createSecret": "create", "setSecret": "give", "testSecret": "watch", "finishSecret": "finish"}[step]
        getattr(rotation, name)(token)

    def deploys_after(self, looks: int) -> None:
        state_manager.set_transition("cloudfront::distribution", {"progression": "manual", "times": looks})

    def rotate(self, token: str, tries: int = 4) -> None:
        """Secrets Manager: all steps, again from the first one after a failure."""
        for last in range(tries):
            self.remaining = 900.0
            try:
                for step in STEPS:
                    self.run(step, token)
            except (CrashError, self.module.NotYetError):
                if last == tries - 1:
                    raise
            else:
                return

    def settled(self, value: str) -> None:
        assert self.current() == self.sent() == value
        assert self.accepted(HOST) == {"/api/v1/me": {value}, "/api/v1/auth": {value}}


def conditions(host: str, path: str, values: list[str]) -> list[dict[str, Any]]:
    return [
        {"Field": "host-header", "HostHeaderConfig": {"Values": [host]}},
        {"Field": "path-pattern", "PathPatternConfig": {"Values": [path, f"{path}/*"]}},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": HEADER, "Values": values}},
    ]


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
