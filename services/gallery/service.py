"""The rules of the gallery: a picture is its owner's, and gone is gone."""

from uuid import UUID

from services.gallery import repository
from services.gallery.errors import ImageNotFoundError
from services.kernel.db import ReadSession, Row, WriteSession
from services.kernel.storage import ObjectMissingError, Storage


async def find(session: ReadSession, user_id: UUID, image_id: UUID) -> Row:
    """A picture of the user's own.

    Raises:
        ImageNotFoundError: there is none, or it is somebody else's, which looks the same.
    """
    row = await repository.one(session, user_id, image_id)
    if row is None:
        raise ImageNotFoundError
    return row


async def read(storage: Storage, key: str) -> bytes:
    """A picture's object.

    Raises:
        ImageNotFoundError: it was deleted between the look at its row and now.
    """
    try:
        return await storage.get(key)
    except ObjectMissingError as error:
        raise ImageNotFoundError from error


async def delete(session: WriteSession, user_id: UUID, image_id: UUID) -> None:
    """Takes a picture out of every listing at once; the reaper deletes its objects.

    Raises:
        ImageNotFoundError: there is none.
    """
    if not await repository.delete(session, user_id, image_id):
        raise ImageNotFoundError
