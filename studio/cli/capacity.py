"""`capacity`: whether every pod fits a node, and all maxima what is given."""

from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import complain, result, result_json, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from blueprint.allocatable import Amount
    from blueprint.capacity import Fit, Proof
    from blueprint.components import Place

WIDEST = 100
"""Columns; a row whose number stands far from its name is hard to follow."""


def register(app: typer.Typer) -> None:
    app.command()(capacity)


def capacity(
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Try a number; may be given again.", show_default=False),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=0, help="Try another number of GPUs in the pool.", show_default=False)
    ] = None,
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="With edge and cache as pods of the cluster.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Prove that everything fits: pods on nodes, all maxima within quotas, pools, subnets and database connections.

    Computed from the blueprint, DaemonSets and the kubelet's share taken off; synthesis stops where it fails. --set
    changes a number for this once, by the name under which a failure names it. No account is needed. Exit code 1: it
    does not fit.

    \b
    Examples:
      ./pingvas capacity
      ./pingvas capacity --gpus 15
      ./pingvas capacity --set worker.memory_gib=14
      ./pingvas capacity --set environments.prod.replicas.maximum=12 --json
    """
    from dataclasses import replace

    from blueprint.capacity import prove
    from blueprint.loads import PLAN
    from studio.cloud.capacity import GPUS, as_json, changed
    from studio.errors import Exit

    plan = replace(PLAN, in_cluster=in_cluster)
    proof = prove(changed([*(changes or ()), *([f"{GPUS}={gpus}"] if gpus is not None else [])], plan))
    if json:
        result_json(as_json(proof))
    else:
        _print(proof)
    if proof.failures:
        raise typer.Exit(Exit.FAILED)


def _print(proof: "Proof") -> None:
    console = stdout()
    console.width = min(console.width, WIDEST)
    for table in (_rooms(proof), _pods(proof), _nodes(proof), _checks(proof)):
        if table.row_count:
            console.print(table, soft_wrap=False)
    if not proof.failures:
        result("Everything fits.")
    for failure in proof.failures:
        complain(str(failure))


def _table(title: str, *columns: str) -> "Table":
    """Columns whose name begins with `#` are numbers."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for name in columns:
        number = name.startswith("#")
        table.add_column(name.removeprefix("#"), justify="right" if number else "left", no_wrap=name != "what")
    return table


def _amount(one: "Amount") -> str:
    return f"{one.cpu}m {one.memory:>5}Mi"


def _by_place(proof: "Proof") -> "dict[Place, list[Fit]]":
    places: dict[Place, list[Fit]] = {"system": [], "general": [], "gpu": []}
    for one in proof.fits:
        places[one.load.place].append(one)
    return places


def _pool(proof: "Proof", place: "Place") -> str:
    return {"system": "system", "general": proof.plan.general.name, "gpu": proof.plan.gpu.name}[place]


def _rooms(proof: "Proof") -> "Table":
    from blueprint.allocatable import allocatable, daemons

    table = _table("What a node leaves to pods", "type", "#node", "#allocatable", "#DaemonSets", "#left", "#pods")
    for place, fits in _by_place(proof).items():
        running = len(daemons(place, proof.plan.components))
        for one in {fit.type.name: fit for fit in fits}.values():
            given = allocatable(one.type)
            table.add_row(
                one.type.name,
                f"{one.type.cpu}, {one.type.memory_gib}Gi",
                _amount(given),
                f"{running}: {_amount(given - one.room)}",
                _amount(one.room),
                f"{one.room.pods}",
            )
        table.add_section()
    return table


def _pods(proof: "Proof") -> "Table":
    table = _table(
        "Pods (dev + prod) on the tightest node type of their pool", "pod", "#count", "#each asks for", "of", "#takes"
    )
    for place, fits in _by_place(proof).items():
        table.add_row(f"[bold]{_pool(proof, place)}[/]")
        for name in dict.fromkeys(fit.load.name for fit in fits):
            same = [fit for fit in fits if fit.load.name == name]
            counts = {fit.load.namespace: fit.load.count for fit in same}
            lacking = [fit for fit in same if fit.lacks]
            worst = max(lacking or same, key=lambda fit: fit.share)
            table.add_row(
                name,
                " + ".join(f"{count}" for count in counts.values()),
                _amount(worst.load.asks),
                worst.type.name,
                f"{worst.share:.0%}",
                style="red" if lacking else None,
            )
        table.add_section()
    return table


def _nodes(proof: "Proof") -> "Table":
    table = _table("Nodes at the maxima, were all of one type", "pool", "type", "#nodes", "#vCPUs", "#GiB", "#fullest")
    limits = {
        "system": (None, None),
        "general": (proof.plan.general.cpu, proof.plan.general.memory_gib),
        "gpu": (proof.plan.gpu.cpu, proof.plan.gpu.memory_gib),
    }
    place = ""
    for one in proof.nodes:
        if place not in ("", one.place):
            table.add_section()
        cpu, memory = limits[one.place]
        table.add_row(
            "" if place == one.place else one.pool,
            one.type.name,
            f"{one.count}",
            f"{one.cpu}" + (f" of {cpu}" if cpu else ""),
            f"{one.memory_gib}" + (f" of {memory}" if memory else ""),
            f"{one.pods} of {one.type.pods} pods",
        )
        place = one.place
    return table


def _checks(proof: "Proof") -> "Table":
    table = _table("All maxima against what is given", "what", "#asked", "", "")
    topic = ""
    for one in proof.checks:
        if topic != one.topic:
            table.add_section()
            table.add_row(f"[bold]{one.topic}[/]")
        mark = {True: "[green]ok[/]", False: "[bold red]no[/]", None: "[yellow]ask[/]"}[one.ok]
        of = "" if one.given is None else f" of {one.given:,.10g}"
        table.add_row(one.what, f"{one.asked:,.10g}{of}", one.unit, mark)
        topic = one.topic
    return table
