"""Arrows between cards: down through the spaces between rows, where each has a lane of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.cloud.drawing.model import Link, Picture
from studio.cloud.drawing.scene import Arrow, Scene, Text

LANE = 10.0
CHANNEL_STEP = -10.0
OVERHANG = 12.0
"""How far a label may stand out over its card."""
LEAN = 0.36
"""Where a port stands in its share of a side: left of the middle, which leaves room for a label on its right."""
SNAP = 14.0
"""Ends that are nearly above one another are joined by a straight line."""


@dataclass(frozen=True, slots=True)
class Route:
    """A link and the rows it joins. Row 0 is the edge, the tiers follow; gap n is the space below row n."""

    link: Link
    start: int
    end: int

    @property
    def gaps(self) -> tuple[int, ...]:
        """Where it turns: below its source and above its target, which is one space between neighbours."""
        if self.start == self.end:
            return (self.start - 1,)
        if self.end > self.start:
            return tuple(dict.fromkeys((self.start, self.end - 1)))
        return tuple(dict.fromkeys((self.start - 1, self.end)))


def plan(picture: Picture) -> tuple[Route, ...]:
    """The rows that each link joins; what stands beside the VPC is reached like its first row."""
    rows = {card.key: 0 for card in picture.edge}
    rows |= {card.key: 1 for card in picture.aside}
    for number, tier in enumerate(picture.tiers, 1):
        rows |= {card.key: number for card in tier.cards}
    return tuple(
        Route(link, rows[link.source], rows[link.target])
        for link in picture.links
        if link.source in rows and link.target in rows
    )


def run(scene: Scene, routes: Sequence[Route]) -> None:
    """Draws the arrows: a port on each card, a lane in each space, a channel past a whole row."""
    ports = _ports(scene, routes)
    lanes = _lane_heights(scene, routes)
    passing = [route for route in routes if abs(route.end - route.start) > 1]
    for route in routes:
        start, end = ports[route, "source"], ports[route, "target"]
        if len(route.gaps) == 1 and abs(start[0] - end[0]) < SNAP:
            start = (end[0], start[1])
        points = [start]
        first = lanes[route, route.gaps[0]]
        points.append((start[0], first))
        if len(route.gaps) > 1:
            channel = _channel(scene) + CHANNEL_STEP * passing.index(route)
            last = lanes[route, route.gaps[1]]
            points += [(channel, first), (channel, last), (end[0], last)]
        else:
            points.append((end[0], first))
        points.append(end)
        clean = tuple(point for index, point in enumerate(points) if not index or point != points[index - 1])
        scene.arrows.append(Arrow(clean, route.link.source, route.link.target, route.link.label))
        down = end[1] > points[-2][1]
        label = Text(end[0] + 6, end[1] - 9 if down else end[1] + 18, route.link.label, "label")
        if label.box.right > scene.places[route.link.target].right + OVERHANG:
            label = replace(label, x=end[0] - 6 - label.box.width)
        scene.texts.append(label)


def _channel(scene: Scene) -> float:
    """Left of the tiers' cards."""
    tiers = [box for box in scene.boxes if box.style == "tier"]
    inside = [box.x for box in scene.places.values() if any(tier.contains(box) for tier in tiers)]
    return min(inside, default=0.0) - 18


def _sides(route: Route) -> tuple[str, str]:
    """Which side of its cards a route leaves and enters."""
    if route.start == route.end:
        return "top", "top"
    return ("bottom", "top") if route.end > route.start else ("top", "bottom")


def _ports(scene: Scene, routes: Sequence[Route]) -> dict[tuple[Route, str], tuple[float, float]]:
    """Points on the cards' sides, spread evenly, in the order of where the other ends are."""
    ends: dict[tuple[str, str], list[tuple[float, float, int, Route, str]]] = {}
    for number, route in enumerate(routes):
        source, target = scene.places[route.link.source], scene.places[route.link.target]
        leave, enter = _sides(route)
        for card, other, side, role in (
            (route.link.source, target, leave, "source"),
            (route.link.target, source, enter, "target"),
        ):
            away = -1.0 if len(route.gaps) > 1 else other.x + other.width / 2
            ends.setdefault((card, side), []).append((away, float(number), number, route, role))
    found = {}
    for (card, side), members in ends.items():
        box = scene.places[card]
        for index, (_, _, _, route, role) in enumerate(sorted(members, key=lambda one: one[:3])):
            x = box.x + box.width * (index + LEAN) / len(members)
            found[route, role] = (round(x, 1), box.y if side == "top" else box.bottom)
    return found


def _lane_heights(scene: Scene, routes: Sequence[Route]) -> dict[tuple[Route, int], float]:
    """The y of each route in each space it turns in, centred in the space, the widest turns outermost."""
    rows = _rows(scene, routes)
    found = {}
    for gap in sorted({gap for route in routes for gap in route.gaps}):
        members = [route for route in routes if gap in route.gaps]
        members.sort(key=lambda route: (scene.places[route.link.target].x, scene.places[route.link.source].x))
        top, bottom = rows[gap][1], rows[gap + 1][0]
        first = (top + bottom - LANE * (len(members) - 1)) / 2
        for index, route in enumerate(members):
            found[route, gap] = round(first + LANE * index, 1)
    return found


def _rows(scene: Scene, routes: Sequence[Route]) -> dict[int, tuple[float, float]]:
    """Top and bottom of each row's box: the edge's group, then the region's top for the first tier, then the tiers."""
    groups = [box for box in scene.boxes if box.style == "group"]
    tiers = [box for box in scene.boxes if box.style == "tier"]
    rows = {0: (groups[0].y, groups[0].bottom)}
    for number, tier in enumerate(tiers, 1):
        rows[number] = (tier.y, tier.bottom)
    if tiers and len(groups) > 1:
        rows[1] = (groups[1].y, tiers[0].bottom)
    return rows
