"""`synth`, `diff`: the platform as templates and manifests, and what a change does to them."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import note, result, result_json, stdout, warn
from studio.errors import Exit, UsageError

if TYPE_CHECKING:
    from studio.cloud.assembly import Change

Context = Annotated[
    list[str] | None,
    typer.Option("-c", "--context", help="A setting, name=value; may be given again.", show_default=False),
]


class Layer(StrEnum):
    """What one synthesis may be limited to."""

    AWS = "aws"
    KUBERNETES = "kubernetes"


def register(app: typer.Typer) -> None:
    app.command()(synth)
    app.command()(diff)


def synth(
    context: Context = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to write the templates, alone; cdk.out by default.", show_default=False)
    ] = None,
    only: Annotated[Layer | None, typer.Option("--only", help="One layer instead of both.", show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Without the checks of rules and schemas.")] = False,
    from_account: Annotated[
        bool, typer.Option("--from-account", help="Read gitops/facts.yaml from the AWS account first.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing of gitops/; exit with 1 where it is not what synthesis gives."),
    ] = False,
) -> None:
    """Write the CloudFormation templates and the Kubernetes manifests, checked, and tell what changed.

    No account is needed. Templates go to cdk.out, which git ignores, and have passed cdk-nag's AWS Solutions and CDK's
    own validator; manifests go to gitops/, which is committed and which ArgoCD applies, and have passed the schemas of
    Kubernetes and of the custom resources. A finding stops it, and what was there stays. Settings (-c) are those of the
    AWS layer; the Kubernetes layer reads gitops/facts.yaml. Image tags that a delivery has set in gitops/ are kept.

    \b
    Examples:
      ./pingvas synth
      ./pingvas synth --only kubernetes --from-account
      ./pingvas synth --only kubernetes --check
      ./pingvas synth -c region=ap-northeast-2 --output /tmp/seoul
      ./pingvas synth --quick -c nat_gateways=3
    """
    if nothing := _pointless(context, output, only, from_account=from_account, check=check):
        raise UsageError(nothing)
    if output is None and only is not Layer.AWS:
        _manifests(quick=quick, from_account=from_account, check=check)
    if only is not Layer.KUBERNETES and not check:
        _templates(context or (), output, quick=quick)


def _pointless(
    context: Sequence[str] | None, output: Path | None, only: Layer | None, *, from_account: bool, check: bool
) -> str:
    """Why an option would do nothing, or nothing at all would be done."""
    if only is Layer.KUBERNETES and output:
        return "--output is for the templates, and --only kubernetes writes none."
    if context and (check or only is Layer.KUBERNETES):
        return "Settings (-c) are those of the templates, and none are written here."
    for option, given in (("--check", check), ("--from-account", from_account)):
        if given and (output or only is Layer.AWS):
            return f"{option} is about gitops/, which {'--output' if output else '--only aws'} leaves alone."
    return ""


def _manifests(*, quick: bool, from_account: bool, check: bool) -> None:
    from studio.cloud import toolchain
    from studio.cloud.manifests.synthesis import GITOPS, SHOWN, synthesize

    toolchain.ready()
    done = synthesize(checks=not quick, from_account=from_account, write=not check)
    judged = f", {done.objects} objects as Kustomize builds them" if done.objects else ""
    result(f"{done.files} files in {GITOPS}{judged}")
    lines = [*(f"  {name}" for name in done.written), *(f"  removed: {name}" for name in done.removed)]
    for line in lines[:SHOWN]:
        result(line)
    if len(lines) > SHOWN:
        result(f"  and {len(lines) - SHOWN} more")
    if not lines:
        result("  as before")
    elif check:
        warn("gitops/ is not what synthesis gives; `./pingvas synth --only kubernetes` writes it, then commit it.")
        raise typer.Exit(Exit.FAILED)


def _templates(context: Sequence[str], output: Path | None, *, quick: bool) -> None:
    from studio.cloud import assembly
    from studio.cloud.synthesis import ASSEMBLY, synthesize

    folder = (output or ASSEMBLY).resolve()
    before = assembly.load(folder) if (folder / "manifest.json").is_file() else {}
    synthesize(folder, context=context, checks=not quick)
    after = assembly.load(folder)
    count = sum(len(template.get("Resources", {})) for template in after.values())
    result(f"{len(after)} stacks, {count} resources in {folder}")
    if not before:
        note("Nothing was there before, so nothing to compare with.")
    elif found := list(assembly.changes(before, after)):
        for change in found:
            result(f"  {change.stack}: {change}")
    else:
        result("  as before")


def diff(
    against: Annotated[
        str | None,
        typer.Argument(
            help="A folder with a saved assembly, or a git revision; cdk.out by default.", show_default=False
        ),
    ] = None,
    context: Context = None,
    json: Annotated[bool, typer.Option("--json", help="Paths of resources by stack, as JSON.")] = False,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 where something differs.")] = False,
) -> None:
    """Show what the checkout would change in the AWS layer, resource by resource, as `cdk diff` does.

    Compared with a saved assembly, with what git had at a revision, or with the last `./pingvas synth`; no account is
    needed. Settings given here hold for a revision too, so that only code differs. IAM statements and security group
    rules have tables of their own, and what would be replaced is marked.

    \b
    Examples:
      ./pingvas diff
      ./pingvas diff HEAD
      ./pingvas diff /tmp/seoul -c region=ap-northeast-2
    """
    from studio.cloud import assembly
    from studio.cloud.difference import compared

    with compared(against, context or ()) as (old, new):
        found = list(assembly.changes(assembly.load(old), assembly.load(new)))
        if json:
            result_json(
                {one.stack: {"added": one.added, "removed": one.removed, "changed": one.modified} for one in found}
            )
        else:
            _show(found, old, new)
    if found and fail:
        raise typer.Exit(Exit.FAILED)


def _show(found: "list[Change]", old: Path, new: Path) -> None:
    from studio.cloud.difference import told

    if not found:
        result("No differences.")
        return
    for change in found:
        stdout().print(told(change, old, new), markup=False, end="")
    result("1 stack differs:" if len(found) == 1 else f"{len(found)} stacks differ:")
    for change in found:
        result(f"  {change.stack}: {change}")
        for path in change.removed:
            warn(f"    removed: {path}")
