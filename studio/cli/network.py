"""`network`: who reaches whom in the cluster, computed twice from the rendered policies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import complain, note, result, result_json, stdout
from studio.errors import Exit

if TYPE_CHECKING:
    from studio.cloud.reachability.report import Report

NARROWEST = 112


def register(app: typer.Typer) -> None:
    app.command()(network)


def network(
    policies: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="NetworkPolicies of a folder, gitops/ or plain YAML; without it those of a new synthesis.",
            show_default=False,
        ),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the matrix, as SVG.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Every pair, as both analysers see it, as JSON.")] = False,
) -> None:
    """Tell which pods may open a connection to whom, and hold it against the list in blueprint/reach.py.

    Computed from the rendered NetworkPolicies by two analysers that share no rule: network-config-analyzer and our own,
    both for pods that have addresses of the VPC. Exits with 1 where a pair is more or less open than the list says, or
    where the two disagree. No cluster is needed.

    \b
    Examples:
      ./pingvas network
      ./pingvas network --policies gitops
      ./pingvas network --draw docs/images/reachability.svg
    """
    from studio.cloud import toolchain
    from studio.cloud.reachability.drawing import draw as drawing
    from studio.errors import UsageError

    if draw and not draw.resolve().parent.is_dir():
        raise UsageError(f"There is no folder {draw.resolve().parent}.")
    if policies and not policies.is_dir():
        raise UsageError(f"There is no folder {policies}.")
    toolchain.ready()
    toolchain.nca()  # here, since two threads ask for it
    found = _report(policies)
    if draw:
        draw.write_text(drawing(found), encoding="utf-8")
    if json:
        result_json(found.as_json())
    else:
        _print(found)
    for one in found.problems:
        complain(one)
    if found.problems:
        raise typer.Exit(Exit.FAILED)


def _report(folder: Path | None) -> "Report":
    from k8s_charts.facts import FILE, load
    from k8s_charts.main import GITOPS
    from studio.cloud.reachability.estate import estate, rendered, synthesized, workloads
    from studio.cloud.reachability.policies import PolicyError
    from studio.cloud.reachability.report import report
    from studio.errors import UsageError

    given = rendered(folder) if folder else None
    objects = given if given is not None and workloads(given) else synthesized()
    if given is not None and objects is not given:
        objects = [one for one in objects if one["kind"] != "NetworkPolicy"]
        objects += [one for one in given if one["kind"] == "NetworkPolicy"]
    try:
        facts = load(folder if folder and (folder / FILE).is_file() else GITOPS)
        return report(estate(objects), interface_endpoints=facts.interface_endpoints, in_cluster=facts.in_cluster)
    except PolicyError as error:
        raise UsageError(str(error)) from error


def _print(found: "Report") -> None:
    from rich import box
    from rich.table import Table

    from studio.cloud.reachability.lines import UNRULED, between, lines, places

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("from", "ports", "to"):
        table.add_column(name, no_wrap=name == "from")
    pods = lines(found.own, (one.name for one in found.estate.pods))
    for source in (*places(sending=True, found=found.own), *(one for one in pods if one.group != UNRULED)):
        told: dict[str, list[str]] = {}
        for target in (*pods, *places(sending=False, found=found.own)):
            if reach := between(found.own, source, target):
                told.setdefault(str(reach), []).append(target.label)
        for index, (ports, targets) in enumerate(told.items()):
            table.add_row(source.label if index == 0 else "", ports, ", ".join(targets))
        table.add_section()
    console = stdout()
    console.width = max(console.width, NARROWEST)
    console.print(table)
    result(f"{len(found.estate.pods)} kinds of pods, {len(found.own)} open pairs; {UNRULED} has no policies.")
    note(f"Under no policy either, since they share their node's network: {', '.join(found.estate.on_nodes)}.")
