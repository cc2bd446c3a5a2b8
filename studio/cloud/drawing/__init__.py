"""An architecture drawing made of synthesized templates: what it shows is there, and what is gone is not shown."""

from collections.abc import Mapping
from typing import Any

from studio.cloud.drawing.cards import gather
from studio.cloud.drawing.estate import Estate
from studio.cloud.drawing.layout import arrange
from studio.cloud.drawing.svg import write
from studio.home import PROJECT

PICTURE = PROJECT / "docs" / "images" / "architecture-aws.svg"
"""The committed drawing: default settings, the default region."""


def draw(templates: Mapping[str, Mapping[str, Any]]) -> str:
    """The drawing of templates (by stack id) as SVG; the same templates give the same bytes."""
    return write(arrange(gather(Estate(templates))))
