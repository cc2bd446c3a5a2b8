"""Lambda: rotates the header by which the load balancer knows this environment's CloudFront distribution.

Secrets Manager calls it four times a rotation with the same token, and all four again after a failure. Each step looks
at what is there, does what is missing and can be repeated or cut off at any point. What holds all the while: every
rule accepts each value that any edge of CloudFront may be sending.

    step           rules accept   CloudFront sends      AWSCURRENT
    createSecret   old            old                   old
    setSecret      old, new       old -> new            old
    testSecret     old, new       new (deployed)        old
    finishSecret   old, new       new                   new       first the label,
                   new            new                   new       then the rules

What a deployment of the templates does meanwhile: it names AWSCURRENT, and CloudFormation resolves that only in a rule
or distribution that it has another reason to change. Before setSecret and after finishSecret that is the value in use.
In between, a changed rule would accept the old value alone until the next look of testSecret, `POLL_SECONDS` later,
mends it; a changed distribution would send the old value again, which the rules accept, and the step fails, so that
Secrets Manager begins the steps anew. Hence the label moves before the old value is refused, never after.

Environment: SECRET_ARN, SECRET_KEY, LENGTH, LISTENER_ARN, HOST, HEADER, DISTRIBUTION_ID, POLL_SECONDS, SETTLE_SECONDS,
RESERVE_SECONDS (what is left of Lambda's time when waiting ends).
"""

import json
import logging
import os
import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)
ALPHABET = string.ascii_lowercase + string.digits
"""ELB compares without regard to case and reads * and ? as wildcards."""
HEADER_VALUES = 2
"""ELB allows five values a rule: a host, two paths, and these."""


class NotYetError(RuntimeError):
    """The rotation cannot go on now; Secrets Manager tries again, and the steps find where they were."""


