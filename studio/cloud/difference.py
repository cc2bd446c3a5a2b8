"""Differences between two assemblies, told by the CDK command line's own differ."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from studio.cloud import toolchain
from studio.cloud.assembly import SUFFIX, Change
from studio.cloud.revision import files_of
from studio.cloud.synthesis import ASSEMBLY, synthesize
from studio.errors import StudioError, UsageError


@contextmanager
def compared(against: str | None, context: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """The folders of the saved assembly and of a new one, both there as long as the context is open.

    Raises:
        UsageError: nothing is saved there, and it is no revision either.
    """
    with tempfile.TemporaryDirectory(prefix="pingvas-diff-") as scratch:
        new = Path(scratch) / "new"
        saved = Path(against) if against else ASSEMBLY
        if (saved / "manifest.json").is_file():
            old = saved.resolve()
        elif against is None:
            raise UsageError(
                "Nothing to compare with: cdk.out does not exist.",
                advice="`./pingvas synth` saves an assembly there; `./pingvas diff HEAD` compares with git.",
            )
        else:
            old = Path(scratch) / "old"
            with files_of(against) as checkout:
                if not (checkout / "app.py").is_file():
                    raise UsageError(f"{against} has no AWS layer: app.py is not there.")
                synthesize(old, context=context, checks=False, project=checkout)
        synthesize(new, context=context, checks=False)
        yield old, new


def told(change: Change, old: Path, new: Path) -> str:
    """What `cdk diff` says of one stack."""
    before, after = old / f"{change.stack}{SUFFIX}", new / f"{change.stack}{SUFFIX}"
    if not after.is_file():
        return f"Stack {change.stack} is gone, with {len(change.removed)} resources\n\n"
    if not before.is_file():
        before = new / f"{change.stack}.nothing.json"
        before.write_text(json.dumps({}), encoding="utf-8")
    done = toolchain.cdk(
        "diff",
        "--app",
        str(new),
        "--template",
        str(before),
        "--no-change-set",
        "--no-color",
        "--exclusively",
        change.stack,
        capture=True,
    )
    if done.returncode != 0:
        raise StudioError(f"cdk diff failed for {change.stack}:\n{done.stderr.strip()[-800:]}")
    lines = (done.stdout + done.stderr).splitlines()
    kept = [line for line in lines if "Number of stacks with differences" not in line]
    return "\n".join(kept).strip() + "\n\n"
