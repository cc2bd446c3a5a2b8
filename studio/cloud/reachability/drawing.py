"""The reachability matrix as SVG: rows open connections, columns accept them; what is not filled is denied.

One file without scripts or links, readable on light and dark pages, the same bytes for the same matrix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from blueprint.network import DNS_PORT, HTTP_PORT, HTTPS_PORT, POSTGRES_PORT, REDIS_PORT
from studio.cloud.drawing import text
from studio.cloud.drawing.svg import FONT
from studio.cloud.reachability.lines import UNRULED, Line, between, lines, places
from studio.cloud.reachability.matrix import Reach
from studio.cloud.reachability.ports import ANY, Ports
from studio.cloud.reachability.report import Report
from studio.home import PROJECT

PICTURE = PROJECT / "docs" / "images" / "reachability.svg"
"""The committed picture: default settings."""
CELL, GAP, MARGIN, BAND = 36.0, 10.0, 28.0, 18.0
HEAD, FOOT = 96.0, 118.0
SIZE, SMALL = 12.5, 9.5
_LIGHT = {
    "page": "#ffffff", "ink": "#1f2328", "soft": "#59636e", "empty": "#f3f5f7", "band": "#d8dee4",
    "any": "#0969da", "http": "#bc4c00", "data": "#1a7f37", "https": "#8250df", "dns": "#8c959f", "identity": "#1b7c83",
    "open": "#afb8c1", "on": "#ffffff",
}  # fmt: skip
_DARK = {
    "page": "#0d1117", "ink": "#e6edf3", "soft": "#9198a1", "empty": "#161b22", "band": "#30363d",
    "any": "#1f6feb", "http": "#bd561d", "data": "#238636", "https": "#8957e5", "dns": "#6e7681", "identity": "#1b7c83",
    "open": "#484f58", "on": "#ffffff",
}  # fmt: skip
KINDS = {
    "any": "every port",
    "http": "a service's own port, metrics, webhooks",
    "data": "Aurora and Redis",
    "https": "HTTPS",
    "dns": "names",
    "identity": "Pod Identity agent",
    "open": "no policy: kube-system",
}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Lines and where each begins."""

    lines: tuple[Line, ...]
    starts: tuple[float, ...]

    @property
    def end(self) -> float:
        return self.starts[-1] + CELL

    def bands(self) -> Iterator[tuple[str, float, float]]:
        """Each group with its first and last pixel."""
        first = 0
        for index, line in enumerate(self.lines):
            if index + 1 == len(self.lines) or self.lines[index + 1].group != line.group:
                yield line.group, self.starts[first], self.starts[index] + CELL
                first = index + 1


def draw(report: Report) -> str:
    """The picture of a report's own matrix."""
    pods = lines(report.own, (one.name for one in report.estate.pods))
    left = max(text.width(one.label, SIZE) for one in pods) + 2 * MARGIN
    top = HEAD + max(text.width(one.label, SIZE) for one in pods) * 0.72 + 40
    rows = _axis((*places(sending=True, found=report.own), *pods), top)
    columns = _axis((*pods, *places(sending=False, found=report.own)), left)
    return "\n".join(_document(report, rows, columns)) + "\n"


def _axis(of: Sequence[Line], start: float) -> _Axis:
    starts = [start]
    for one, following in pairwise(of):
        starts.append(starts[-1] + CELL + (GAP if one.group != following.group else 2))
    return _Axis(tuple(of), tuple(starts))


def _document(report: Report, rows: _Axis, columns: _Axis) -> Iterator[str]:
    width, height = columns.end + MARGIN + 110, rows.end + FOOT
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" role="img" aria-labelledby="title description">'
    )
    yield '<title id="title">Who may open a connection to whom</title>'
    yield (
        f'<desc id="description">A matrix of {len(rows.lines)} rows that open connections and {len(columns.lines)} '
        "columns that accept them; dev and prod share no cell.</desc>"
    )
    yield from _style()
    yield f'<rect class="page" width="{_n(width)}" height="{_n(height)}" rx="12"/>'
    yield f'<text class="title" x="{_n(MARGIN)}" y="48">Who may open a connection to whom</text>'
    yield (
        f'<text class="soft" x="{_n(MARGIN)}" y="74">Computed from the rendered NetworkPolicies, for pods that have '
        "addresses of the VPC. Rows open, columns accept; an empty cell is denied.</text>"
    )
    for group, first, last in columns.bands():
        yield f'<rect class="band" x="{_n(first)}" y="{_n(rows.starts[0] - 9)}" width="{_n(last - first)}" height="3"/>'
        yield f"<!-- {escape(group)} -->"
    for group, first, last in rows.bands():
        x = columns.starts[0] - 9
        yield f'<rect class="band" x="{_n(x)}" y="{_n(first)}" width="3" height="{_n(last - first)}"/>'
        yield f"<!-- {escape(group)} -->"
    for line, x in zip(columns.lines, columns.starts, strict=True):
        at = f"{_n(x + CELL / 2 + 4)} {_n(rows.starts[0] - BAND)}"
        yield f'<text class="label" transform="translate({at}) rotate(-50)">{escape(line.label)}</text>'
    for line, y in zip(rows.lines, rows.starts, strict=True):
        x = columns.starts[0] - BAND
        yield f'<text class="label end" x="{_n(x)}" y="{_n(y + CELL / 2 + 4)}">{escape(line.label)}</text>'
        for other, across in zip(columns.lines, columns.starts, strict=True):
            yield from _cell(report, (line, other), across, y)
    yield from _legend(rows.end + 44)
    yield "</svg>"