def handler(event: Mapping[str, Any], context: Any) -> None:
    """One step.

    Raises:
        NotYetError: CloudFront has not deployed in the time there was, or somebody changed it meanwhile.
        ValueError: the event is no step of this secret's rotation.
    """
    rotation = Rotation.from_environment(remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    steps = {
        "createSecret": rotation.create,
        "setSecret": rotation.give,
        "testSecret": rotation.watch,
        "finishSecret": rotation.finish,
    }
    step, token = str(event.get("Step")), str(event.get("ClientRequestToken"))
    if event.get("SecretId") != rotation.secret or step not in steps:
        raise ValueError(f"{step} of {event.get('SecretId')} is none of this function's")
    steps[step](token)
    log.info("rotation step done", extra={"step": step, "version": token})


@dataclass(frozen=True, slots=True)
class Rotation:
    """The four steps, on one secret, one listener's rules and one distribution. Seconds."""

    secret: str
    key: str
    length: int
    listener: str
    host: str
    header: str
    distribution: str
    poll: float
    settle: float
    reserve: float
    remaining: Callable[[], float]
    sleep: Callable[[float], None]
    manager: Any
    balancer: Any
    cdn: Any

    @classmethod
    def from_environment(cls, *, remaining: Callable[[], float]) -> "Rotation":
        read = os.environ
        return cls(
            secret=read["SECRET_ARN"],
            key=read["SECRET_KEY"],
            length=int(read["LENGTH"]),
            listener=read["LISTENER_ARN"],
            host=read["HOST"],
            header=read["HEADER"],
            distribution=read["DISTRIBUTION_ID"],
            poll=float(read["POLL_SECONDS"]),
            settle=float(read["SETTLE_SECONDS"]),
            reserve=float(read["RESERVE_SECONDS"]),
            remaining=remaining,
            sleep=time.sleep,
            manager=boto3.client("secretsmanager"),
            balancer=boto3.client("elbv2"),
            cdn=boto3.client("cloudfront"),
        )

    def create(self, token: str) -> None:
        """A new value under AWSPENDING, unless an earlier try made it."""
        if token in self._stages():
            return
        value = "".join(secrets.choice(ALPHABET) for _ in range(self.length))
        self.manager.put_secret_value(
            SecretId=self.secret,
            ClientRequestToken=token,
            SecretString=json.dumps({self.key: value}),
            VersionStages=["AWSPENDING"],
        )

    def give(self, token: str) -> None:
        """Both values in the rules, then the new one at CloudFront."""
        new = self._value(VersionId=token)
        sent, deployed, config, etag = self._distribution()
        if sent == new:
            self._accept({new})
            return
        while not deployed:
            self._wait("what CloudFront is deploying")
            sent, deployed, config, etag = self._distribution()
        self._accept({sent, new})
        self.sleep(self.settle)
        self._header(config)["HeaderValue"] = new
        try:
            self.cdn.update_distribution(Id=self.distribution, DistributionConfig=config, IfMatch=etag)
        except self.cdn.exceptions.PreconditionFailed as error:
            raise NotYetError("somebody changed the distribution at the same time") from error

    def watch(self, token: str) -> None:
        """Waits until every edge of CloudFront sends the new value, and keeps both in the rules while it does.

        Secrets Manager also calls this step alone, to try a schedule that was just made: with a version that it may
        have taken away again, or that holds what the current one does. Then there is nothing to wait for.
        """
        try:
            new = self._value(VersionId=token)
        except self.manager.exceptions.ResourceNotFoundException:
            self._accept({self._distribution()[0]})
            return
        while True:
            sent, deployed, _, _ = self._distribution()
            if sent != new:
                raise NotYetError("CloudFront was given another value, and has to be given the new one again")
            self._accept({new})
            if deployed:
                return
            self._wait("the new value")

    def finish(self, token: str) -> None:
        """The label, then the end of the old value."""
        new = self._value(VersionId=token)
        sent, deployed, _, _ = self._distribution()
        if sent != new or not deployed:
            raise NotYetError("CloudFront does not send the new value everywhere")
        self._accept({new})
        current = next(version for version, stages in self._stages().items() if "AWSCURRENT" in stages)
        if current != token:
            self.manager.update_secret_version_stage(
                SecretId=self.secret,
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                RemoveFromVersionId=current,
            )
        self._accept({new}, alone=True)

    def _stages(self) -> dict[str, list[str]]:
        """Labels by version."""
        return dict(self.manager.describe_secret(SecretId=self.secret)["VersionIdsToStages"])

    def _value(self, **version: str) -> str:
        return str(json.loads(self.manager.get_secret_value(SecretId=self.secret, **version)["SecretString"])[self.key])

    def _distribution(self) -> tuple[str, bool, dict[str, Any], str]:
        """The value it is to send, whether every edge does, its configuration and that one's tag."""
        answer = self.cdn.get_distribution(Id=self.distribution)
        config = answer["Distribution"]["DistributionConfig"]
        deployed = answer["Distribution"]["Status"] == "Deployed"
        return str(self._header(config)["HeaderValue"]), deployed, config, str(answer["ETag"])

    def _header(self, config: Mapping[str, Any]) -> dict[str, Any]:
        found: list[dict[str, Any]] = [
            header
            for origin in config["Origins"]["Items"]
            for header in origin.get("CustomHeaders", {}).get("Items", [])
            if header["HeaderName"].lower() == self.header
        ]
        if len(found) != 1:
            raise NotYetError(f"{len(found)} origins of the distribution carry {self.header}")
        return found[0]

    def _accept(self, values: set[str], *, alone: bool = False) -> None:
        """Every rule of the host accepts these, and, where there is room and not `alone`, what it accepted before."""
        rules = 0
        for page in self.balancer.get_paginator("describe_rules").paginate(ListenerArn=self.listener):
            for rule in page["Rules"]:
                conditions = [_writable(condition) for condition in rule["Conditions"]]
                accepted = self._demanded(conditions)
                if accepted is None:
                    continue
                rules += 1
                have = set(accepted["Values"])
                both = have | values
                wanted = values if alone or len(both) > HEADER_VALUES else both
                if have == wanted or (have > values and not alone):
                    continue
                accepted["Values"] = sorted(wanted)
                self.balancer.modify_rule(RuleArn=rule["RuleArn"], Conditions=conditions)
        if not rules:
            raise NotYetError(f"no rule of {self.host} demands {self.header}")

    def _demanded(self, conditions: list[dict[str, Any]]) -> dict[str, Any] | None:
        """What a rule of this host demands of the header; None for other rules."""
        hosts = [host for one in conditions for host in one.get("HostHeaderConfig", {}).get("Values", [])]
        headers: list[dict[str, Any]] = [one["HttpHeaderConfig"] for one in conditions if "HttpHeaderConfig" in one]
        mine = [one for one in headers if one["HttpHeaderName"].lower() == self.header]
        return mine[0] if mine and hosts == [self.host] else None

    def _wait(self, what: str) -> None:
        if self.remaining() < self.reserve + self.poll:
            raise NotYetError(f"CloudFront has not deployed {what} yet")
        self.sleep(self.poll)


def _writable(condition: Mapping[str, Any]) -> dict[str, Any]:
    """A condition as ELB takes it back: it tells the values twice and accepts them once."""
    return {name: value for name, value in condition.items() if name != "Values" or not _configured(condition)}


def _configured(condition: Mapping[str, Any]) -> bool:
    return any(name.endswith("Config") for name in condition)
