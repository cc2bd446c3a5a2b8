"""Scenes as SVG: one file without scripts or links, readable on light and dark pages, the same bytes each time."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from studio.cloud.drawing.scene import BOLD, SIZES, Arrow, Box, Scene

FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
_LIGHT = {
    "page": "#ffffff", "ink": "#1f2328", "soft": "#57606a", "card": "#ffffff", "edge-of": "#d0d7de",
    "group": "#f6f8fa", "vpc": "#ddf4ff66", "tier": "#ffffffcc", "arrow": "#6e7781",
    "edge": "#8250df", "network": "#0969da", "compute": "#bc4c00", "data": "#1a7f37", "security": "#cf222e",
    "watch": "#bf3989",
}  # fmt: skip
_DARK = {
    "page": "#0d1117", "ink": "#e6edf3", "soft": "#9198a1", "card": "#161b22", "edge-of": "#3d444d",
    "group": "#12171e", "vpc": "#388bfd14", "tier": "#0d111799", "arrow": "#8b949e",
    "edge": "#ab7df8", "network": "#4493f8", "compute": "#f0883e", "data": "#3fb950", "security": "#f85149",
    "watch": "#db61a2",
}  # fmt: skip
_KINDS = ("edge", "network", "compute", "data", "security", "watch")


def write(scene: Scene) -> str:
    """The SVG document of a scene."""
    return "\n".join(_document(scene)) + "\n"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _document(scene: Scene) -> Iterator[str]:
    size = f'viewBox="0 0 {_number(scene.width)} {_number(scene.height)}"'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} width="{_number(scene.width)}" '
        f'height="{_number(scene.height)}" role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(scene.title)}</title>'
    told = "; ".join(f"{arrow.source} to {arrow.target} ({arrow.label})" for arrow in scene.arrows)
    yield f'<desc id="description">{escape(f"Arrows: {told}.")}</desc>'
    yield "<style>"
    yield f"svg {{ {_variables(_LIGHT)} }}"
    yield f"@media (prefers-color-scheme: dark) {{ svg {{ {_variables(_DARK)} }} }}"
    yield f"text {{ font-family: {FONT}; fill: var(--ink); }}"
    for style, points in SIZES.items():
        weight = " font-weight: 600;" if style in BOLD else ""
        soft = " fill: var(--soft);" if style in ("line", "subtitle", "group") else ""
        yield f".{style} {{ font-size: {_number(points)}px;{weight}{soft} }}"
    yield ".page { fill: var(--page); } .box { stroke: var(--edge-of); stroke-width: 1; }"
    yield ".card-box { fill: var(--card); } .group-box { fill: var(--group); }"
    yield ".vpc-box { fill: var(--vpc); stroke: var(--network); stroke-dasharray: 6 4; }"
    yield ".tier-box { fill: var(--tier); }"
    yield ".arrow { fill: none; stroke: var(--arrow); stroke-width: 1.6; stroke-linejoin: round; }"
    yield ".tip { fill: var(--arrow); }"
    yield " ".join(f".{kind}-bar {{ fill: var(--{kind}); }}" for kind in _KINDS)
    yield "</style>"
    yield '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    yield '<path class="tip" d="M0 0 L8 4 L0 8 Z"/></marker></defs>'
    yield f'<rect class="page" width="{_number(scene.width)}" height="{_number(scene.height)}" rx="12"/>'
    for box in scene.boxes:
        yield from _box(box)
    for arrow in scene.arrows:
        yield _arrow(arrow)
    for text in scene.texts:
        yield f'<text class="{text.style}" x="{_number(text.x)}" y="{_number(text.y)}">{escape(text.text)}</text>'
    yield "</svg>"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def _box(box: Box) -> Iterator[str]:
    place = f'x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" height="{_number(box.height)}"'
    yield f'<rect class="box {box.style}-box" {place} rx="8" data-name={quoteattr(box.name)}/>'
    if box.kind:
        x, y, high = _number(box.x), _number(box.y + 8), _number(box.height - 16)
        yield f'<rect class="{box.kind}-bar" x="{x}" y="{y}" width="4" height="{high}" rx="2"/>'


def _arrow(arrow: Arrow) -> str:
    path = " ".join(f"{'L' if index else 'M'}{_number(x)} {_number(y)}" for index, (x, y) in enumerate(arrow.points))
    return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>'
