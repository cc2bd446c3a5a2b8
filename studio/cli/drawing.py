"""`draw`: the AWS layer as a picture, made of its own templates."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.cloud import Context
from studio.cli.output import result


def register(app: typer.Typer) -> None:
    app.command()(draw)


def draw(
    context: Context = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="docs/images/architecture-aws.svg by default.")
    ] = None,
    assembly: Annotated[
        Path | None, typer.Option(help="A folder that `./pingvas synth` wrote; without it a new one is made.")
    ] = None,
) -> None:
    """Draw the architecture of the AWS layer from its synthesized templates, as SVG.

    Every box, number and arrow is read from a template: what is not deployed is not drawn. No account is needed.

    \b
    Examples:
      ./pingvas draw
      ./pingvas draw -c nat_gateways=3 -o /tmp/three-nat.svg
    """
    import tempfile

    from studio.cloud.assembly import load
    from studio.cloud.drawing import PICTURE, draw
    from studio.cloud.synthesis import synthesize
    from studio.errors import UsageError

    if assembly and context:
        raise UsageError("--assembly is synthesized already, so no setting can change it.")
    target = (output or PICTURE).resolve()
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.")
    if assembly:
        templates = load(assembly.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            synthesize(Path(folder) / "out", context=context or (), checks=False)
            templates = load(Path(folder) / "out")
    target.write_text(draw(templates), encoding="utf-8")
    result(str(target))
