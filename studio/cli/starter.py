"""`starter`: train, export, judge and show the starter model."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}


class Command(StrEnum):
    """What can be done with the starter model."""

    TRAIN = "train"
    EXPORT = "export"
    EVALUATE = "evaluate"
    GRID = "grid"


def register(app: typer.Typer) -> None:
    app.command(context_settings=PASS_ON)(starter)


def starter(
    context: typer.Context,
    command: Annotated[Command, typer.Argument(help="One of them; its own --help lists its options.")],
) -> None:
    """Train the starter model, or judge and show the one that is there.

    \b
    train     all stages, then export; goes on where a run stopped
    export    write the model folder from the newest checkpoints
    evaluate  draw 512 seeded prompts, judge each, print the table
    grid      draw the picture grid of the documentation

    Needs no studio and touches none. Training takes hours on a processor; its checkpoints lie in
    .data/starter-training. docs/starter-model.md says what the figures mean.

    \b
    Examples:
      ./pingvas starter train --minutes 100
      ./pingvas starter evaluate --prompts 64
      ./pingvas starter train --help
    """
    from studio.home import PROJECT

    line = [sys.executable, "-P", "-m", "gpu_worker.starter", command.value, *context.args]
    sys.stdout.flush()
    os.execve(line[0], line, {**os.environ, "PYTHONPATH": str(PROJECT)})  # noqa: S606 (its exit code is ours)
