"""`cost`: what a month of the AWS layer costs, and what a change of the blueprint does to it."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.cloud import Context
from studio.cli.output import note, result_json, stdout

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console
    from rich.table import Table

    from blueprint.cost import Estimate
    from blueprint.costs.line import Line
    from studio.cloud.cost import Difference

NARROWEST = 112


class By(StrEnum):
    """How the bill is grouped."""

    SERVICE = "service"
    STACK = "stack"


def register(app: typer.Typer) -> None:
    app.command()(cost)


def cost(
    context: Context = None,
    region: Annotated[str | None, typer.Option(help="Instead of the settings' region.", show_default=False)] = None,
    by: Annotated[By, typer.Option(help="Rows of the document's table, or stacks.")] = By.SERVICE,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="Only what differs from a Git revision.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, amounts as strings.")] = False,
) -> None:
    """Estimate what the AWS layer costs a month, in US dollars.

    The final architecture document's table as it stands, what its own prices come to, and what the platform comes to
    at list prices; then what that table leaves out. Sizes and counts are the blueprint's; how much is used is assumed.
    No account is needed.

    \b
    Examples:
      ./pingvas cost
      ./pingvas cost --region ap-northeast-2 --by stack
      ./pingvas cost -c nat_gateways=3 --json
      ./pingvas cost --against main
    """
    from studio.cloud.cost import at_revision, differences, estimate_of

    now = estimate_of(context or (), region)
    if against is not None:
        found = differences(at_revision(against, now.region), now.as_json())
        if json:
            result_json({"against": against, "region": now.region, "differences": [one.as_json() for one in found]})
        else:
            _print_differences(against, found)
    elif json:
        result_json(now.as_json())
    elif by is By.STACK:
        _print_stacks(now)
    else:
        _print_services(now)


def _wide() -> "Console":
    """A table of money that loses its first column tells nothing: a narrow terminal has its lines broken instead."""
    console = stdout()
    console.width = max(console.width, NARROWEST)
    return console


def _table(title: str, *columns: str) -> "Table":
    """Columns whose name begins with `$` are amounts."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        amount = name.startswith("$")
        table.add_column(name.removeprefix("$"), justify="right" if amount else "left", no_wrap=amount)
    return table


def _money(amount: "Decimal", *, sign: bool = False) -> str:
    return f"{amount:+,.2f}" if sign else f"{amount:,.2f}"


def _quantity(line: "Line") -> str:
    unit = "h" if line.unit == "hour" else line.unit
    return f"{line.quantity.normalize():,f} {unit}"


def _price(line: "Line") -> str:
    return f"{line.unit_price.normalize():f}"


def _print_services(now: "Estimate") -> None:
    from blueprint.costs.prices import DATED

    title = f"{now.region}, US dollars a month, list prices of {DATED}"
    table = _table(title, "service", "$quantity", "$price", "$document", "$its own prices", "$platform", "$±")
    for one in now.comparisons:
        for index, line in enumerate(one.lines):
            if index:
                table.add_row("", _quantity(line), _price(line))
                continue
            table.add_row(
                one.row.service,
                _quantity(line),
                _price(line),
                _money(one.row.amount),
                _money(one.row.at_its_price) if one.row.at_its_price != one.row.amount else "",
                _money(one.amount),
                _money(one.difference, sign=True) if one.difference else "",
            )
    table.add_section()
    sums = (now.documented, now.recomputed, now.covered)
    table.add_row("[bold]sum[/]", "", "", *map(_money, sums), _money(now.covered - now.documented, sign=True))
    console = _wide()
    console.print(table)
    for one in now.comparisons:
        if one.why:
            console.print(f"  {one.row.service}: {one.why}", style="dim", markup=False)
    console.print()
    more = _table("Not in the document", "service", "what", "$quantity", "$price", "$platform", "stack")
    for line in now.forgotten:
        mark = "" if line.counted else "~"
        more.add_row(line.service, line.what, mark + _quantity(line), _price(line), _money(line.amount), line.stack)
    more.add_section()
    more.add_row("[bold]sum[/]", "", "", "", _money(now.total - now.covered))
    more.add_row("[bold]all of it[/]", "", "", "", f"[bold]{_money(now.total)}[/]")
    _wide().print(more)
    _print_images(now)
    note("~ is assumed use (blueprint/costs/usage.py); Spot is assumed at 30 % of on demand. docs/cost.md says more.")


def _print_images(now: "Estimate") -> None:
    from blueprint.costs.images import PUBLISHED, Session

    session = Session()
    table = _table("1,000 images on a GPU node, with cold start and idle time", "images in one go", "$dollars", "")
    for count, amount in now.images.items():
        busy = session.seconds_an_image * count
        table.add_row(f"{count}", _money(amount), f"{busy / (busy + session.idle):.0%} of the node's time is work")
    for name, amount in PUBLISHED.items():
        table.add_row("", _money(amount), f"published by others: {name}")
    _wide().print(table)


def _print_stacks(now: "Estimate") -> None:
    table = _table(f"{now.region}, US dollars a month", "stack", "$platform", "$share", "of which")
    for stack, amount in now.stacks.items():
        own = sorted((line for line in now.lines if line.stack == stack and line.amount), key=lambda line: -line.amount)
        largest = ", ".join(f"{line.service} {_money(line.amount)}" for line in own[:3])
        table.add_row(stack, _money(amount), f"{amount / now.total:.0%}", largest)
    table.add_section()
    table.add_row("[bold]all of it[/]", f"[bold]{_money(now.total)}[/]")
    _wide().print(table)


def _print_differences(against: str, found: "list[Difference]") -> None:
    if not found:
        note(f"The estimate is that of {against}.")
        return
    table = _table(f"Against {against}", "service", "stack", "what", "$before", "$now", "$±")
    for one in found:
        table.add_row(
            one.service, one.stack, one.what, _money(one.before), _money(one.now), _money(one.change, sign=True)
        )
    table.add_section()
    table.add_row(
        "[bold]sum[/]", "", "", "", "", _money(sum((one.change for one in found), start=found[0].now * 0), sign=True)
    )
    _wide().print(table)
