"""The phases of a rehearsal, against the emulator, with the pinned CDK command line."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blueprint.data import AURORA
from blueprint.regions import DEFAULT_REGION, GLOBAL_REGION
from studio.cloud import assembly, toolchain
from studio.cloud.rehearse import ledger
from studio.cloud.rehearse.ledger import Line
from studio.cloud.rehearse.process import ACCOUNT, Emulator
from studio.cloud.rehearse.schemas import references
from studio.cloud.synthesis import synthesize
from studio.errors import StudioError
from studio.home import PROJECT
from studio.processes import tail

ACU_MORE = 4.0
"""Aurora capacity units that the changed deployment may use beside the first one's."""
STATEFUL = (
    "AWS::RDS::",
    "AWS::ElastiCache::",
    "AWS::S3::Bucket",
    "AWS::EFS::",
    "AWS::KMS::Key",
    "AWS::SecretsManager::Secret",
    "AWS::Route53::HostedZone",
    "AWS::EKS::Cluster",
)
UNPROVEN = (
    "AWS's own validation beyond its published schemas (values that exclude each other, versions on offer)",
    "service quotas, capacity of Spot and of GPU types, zones of this account",
    "IAM at run time: whether roles may do what they must",
    "custom resources' and other functions' code: they are recorded, not run",
    "certificates and DNS: nothing is validated or resolved",
    "how long AWS takes, what it costs, and that anything serves a request",
)


