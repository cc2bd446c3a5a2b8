"""A deployment, in its order.

    preflight -> Dns -> delegation -> Security and what it stands on -> signing keys -> the rest -> keys in use

Each step looks at what is there and does what is missing, so a deployment that was cut off goes on at the next run.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from blueprint.environments import PROD
from blueprint.rules import RuleError
from blueprint.secrets import PLACEHOLDER, SECRETS
from stacks.settings import Settings, read
from studio.cloud import toolchain
from studio.cloud.deploy import delegation, signing
from studio.cloud.deploy.account import Account, code
from studio.cloud.deploy.checks import Assembly, Finding, Situation, preflight, who
from studio.cloud.synthesis import ASSEMBLY, named, synthesize
from studio.errors import StudioError, UsageError
from studio.home import PROJECT

CONTEXT_FILE = PROJECT / "cdk.context.json"
DNS = "Dns"
SECURITY = "Security"
EDGE = "Edge"
CERTIFICATE = "AWS::CertificateManager::Certificate"
PUBLIC_KEY = "AWS::CloudFront::PublicKey"
AT_ONCE = 4
"""Stacks that deploy side by side when nobody is asked: the cluster and Aurora take a quarter of an hour each."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    stacks: Sequence[str] = ()
    """By id (`Network`) or full name (`PingvasNetwork`); none means all."""
    context: Sequence[str] = ()
    profile: str | None = None
    yes: bool = False
    """Do not ask before changes of IAM statements and security groups."""
    patient: bool = True
    """Wait for the delegation."""
    assume_delegated: bool = False
    rotate: bool = False
    """New signing keys."""
    accept: frozenset[str] = frozenset()
    """Checks whose problems do not stop."""


