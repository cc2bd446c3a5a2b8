"""Keyset pages: `limit` and an opaque `cursor`, the last row's key; no offset, so page 1000 costs as much as page 1."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel

from blueprint.services import HTTP
from services.kernel.errors import UnprocessableError

T = TypeVar("T")
S = TypeVar("S")
NEWEST = UUID(int=(1 << 128) - 1)
LARGEST = (1 << 63) - 1


class Page(BaseModel, Generic[T]):
    """One page, and the cursor of the next; null at the end."""

    items: list[T]
    next_cursor: str | None


class CursorError(UnprocessableError):
    code, title = "invalid_cursor", "This cursor is not one of ours"


class Cut:
    """Where a page begins: rows with an id below `before`, newest first, `limit` of them."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=HTTP.page_size_maximum)] = HTTP.page_size,
        cursor: Annotated[str | None, Query(max_length=64)] = None,
    ) -> None:
        self.limit = limit
        self.before = decode(cursor) if cursor else NEWEST

    @property
    def parameters(self) -> dict[str, object]:
        """For `id < :before ORDER BY id DESC LIMIT :limit`; one row more tells whether a next page exists."""
        return {"before": self.before, "limit": self.limit + 1}

    @property
    def numbers(self) -> dict[str, object]:
        """The same for tables whose ids are bigint: a cursor carries 128 bits, whatever they mean."""
        return {"before": min(self.before.int, LARGEST), "limit": self.limit + 1}

    def page(self, rows: Sequence[S], identity: Callable[[S], UUID | int], make: Callable[[S], T]) -> Page[T]:
        kept = rows[: self.limit]
        more = encode(identity(kept[-1])) if len(rows) > self.limit else None
        return Page(items=[make(row) for row in kept], next_cursor=more)


Paging = Annotated[Cut, Depends(Cut)]


def encode(key: UUID | int) -> str:
    number = key if isinstance(key, int) else key.int
    return base64.urlsafe_b64encode(number.to_bytes(16)).decode().rstrip("=")


def decode(cursor: str) -> UUID:
    """The key in a cursor.

    Raises:
        CursorError: it is none.
    """
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except ValueError as error:
        raise CursorError("Use the next_cursor of a page as it came") from error