Templates = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase that went well."""

    name: str
    seconds: float
    detail: str


@dataclass(slots=True)
class Outcome:
    """What a rehearsal found. `failure` is empty where every phase went well."""

    region: str
    phases: list[Phase] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    deployed: int = 0
    """How many of `lines` are of the first deployment."""
    failure: str = ""

    @property
    def made(self) -> Counter[str]:
        """Resources by type that the emulator itself made."""
        return Counter(line.kind for line in self._first if line.made)

    @property
    def recorded(self) -> Counter[str]:
        """Resources by type that were checked by schema and recorded."""
        return Counter(line.kind for line in self._first if not line.made)

    @property
    def imports(self) -> int:
        return sum(line.event == "imported" for line in self.lines)

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    @property
    def _first(self) -> list[Line]:
        return [line for line in self.lines[: self.deployed] if line.event == "created"]


class PhaseError(StudioError):
    """A phase went wrong; the message is the paragraph to show."""


class Rehearsal:
    """The phases over one folder of assemblies."""

    def __init__(self, folder: Path, *, context: Sequence[str] = (), say: Callable[[str], None]) -> None:
        self.folder = folder
        self.context = [*context, f"account={ACCOUNT}"]
        given = dict(pair.partition("=")[::2] for pair in self.context)
        self.region = given.get("region", DEFAULT_REGION)
        self._gateways = 1 if given.get("nat_gateways") == "3" else 3
        capacity = float(given.get("aurora_max_acu", AURORA.maximum_acu)) + ACU_MORE
        self.change = (f"nat_gateways={self._gateways}", f"aurora_max_acu={capacity:g}")
        self.outcome = Outcome(self.region)
        self._say = say
        self._emulator = Emulator(folder)

    def run(self) -> Outcome:
        """Every phase; stops at the first that goes wrong."""
        phases: tuple[tuple[str, Callable[[], str]], ...] = (
            ("synthesize", self._synthesize),
            ("bootstrap", self._bootstrap),
            ("deploy", self._deploy),
            ("deploy again", self._again),
            ("change", self._change),
            ("destroy", self._destroy),
        )
        with self._emulator.running():
            for name, phase in phases:
                self._say(f"{name} ...")
                started = time.monotonic()
                try:
                    detail = phase()
                except PhaseError as error:
                    self.outcome.failure = f"{name}: {error.message}"
                    break
                self.outcome.phases.append(Phase(name, time.monotonic() - started, detail))
        return self.outcome

    def _synthesize(self) -> str:
        for name, more in (("base", ()), ("changed", self.change)):
            settings = ["protected=false", *self.context]
            names = {pair.partition("=")[0] for pair in more}
            context = [pair for pair in settings if pair.partition("=")[0] not in names] + list(more)
            try:
                synthesize(self.folder / name, context=context, checks=False)
            except StudioError as error:
                raise PhaseError(error.message) from error
        templates = assembly.load(self.folder / "base")
        count = sum(len(one.get("Resources", {})) for one in templates.values())
        return f"{len(templates)} stacks, {count} resources, and again with {', '.join(self.change)}"

    def _bootstrap(self) -> str:
        regions = sorted({self.region, GLOBAL_REGION})
        self._cdk("bootstrap", *(f"aws://{ACCOUNT}/{region}" for region in regions))
        made = self._lines(keep=False)
        return f"{', '.join(regions)}: {sum(line.event == 'created' for line in made)} resources"

    def _deploy(self) -> str:
        self._cdk("deploy", "--all", app="base")
        lines = self._lines()
        self.outcome.deployed = len(self.outcome.lines)
        wanted = {
            (f"Pingvas{stack}", name): body["Type"]
            for stack, template in assembly.load(self.folder / "base").items()
            for name, body in template.get("Resources", {}).items()
            if "Condition" not in body
        }
        found = {(line.stack, line.resource): line.kind for line in lines if line.event == "created"}
        missing = sorted(f"{stack}/{name} ({wanted[stack, name]})" for stack, name in wanted.keys() - found.keys())
        if missing:
            raise PhaseError(f"{len(missing)} resources of the templates were never made: {', '.join(missing[:5])}")
        stacks = list(dict.fromkeys(line.stack for line in lines if line.event == "created"))
        return f"{len(found)} resources in the order {' '.join(one.removeprefix('Pingvas') for one in stacks)}"

    def _again(self) -> str:
        self._cdk("deploy", "--all", app="base")
        if touched := [line for line in self._lines() if line.event != "imported"]:
            line = touched[0]
            raise PhaseError(f"a deployment of the same templates {line.event} {line.stack}/{line.resource}")
        return "nothing changed"

    def _change(self) -> str:
        before, after = (assembly.load(self.folder / name) for name in ("base", "changed"))
        expected, following = _difference(before, after)
        self._cdk("deploy", "--all", app="changed")
        lines = [line for line in self._lines() if line.event != "imported"]
        touched = {(line.stack, line.resource): line for line in lines}
        asked = " and ".join(self.change)
        for key in sorted(touched.keys() - expected - following):
            line = touched[key]
            raise PhaseError(f"{asked}: {line.event} {_place(line)}, whose template is as before")
        for stack, name in sorted(expected - touched.keys()):
            raise PhaseError(f"{asked}: {stack}/{name} should have changed, and did not")
        for line in lines:
            if line.kind.startswith(STATEFUL) and line.event in ("replaced", "deleted"):
                raise PhaseError(f"{asked}: {line.event} {_place(line)}, which holds data")
        counts = Counter((line.event, line.kind) for line in lines)
        gateways = counts["created" if self._gateways == 3 else "deleted", "AWS::EC2::NatGateway"]
        clusters = counts["updated", "AWS::RDS::DBCluster"]
        if (gateways, clusters) != (2, 1):
            raise PhaseError(
                f"{asked}: not 2 NAT gateways and 1 Aurora cluster in place, but {gateways} and {clusters}"
            )
        events = Counter(line.event for line in lines)
        stacks = sorted({line.stack.removeprefix("Pingvas") for line in lines})
        told = ", ".join(f"{count} {event}" for event, count in sorted(events.items()))
        return f"{asked}: {told} in {' and '.join(stacks)}, as the templates differ"

    def _destroy(self) -> str:
        self._cdk("destroy", "--all", "--force", app="changed")
        lines = self._lines()
        counts = Counter(line.event for line in lines if line.event in ("deleted", "retained"))
        kept = sorted({line.kind for line in lines if line.event == "retained"})
        told = f"{counts['deleted']} deleted, {counts['retained']} kept"
        return told + (f" ({', '.join(kept)})" if kept else "")

    def _cdk(self, *arguments: str, app: str | None = None) -> None:
        own = ["--require-approval", "never", "--method", "direct", "--progress", "events"]
        command = [*arguments, *(own if arguments[0] == "deploy" else ())]
        if app:
            command += ["--app", str(self.folder / app)]
        with (self.folder / "cdk.log").open("a", encoding="utf-8") as log:
            log.write(f"$ cdk {' '.join(command)}\n")
            log.flush()
            done = subprocess.run(
                toolchain.command(*command, "--ci", "false", "--no-color"),
                # Where there is no cdk.json, the bootstrap needs no app.
                cwd=PROJECT if app else self.folder,
                env=toolchain.environment(self._emulator.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise PhaseError(self._why())

    def _why(self) -> str:
        refused = [line for line in ledger.read(self._emulator.ledger) if line.event == "refused"]
        if refused:
            line = refused[-1]
            place = _place(line) if line.kind else f"{line.stack}/{line.resource}"
            return f"{place}: {line.reason}" + (f" Construct: {line.path}." if line.path else "")
        return "the CDK command line failed:\n" + tail(self.folder / "cdk.log", 12)

    def _lines(self, *, keep: bool = True) -> list[Line]:
        """What happened since the last call."""
        lines = list(ledger.read(self._emulator.ledger, self._read))
        self._read += len(lines)
        if keep:
            self.outcome.lines += lines
        return lines

    _read = 0


def _difference(before: Templates, after: Templates) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Resources whose templates differ, and those that refer to them and so may follow."""
    differing, following = set(), set()
    for stack in before.keys() | after.keys():
        old, new = (one.get(stack, {}).get("Resources", {}) for one in (before, after))
        names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        differing |= {(f"Pingvas{stack}", name) for name in names}
        following |= {(f"Pingvas{stack}", name) for name, body in new.items() if names.intersection(references(body))}
    return differing, following


def _place(line: Line) -> str:
    return f"{line.stack}/{line.resource} ({line.kind})"
