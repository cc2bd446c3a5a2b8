"""What a job asks for, read from its row; generation-service has resolved every default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blueprint.jobs import REQUEST


@dataclass(frozen=True, slots=True)
class TextToImage:
    """One text-to-image request. Sizes in pixels; `n` images with the seeds `seed`, `seed + 1` and so on."""

    prompt: str
    negative_prompt: str
    model: str
    width: int
    height: int
    steps: int
    guidance_scale: float
    seed: int
    n: int

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> "TextToImage":
        """Reads the row's `request`. Raises KeyError where a member is missing."""
        members: dict[str, Any] = {name: request[name] for name in cls.__slots__ if name != "negative_prompt"}
        return cls(negative_prompt=request.get("negative_prompt") or "", **members)

    @property
    def total_steps(self) -> int:
        """Denoising steps of all images together."""
        return self.steps * self.n

    def seed_of(self, index: int) -> int:
        """The seed of one image; asking for it alone with this seed gives the same bytes.

        >>> TextToImage("", "", "m", 64, 64, 1, 5.0, REQUEST.seed_maximum, 2).seed_of(1)
        0
        """
        return (self.seed + index) % (REQUEST.seed_maximum + 1)
