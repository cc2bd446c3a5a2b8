"""`synth`, `diff`: the AWS layer as templates, and what a change does to them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import note, result, result_json, stdout, warn
from studio.errors import Exit

if TYPE_CHECKING:
    from studio.cloud.assembly import Change

Context = Annotated[
    list[str] | None,
    typer.Option("-c", "--context", help="A setting, name=value; may be given again.", show_default=False),
]


def register(app: typer.Typer) -> None:
    app.command()(synth)
    app.command()(diff)


def synth(
    context: Context = None,
    output: Annotated[Path | None, typer.Option(help="Where to write it; cdk.out by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Without cdk-nag and CDK's validator.")] = False,
) -> None:
    """Write the CloudFormation templates of the AWS layer, checked, and tell what changed.

    No account is needed. cdk-nag's AWS Solutions and CDK's own validator check them; a finding stops it. The summary
    compares with what the folder held before; `./pingvas diff` shows the changes themselves.

    \b
    Examples:
      ./pingvas synth
      ./pingvas synth -c region=ap-northeast-2 --output /tmp/seoul
      ./pingvas synth --quick -c nat_gateways=3
    """
    from studio.cloud import assembly
    from studio.cloud.synthesis import ASSEMBLY, synthesize

    folder = (output or ASSEMBLY).resolve()
    before = assembly.load(folder) if (folder / "manifest.json").is_file() else {}
    synthesize(folder, context=context or (), checks=not quick)
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