def _cell(report: Report, ends: tuple[Line, Line], x: float, y: float) -> Iterator[str]:
    source, target = ends
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(CELL)}" height="{_n(CELL)}" rx="6"'
    reach = between(report.own, source, target)
    if source.group == target.group == "outside":
        return
    if source.members == target.members and len(source.members) == 1:
        yield f'<rect class="self" {place}/>'
        return
    if not reach:
        yield f'<rect class="empty" {place}/>'
        return
    kind = _kind(reach, UNRULED in (source.group, target.group))
    told = escape(f"{source.label} to {target.label}: {reach}")
    yield f'<g><title>{told}</title><rect class="{kind}" {place}/>'
    short = _short(reach.some)
    for index, line in enumerate(short):
        middle = y + CELL / 2 + SMALL * 0.36 + (index - (len(short) - 1) / 2) * (SMALL + 1.5)
        yield f'<text class="cell" x="{_n(x + CELL / 2)}" y="{_n(middle)}">{escape(line)}</text>'
    yield "</g>"


def _kind(reach: Reach, unruled: bool) -> str:
    ports = reach.some
    if unruled and (ports == ANY or not DNS & ports):
        return "open"
    if ports == ANY:
        return "any"
    numbers = {first for _, first, _ in ports.ranges}
    for kind, own in (
        ("dns", {DNS_PORT, HTTPS_PORT} if unruled else {DNS_PORT}),
        ("data", {POSTGRES_PORT, REDIS_PORT}),
        ("https", {HTTPS_PORT}),
        ("identity", {HTTP_PORT}),
    ):
        if numbers <= own:
            return kind
    return "https" if HTTPS_PORT in numbers else "http"


DNS = Ports.of(f"udp/{DNS_PORT}", f"tcp/{DNS_PORT}")


def _short(ports: Ports) -> list[str]:
    if ports == ANY:
        return ["all"]
    return list(dict.fromkeys(f"{first}" + (f"-{last}" if last > first else "") for _, first, last in ports.ranges))[:3]


def _legend(y: float) -> Iterator[str]:
    x = MARGIN
    for kind, meaning in KINDS.items():
        yield f'<rect class="{kind}" x="{_n(x)}" y="{_n(y - 11)}" width="14" height="14" rx="3"/>'
        yield f'<text class="label" x="{_n(x + 20)}" y="{_n(y)}">{escape(meaning)}</text>'
        x += 20 + text.width(meaning, SIZE) + 22
    yield (
        f'<text class="soft" x="{_n(MARGIN)}" y="{_n(y + 28)}">Nodes reach the pods that run on them, and those reach '
        "their node: the VPC CNI always lets kubelet and its node's own address through.</text>"
    )
    yield (
        f'<text class="soft" x="{_n(MARGIN)}" y="{_n(y + 48)}">kube-system has no policy: DNS and the controllers come '
        "before anything. Its pods get no instance metadata either: the nodes' hop limit of 1 ends the reply.</text>"
    )


def _style() -> Iterator[str]:
    yield "<style>"
    for query, colours in (("", _LIGHT), ("@media (prefers-color-scheme: dark) ", _DARK)):
        variables = f"svg {{ {' '.join(f'--{name}: {value};' for name, value in colours.items())} }}"
        yield f"{query}{{ {variables} }}" if query else variables
    yield f"text {{ font-family: {FONT}; fill: var(--ink); }}"
    yield ".title { font-size: 26px; font-weight: 600; } .soft { font-size: 14px; fill: var(--soft); }"
    yield f".label {{ font-size: {_n(SIZE)}px; }} .end {{ text-anchor: end; }}"
    yield f".cell {{ font-size: {_n(SMALL)}px; font-weight: 600; text-anchor: middle; fill: var(--on); }}"
    yield ".page { fill: var(--page); } .band { fill: var(--band); } .empty { fill: var(--empty); }"
    yield ".self { fill: none; stroke: var(--band); stroke-dasharray: 3 3; }"
    yield " ".join(f".{kind} {{ fill: var(--{kind}); }}" for kind in KINDS)
    yield "</style>"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