def given(pairs: Sequence[str], file: Path = CONTEXT_FILE) -> dict[str, Any]:
    """The context that a person gave: cdk.context.json, and over it the command line.

    Raises:
        UsageError: a pair without `=`, a file that is no JSON object.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise UsageError(f"{file.name} is no JSON: {error}", advice="Correct it, or restore it from git.") from error
    if not isinstance(held, dict):
        raise UsageError(f"{file.name} must hold one JSON object.")
    return {**held, **named(pairs)}


def settings_of(context: dict[str, Any]) -> Settings:
    """Raises UsageError, with the setting and its rule, for one that cannot be."""
    try:
        return read(context)
    except RuleError as error:
        raise UsageError(str(error), advice="Correct it in cdk.context.json or on the command line.") from error


@dataclass(slots=True)
class Deployment:
    """One deployment. `say` tells a person what happens; `wait` is `delegation.wait`, `make` writes the assembly."""

    options: Options
    say: Say
    wait: Callable[..., None] = delegation.wait
    make: Callable[..., None] = synthesize
    folder: Path = ASSEMBLY
    file: Path = CONTEXT_FILE
    settings: Settings = field(init=False)
    account: Account = field(init=False)
    assembly: Assembly = field(init=False)

    def look(self) -> list[Finding]:
        """The preflight: credentials, templates, then every check. Nothing is changed.

        Raises:
            UsageError: a setting cannot be, or a stack is unknown.
            StudioError: there are no credentials, or synthesis fails.
        """
        context = given(self.options.context, self.file)
        self.settings = settings_of(context)
        self.account = Account(self.settings.region, profile=self.options.profile)
        findings = list(who.credentials(self.account, self.settings.account))
        if any(one.state == "problem" for one in findings):
            return findings
        if any(pair.startswith(f"{signing.SETTING}=") for pair in self.options.context):
            raise UsageError(
                f"{signing.SETTING} belongs into {self.file.name}, where a deployment writes it.",
                advice=f"Leave -c {signing.SETTING}=... out.",
            )
        self._synthesize(checks=True)
        self._wanted()
        findings += preflight(Situation(self.account, self.settings, self.assembly, context))
        return findings

    def stops(self, findings: Sequence[Finding]) -> list[Finding]:
        """Problems that were not accepted; nobody can accept the wrong account."""
        accepted = self.options.accept - {"credentials"}
        return [one for one in findings if one.state == "problem" and one.check not in accepted]

    def run(self) -> list[str]:
        """Deploys. Returns commands that a person has to give afterwards.

        Raises:
            StudioError: the zone is not delegated and we are not to wait, or a stack failed.
        """
        wanted = self._wanted()
        closure = self.assembly.closure(wanted)
        signed = bool(list(self.assembly.properties(PUBLIC_KEY)))
        done: set[str] = set()
        if DNS in closure:
            self._cdk([DNS])
            done |= set(self.assembly.closure([DNS]))
        if set(closure) & self.assembly.having(CERTIFICATE):
            self._delegated()
        if EDGE in closure and signed:
            if SECURITY in closure:
                self._cdk([SECURITY])
                done |= set(self.assembly.closure([SECURITY]))
            self._keys()
        rest = [name for name in self.assembly.order if name in wanted and name not in done]
        if rest:
            self._cdk(rest)
        if EDGE in closure and signed:
            for sentence in signing.promote(self.account, edge=self.assembly.names[EDGE]):
                self.say(sentence)
        return self.to_fill()

    def to_fill(self) -> list[str]:
        """Commands for the secrets that a person must fill and that still hold their placeholders."""
        client = self.account.client("secretsmanager")
        commands = []
        for secret in SECRETS.values():
            if secret.filled_by != "person":
                continue
            try:
                held = client.get_secret_value(SecretId=secret.path)["SecretString"]
            except ClientError as error:
                if code(error) not in ("ResourceNotFoundException", "InvalidRequestException"):
                    raise
                continue
            if PLACEHOLDER in held or not held.strip():
                shape = json.dumps(dict.fromkeys(secret.keys, "..."))
                commands.append(
                    f"aws secretsmanager put-secret-value --region {self.settings.region} "
                    f"--secret-id {secret.path} --secret-string '{shape}'"
                )
        return commands

    def _wanted(self) -> list[str]:
        """Stack ids that were asked for.

        Raises:
            UsageError: there is no such stack.
        """
        known = {name.lower(): name for name in self.assembly.templates}
        known |= {full.lower(): name for name, full in self.assembly.names.items()}
        asked = [EDGE] if self.options.rotate and not self.options.stacks else self.options.stacks
        unknown = [one for one in asked if one.lower() not in known]
        if unknown:
            raise UsageError(f"No stack {', '.join(unknown)}.", advice=f"There are {', '.join(self.assembly.order)}.")
        return [known[one.lower()] for one in asked] or list(self.assembly.order)

    def _synthesize(self, *, checks: bool) -> None:
        self.say("Synthesizing ..." if checks else "Synthesizing again, with the new public keys ...")
        self.make(self.folder, context=self.options.context, checks=checks)
        self.assembly = Assembly(self.folder)

    def _delegated(self) -> None:
        if self.options.assume_delegated:
            self.say(f"{PROD.host} is taken to be delegated.")
            return
        zone = self.settings.hosted_zone_id or next(iter(self.account.physical_ids("AWS::Route53::HostedZone")), None)
        if zone is None:
            raise StudioError(f"{self.assembly.names[DNS]} has no hosted zone.", advice="Deploy the stack Dns first.")
        self.wait(PROD.host, delegation.name_servers(self.account, zone), say=self.say, patient=self.options.patient)

    def _keys(self) -> None:
        told = signing.prepare(self.account, self.settings, self.file, rotate=self.options.rotate)
        for sentence in told:
            self.say(sentence)
        context = given(self.options.context, self.file)
        if (fresh := settings_of(context)) != self.settings:
            self.settings = fresh
            self._synthesize(checks=False)

    def _cdk(self, stacks: Sequence[str]) -> None:
        """`cdk deploy` of these stacks and what they stand on, its output passed through.

        Raises:
            StudioError: it failed; the message has AWS's reason for the resource that failed first.
        """
        started = datetime.now(UTC)
        command = ["deploy", *stacks, "--app", str(self.folder), "--progress", "events"]
        if self.options.yes:
            command += ["--require-approval", "never", "--concurrency", str(AT_ONCE)]
        if self.options.profile:
            command += ["--profile", self.options.profile]
        self.say(f"cdk deploy {' '.join(stacks)}")
        done = subprocess.run(toolchain.command(*command), cwd=PROJECT, env=toolchain.environment(), check=False)
        self.account.forget()
        if done.returncode != 0:
            raise StudioError(
                self._why(started) or f"`cdk deploy` ended with {done.returncode}; its reason stands above.",
                advice="What was deployed stays. Mend the reason, then give the same command again: it goes on here.",
            )

    def _why(self, started: datetime) -> str:
        """The first resource that failed since then, in AWS's words."""
        failed: list[tuple[datetime, str]] = []
        for name, full in self.assembly.names.items():
            client = self.account.client("cloudformation", self.assembly.regions[name])
            try:
                events = client.describe_stack_events(StackName=full)["StackEvents"]
            except ClientError:
                continue  # this stack does not exist
            for one in events:
                reason = one.get("ResourceStatusReason", "")
                if (
                    one["Timestamp"] >= started
                    and one["ResourceStatus"].endswith("_FAILED")
                    and "cancelled" not in reason
                ):
                    place = f"{full}: {one['LogicalResourceId']} ({one['ResourceType']})"
                    failed.append((one["Timestamp"], f"{place} {one['ResourceStatus']}: {reason}"))
        return min(failed)[1] if failed else ""
