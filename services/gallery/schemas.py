"""What goes out of the gallery service."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from services.kernel.db import Row
from services.kernel.events import image


class Image(BaseModel):
    """A picture and how it was made; `parameters` is the request that the worker rendered."""

    id: UUID
    generation_id: UUID
    index: int
    seed: int
    width: int
    height: int
    bytes: int
    sha256: str
    starred: bool
    parameters: dict[str, Any]
    url: str
    thumbnail_url: str
    created_at: datetime


def image_view(row: Row) -> Image:
    """A row of `images` as clients see it."""
    return Image(
        **image(row),
        generation_id=row["generation_id"],
        bytes=row["bytes"],
        sha256=row["sha256"].hex(),
        starred=row["starred"],
        parameters=row["parameters"],
        created_at=row["created_at"],
    )
