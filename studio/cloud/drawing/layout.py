"""Where everything stands: rows from the edge down to the data, the region's other services beside the VPC.

Widths follow the texts, heights the widths, and the space between two rows the number of arrows that turn in it.
"""

from collections.abc import Mapping, Sequence

from studio.cloud.drawing import text
from studio.cloud.drawing.model import Card, Picture
from studio.cloud.drawing.routes import Route, plan, run
from studio.cloud.drawing.scene import PAD, SIZES, Box, Scene, Text, height_of, place

WIDTH = 1400.0
MARGIN = 24.0
GAP = 18.0
INSET = 18.0
HEAD = 34.0
"""Height of a group's title."""
ASIDE = 330.0
NARROWEST, WIDEST = 110.0, 330.0
"""Of a card, and of its lines."""
TIER_LABEL = 140.0
CHANNEL = 36.0
"""Between a tier's label and its cards: room for arrows that pass a whole tier."""
LABEL_ROOM = 26.0
"""Above cards that arrows end at."""
NAME = 22.0


def arrange(picture: Picture) -> Scene:
    """The drawing of a picture."""
    scene = Scene(WIDTH, title=picture.title)
    scene.texts.append(Text(MARGIN, 48, picture.title, "title"))
    scene.texts.append(Text(MARGIN, 74, picture.subtitle, "subtitle"))
    routes = plan(picture)
    y = _group(scene, "Global edge", picture.edge, 94)
    y = _region(scene, picture, routes, y)
    y = _group(scene, "Watch and recovery", picture.watch, y + GAP)
    y = _group(scene, "Stacks, and whose outputs they read", picture.stacks, y + GAP, columns=5)
    scene.height = y + MARGIN
    run(scene, routes)
    return scene


def _widths(cards: Sequence[Card], room: float, least: Mapping[str, float]) -> list[float]:
    """The room shared out by what each card has to say; none becomes narrower than its arrows' labels need."""
    room -= GAP * (len(cards) - 1)
    floors = [max(NARROWEST, least.get(card.key, 0.0)) for card in cards]
    wanted = [max(floor, _natural(card)) for card, floor in zip(cards, floors, strict=True)]
    spare = room - sum(wanted)
    if spare >= 0:
        return [one + spare / len(wanted) for one in wanted]
    give = sum(wanted) - sum(floors)
    if give + spare <= 0:
        return [one * room / sum(floors) for one in floors]
    return [one + spare * (one - floor) / give for one, floor in zip(wanted, floors, strict=True)]


def _natural(card: Card) -> float:
    """The width at which no line of a card is broken, within reason."""
    lines = [text.width(card.title, SIZES["name"], bold=True), *(text.width(one, SIZES["line"]) for one in card.lines)]
    return min(max(lines), WIDEST) + 2 * PAD


def _least(picture: Picture) -> dict[str, float]:
    """How wide the labels of the arrows that end at a card are, side by side."""
    labels: dict[str, list[float]] = {}
    for link in picture.links:
        labels.setdefault(link.target, []).append(text.width(link.label, SIZES["label"], bold=True))
    return {key: len(widths) * (max(widths) + 14) for key, widths in labels.items()}


def _row(scene: Scene, cards: Sequence[Card], x: float, y: float, widths: Sequence[float]) -> float:
    """A row of cards; the y below it."""
    high = max(height_of(card, wide) for card, wide in zip(cards, widths, strict=True))
    for card, wide in zip(cards, widths, strict=True):
        place(scene, card, x, y, (wide, high))
        x += wide + GAP
    return y + high


def _group(scene: Scene, name: str, cards: Sequence[Card], y: float, *, columns: int = 0) -> float:
    """A titled group over the whole width; the y below it."""
    if not cards:
        return y
    room = WIDTH - 2 * MARGIN - 2 * INSET
    at = len(scene.boxes)
    bottom = y + HEAD
    rows = [cards[first : first + columns] for first in range(0, len(cards), columns)] if columns else [cards]
    for row in rows:
        equal = [(room - GAP * (columns - 1)) / columns] * len(row) if columns else None
        bottom = _row(scene, row, MARGIN + INSET, bottom, equal or _widths(row, room, {})) + GAP
    bottom += INSET - GAP
    scene.boxes.insert(at, Box(MARGIN, y, WIDTH - 2 * MARGIN, bottom - y, "group", name=name))
    scene.texts.append(Text(MARGIN + INSET, y + 23, name, "group"))
    return bottom


def _region(scene: Scene, picture: Picture, routes: Sequence[Route], above: float) -> float:
    """The region's box with the VPC and what stands beside it; the y below it."""
    top = above + _lanes(routes, 0)
    at = len(scene.boxes)
    scene.texts.append(Text(MARGIN + INSET, top + 23, picture.region, "group"))
    beside = ASIDE if picture.aside else 0.0
    vpc_x, vpc_y = MARGIN + INSET, top + HEAD
    vpc_width = WIDTH - 2 * (MARGIN + INSET) - (beside + GAP if beside else 0)
    scene.texts.append(Text(vpc_x + INSET, vpc_y + 23, picture.vpc, "group"))
    y = vpc_y + HEAD
    for number, tier in enumerate(picture.tiers, 1):
        y += _lanes(routes, number - 1) - GAP if number > 1 else 0
        x, inner = vpc_x + INSET, vpc_width - 2 * INSET
        slot = len(scene.boxes)
        label_height = 2 * PAD + NAME + len(tier.subnets) * 18
        cards_y = y + LABEL_ROOM
        bottom = cards_y + label_height - LABEL_ROOM
        if tier.cards:
            left = x + TIER_LABEL + CHANNEL
            widths = _widths(tier.cards, x + inner - left - PAD, _least(picture))
            bottom = max(bottom, _row(scene, tier.cards, left, cards_y, widths) + PAD)
        scene.boxes.insert(slot, Box(x, y, inner, bottom - y, "tier", name=tier.name))
        scene.texts.append(Text(x + PAD, y + 28, tier.name, "name"))
        for line, subnet in enumerate(tier.subnets):
            scene.texts.append(Text(x + PAD, y + 50 + 18 * line, subnet, "line"))
        y = bottom + GAP
    vpc_bottom = y
    aside_y, aside_x = vpc_y + LABEL_ROOM, vpc_x + vpc_width + GAP
    for card in picture.aside:
        high = height_of(card, beside)
        place(scene, card, aside_x, aside_y, (beside, high))
        aside_y += high + GAP
    bottom = max(vpc_bottom, aside_y - GAP) + INSET
    boxes = [
        Box(MARGIN, top, WIDTH - 2 * MARGIN, bottom - top, "group", name=picture.region),
        Box(vpc_x, vpc_y, vpc_width, bottom - INSET - vpc_y, "vpc", name=picture.vpc),
    ]
    scene.boxes[at:at] = boxes
    return bottom


def _lanes(routes: Sequence[Route], gap: int) -> float:
    """Height of the space above row `gap + 1`, with a lane for each arrow that turns in it."""
    return 30.0 + 10.0 * sum(gap in route.gaps for route in routes)
