"""Synthesis of the platform by `cdk synth`, with or without the checks that cost seconds."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from studio.cloud import toolchain
from studio.errors import StudioError, UsageError
from studio.home import PROJECT

ASSEMBLY = PROJECT / "cdk.out"


def synthesize(
    output: Path = ASSEMBLY, *, context: Sequence[str] = (), checks: bool = True, project: Path = PROJECT
) -> None:
    """Writes the cloud assembly of a checkout; with `checks`, cdk-nag's AWS Solutions and CDK's own validator run too.

    What `output` held is replaced when all went well and stays as it was when not.

    Raises:
        StudioError: a setting cannot be, a rule is broken, or the app fails; the message is the app's own.
    """
    pairs = [f"{name}={value}" for name, value in named(context).items()]
    toolchain.ready()
    fresh = output.with_name(f"{output.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    arguments = ["synth", "--quiet", "--output", str(fresh)]
    for pair in pairs:
        arguments += ["--context", pair]
    more = {"CDK_VALIDATION": "true" if checks else "false"}
    if checks:
        arguments += ["--context", "nag=true"]
    done = toolchain.cdk(*arguments, cwd=project, more=more, capture=True)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise StudioError(_reason(done), advice=f"{output} was left as it was." if output.exists() else "")
    shutil.rmtree(output, ignore_errors=True)
    fresh.rename(output)


def named(context: Sequence[str]) -> dict[str, str]:
    """Settings by name, of `name=value` as -c takes them; the last one of a name counts.

    Raises:
        UsageError: one has no value.
    """
    for pair in context:
        if "=" not in pair:
            raise UsageError(f"-c {pair}: a setting is name=value.", advice="For example -c region=us-east-1")
    return dict(pair.partition("=")[::2] for pair in context)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a setting that cannot be, or the findings, or the end of what the app said."""
    lines = (done.stderr + "\n" + done.stdout).strip().splitlines()
    for line in lines:
        if line.startswith("pingvas: "):
            return line.removeprefix("pingvas: ")
    findings = [index for index, line in enumerate(lines) if line.startswith("ERROR ")]
    if findings:
        return "synthesis broke rules:\n" + "\n".join(lines[findings[0] :][:60])
    return "synthesis failed:\n" + "\n".join(lines[-15:])
