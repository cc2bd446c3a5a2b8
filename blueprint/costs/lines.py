"""All lines of a month's bill."""

from blueprint.costs.documented import documented
from blueprint.costs.forgotten import forgotten
from blueprint.costs.line import Line, Maker
from blueprint.costs.platform import Platform
from blueprint.costs.usage import Usage


def lines(platform: Platform, usage: Usage, region: str) -> tuple[Line, ...]:
    """Every line, those of the document in its order, then the others by stack.

    Raises:
        KeyError: the platform uses something that the price file does not know in that region.
    """
    make = Maker(platform, usage, region)
    return (*documented(make), *forgotten(make))
