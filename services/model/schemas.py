"""What comes out of the model service. Sizes are [width, height] in pixels."""

from pydantic import BaseModel


class Defaults(BaseModel):
    """What a request gets that leaves these out."""

    width: int
    height: int
    steps: int
    guidance_scale: float


class Model(BaseModel):
    """A model of the catalogue; `reason` says why it is not available, and is null where it is.

    `vocabulary` lists the words that a small model knows, and is null where any words will do.
    """

    name: str
    title: str
    description: str
    kind: str
    base: str
    licence: str
    minimum_plan: str
    defaults: Defaults
    native_sizes: list[tuple[int, int]] = []
    max_side: int | None = None
    vocabulary: list[str] | None = None
    examples: list[str] = []
    available: bool
    reason: str | None = None


class Models(BaseModel):
    items: list[Model]
