"""An account in which the origin header rotates: secrets, rules and distributions that answer like AWS's."""

import json
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import boto3
from moto.cloudfront.models import cloudfront_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import elbv2_backends
from moto.moto_api import state_manager

REGION = "us-east-1"
HEADER = "x-pingvas-origin"
HOST, OTHER_HOST = "dev.studio.pingvas.com", "studio.pingvas.com"
OLD, OTHERS = "old0old0", "prod0prod0"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
"""What Secrets Manager asks of a rotation, in this order."""


class CrashError(Exception):
    """Lambda ends here."""


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
