"""The preflight: each check asks one question of the account and answers with findings; nothing is changed.

Checks run side by side, since each mostly waits. A call that the credentials may not make is a finding too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from stacks.settings import Settings
from studio.cloud.deploy.account import Account, said

State = Literal["ok", "warning", "problem"]
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the preflight. A problem stops the deployment, unless its `check` is accepted by name."""

    check: str
    state: State
    found: str
    advice: str = ""


class Assembly:
    """A cloud assembly: templates by stack id, and which stack stands on which."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        stacks = {name: one for name, one in manifest["artifacts"].items() if one["type"] == "aws:cloudformation:stack"}
        self.folder = folder
        self.templates: dict[str, dict[str, Any]] = {
            name: json.loads((folder / one["properties"]["templateFile"]).read_text(encoding="utf-8"))
            for name, one in stacks.items()
        }
        self.names = {name: str(one["properties"].get("stackName", name)) for name, one in stacks.items()}
        self.regions = {name: one["environment"].rpartition("/")[2] for name, one in stacks.items()}
        self.below: dict[str, set[str]] = {
            name: {other for other in one.get("dependencies", ()) if other in stacks} for name, one in stacks.items()
        }
        versions = [one["properties"].get("requiresBootstrapStackVersion", 0) for one in stacks.values()]
        self.bootstrap_version = int(max(versions, default=0))

    @cached_property
    def order(self) -> list[str]:
        """Stack ids so that each stands after those it needs."""
        return self.closure(self.templates)

    def closure(self, wanted: Iterable[str]) -> list[str]:
        """These stacks and all they stand on, in order of deployment."""
        done: dict[str, None] = {}

        def visit(name: str) -> None:
            for other in sorted(self.below[name]):
                visit(other)
            done.setdefault(name)

        for name in wanted:
            visit(name)
        return list(done)

    def having(self, kind: str) -> set[str]:
        """Ids of stacks with a resource of this type."""
        return {
            name
            for name, template in self.templates.items()
            if any(one["Type"] == kind for one in template.get("Resources", {}).values())
        }

    def properties(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The properties of every resource of a type."""
        for template in self.templates.values():
            for one in template.get("Resources", {}).values():
                if one["Type"] == kind:
                    yield one.get("Properties", {})


@dataclass(frozen=True, slots=True)
class Situation:
    """What checks look at. `context` is what was given, before it was read into `settings`."""

    account: Account
    settings: Settings
    assembly: Assembly
    context: Mapping[str, Any]


Check = Callable[[Situation], Iterable[Finding]]


def every() -> tuple[Check, ...]:
    """All checks, in the order they are told."""
    from studio.cloud.deploy.checks import capacity, names, region, standing, who

    return (
        who.context,
        who.allow_lists,
        who.developers,
        region.opted_in,
        region.bootstrapped,
        region.zones,
        region.prefix_list,
        region.kubernetes,
        capacity.gpu_offerings,
        capacity.system_offerings,
        capacity.quotas,
        names.guardduty,
        names.github,
        names.spot_role,
        names.fixed_names,
        standing.clean_stacks,
        standing.signing_keys,
    )


def preflight(situation: Situation, checks: Sequence[Check] | None = None) -> list[Finding]:
    """Every finding of every check."""
    chosen = every() if checks is None else checks
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [one for findings in pool.map(lambda check: _asked(check, situation), chosen) for one in findings]


def _asked(check: Check, situation: Situation) -> list[Finding]:
    try:
        return list(check(situation))
    except (ClientError, BotoCoreError) as error:
        name = check.__name__.replace("_", " ")
        return [
            Finding(
                name,
                "problem",
                f"could not be looked at: {said(error)}",
                f"Use credentials that may make this call, or go on without the answer: --accept '{name}'",
            )
        ]
