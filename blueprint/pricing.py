"""What a generation costs, in credits: one credit is up to one megapixel for up to 30 steps."""

from math import ceil

from blueprint.plans import MEGAPIXEL

STEPS_A_CREDIT = 30


def price(*, width: int, height: int, steps: int, images: int) -> int:
    """Credits for a request: pixels in units of a megapixel times steps in units of 30, at least 1 an image.

    >>> price(width=1024, height=1024, steps=30, images=2)
    2
    >>> price(width=2048, height=1024, steps=45, images=1)
    3
    """
    return images * max(1, ceil(width * height * steps / (MEGAPIXEL * STEPS_A_CREDIT)))
