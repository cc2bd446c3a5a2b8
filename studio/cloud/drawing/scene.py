"""A drawing with a place for everything: rectangles, texts and arrows. Pixels, y downward."""

from dataclasses import dataclass, field

from studio.cloud.drawing import text
from studio.cloud.drawing.model import Card

SIZES = {"title": 26.0, "subtitle": 15.0, "group": 15.0, "name": 16.0, "line": 14.0, "label": 13.0}
BOLD = frozenset({"title", "group", "name", "label"})


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle. `style` is a class of the drawing; a card's is `card` and its `kind`."""

    x: float
    y: float
    width: float
    height: float
    style: str
    kind: str = ""
    name: str = ""

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def overlaps(self, other: "Box") -> bool:
        """Whether both have some area in common."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def contains(self, other: "Box") -> bool:
        return self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom


@dataclass(frozen=True, slots=True)
class Text:
    """One line, `y` its baseline."""

    x: float
    y: float
    text: str
    style: str

    @property
    def box(self) -> Box:
        size = SIZES[self.style]
        wide = text.width(self.text, size, bold=self.style in BOLD)
        return Box(self.x, self.y - 0.8 * size, wide, size, "text", name=self.text)


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line of horizontal and vertical pieces from one card to another."""

    points: tuple[tuple[float, float], ...]
    source: str
    target: str
    label: str

    @property
    def pieces(self) -> tuple[Box, ...]:
        """Each piece as a thin rectangle."""
        return tuple(
            Box(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1), "piece", name=f"{self.source} → {self.target}")
            for (x1, y1), (x2, y2) in zip(self.points, self.points[1:], strict=False)
        )


@dataclass(slots=True)
class Scene:
    """Everything that is drawn, in the order in which it is drawn."""

    width: float
    height: float = 0
    title: str = ""
    boxes: list[Box] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    places: dict[str, Box] = field(default_factory=dict)
    """Boxes of cards by the cards' keys."""


PAD = 14.0
NAME_STEP, LINE_STEP = 22.0, 19.0


def lines_of(card: Card, wide: float) -> tuple[list[str], list[str]]:
    """Title and lines of a card, broken to its width."""
    inner = wide - 2 * PAD
    title = text.wrap(card.title, SIZES["name"], inner, bold=True)
    return title, [part for line in card.lines for part in text.wrap(line, SIZES["line"], inner)]


def height_of(card: Card, wide: float) -> float:
    title, lines = lines_of(card, wide)
    return 2 * PAD + NAME_STEP * len(title) - 6 + LINE_STEP * len(lines)


def place(scene: Scene, card: Card, x: float, y: float, size: tuple[float, float]) -> None:
    """Draws a card of a width and a height where it stands."""
    wide, high = size
    box = Box(x, y, wide, high, "card", card.kind, card.key)
    scene.boxes.append(box)
    scene.places[card.key] = box
    title, lines = lines_of(card, wide)
    baseline = y + PAD + 13
    for part in title:
        scene.texts.append(Text(x + PAD, baseline, part, "name"))
        baseline += NAME_STEP
    for part in lines:
        scene.texts.append(Text(x + PAD, baseline, part, "line"))
        baseline += LINE_STEP
