"""The monthly estimate under an operator's settings, and that of another Git revision."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cloud.revision import files_of
from studio.cloud.synthesis import named
from studio.errors import StudioError, UsageError
from studio.home import PROJECT

if TYPE_CHECKING:
    from blueprint.cost import Estimate

SECONDS = 60
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Difference:
    """A line whose amount is not what it was; a line that came or went has 0 on the other side. Dollars a month."""

    key: str
    service: str
    stack: str
    what: str
    before: Decimal
    now: Decimal

    @property
    def change(self) -> Decimal:
        return self.now - self.before

    def as_json(self) -> dict[str, str]:
        return {
            "key": self.key,
            "service": self.service,
            "stack": self.stack,
            "before": str(self.before),
            "now": str(self.now),
            "change": str(self.change),
        }


def estimate_of(context: Sequence[str], region: str | None) -> "Estimate":
    """The estimate under settings given as `name=value`, as `./pingvas synth -c` takes them.

    Raises:
        UsageError: a setting or the region cannot be.
    """
    from blueprint.cost import estimate
    from blueprint.costs.platform import PLATFORM
    from blueprint.rules import RuleError
    from stacks.settings import read, unknown

    given = named(context)
    if region is not None:
        given["region"] = region
    if strange := unknown(given):
        raise UsageError(f"There is no setting {', '.join(strange)}.", advice="docs/architecture/aws.md lists them.")
    try:
        settings = read(given)
    except RuleError as error:
        raise UsageError(str(error)) from error
    platform = replace(
        PLATFORM,
        nat_gateways=settings.nat_gateways,
        interface_endpoints=settings.interface_endpoints,
        architecture=settings.system_architecture,
        aurora=replace(PLATFORM.aurora, minimum_acu=settings.aurora_min_acu, maximum_acu=settings.aurora_max_acu),
    )
    return estimate(region=settings.region, platform=platform)


def at_revision(revision: str, region: str, *, project: Path = PROJECT) -> dict[str, Any]:
    """The estimate that a Git revision's own blueprint makes, with its own prices and its default settings.

    Its `blueprint` is written to a temporary folder and asked in a process of its own; the checkout is not touched.

    Raises:
        UsageError: there is no such revision, no Git here, or the revision has no estimate.
        StudioError: the revision's estimate fails.
    """
    with files_of(revision, "blueprint", project=project) as folder:
        if not (folder / "blueprint" / "cost.py").is_file():
            raise UsageError(f"Revision {revision!r} has no estimate: it is older than blueprint/cost.py.")
        asked = subprocess.run(
            [sys.executable, "-P", "-m", "blueprint.cost", region],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or ["no message"])[-1]
        raise StudioError(f"The estimate of revision {revision!r} fails: {last}")
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """The lines of two estimates (as JSON) whose amounts differ, in the order of the newer one, then those gone."""
    old = {line["key"]: line for line in before["lines"]}
    new = {line["key"]: line for line in now["lines"]}
    found = []
    for key in [*new, *(key for key in old if key not in new)]:
        line = new.get(key) or old[key]
        left, right = (Decimal(side[key]["amount"]) if key in side else _NOTHING for side in (old, new))
        if left != right:
            found.append(Difference(key, line["service"], line["stack"], line["what"], left, right))
    return found
