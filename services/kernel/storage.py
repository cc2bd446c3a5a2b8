"""Object storage behind one small interface: a local folder or S3, both by obstore.

Keys are paths without a leading slash, `images/<generation id>/<attempt>/<n>.png`. Objects never change.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from services.kernel.errors import UnavailableError


class ObjectMissingError(LookupError):
    """No object has this key."""


class StorageUnavailableError(UnavailableError):
    """The object store does not answer, or is full."""

    code = "storage_unavailable"


class Storage:
    """Reads and writes objects; asynchronous for services, blocking for the worker's threads.

    Made of a URL, `file:///folder` (which is made if it is not there) or `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._store = _open(url)

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Writes an object whole or not at all.

        Raises:
            StorageUnavailableError: it could not be written; a full disk too.
        """
        try:
            obstore.put(self._store, key, data, attributes=self._attributes(content_type))
        except (BaseError, OSError) as error:
            raise StorageUnavailableError(f"The object store cannot be written: {_reason(error)}") from error

    async def get(self, key: str) -> bytes:
        """Reads an object.

        Raises:
            ObjectMissingError: there is none.
            StorageUnavailableError: it could not be read.
        """
        try:
            return bytes(await (await obstore.get_async(self._store, key)).bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissingError(key) from error
        except (BaseError, OSError) as error:
            raise StorageUnavailableError(f"The object store cannot be read: {_reason(error)}") from error

    def delete(self, keys: list[str]) -> None:
        """Deletes objects; one that is not there is as good as deleted."""
        for key in keys:
            try:
                obstore.delete(self._store, key)
            except (NotFoundError, FileNotFoundError):
                continue
            except (BaseError, OSError) as error:
                raise StorageUnavailableError(f"The object store cannot be written: {_reason(error)}") from error

    async def delete_async(self, keys: list[str]) -> None:
        for key in keys:
            try:
                await obstore.delete_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                continue
            except (BaseError, OSError) as error:
                raise StorageUnavailableError(f"The object store cannot be written: {_reason(error)}") from error

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys below a prefix that ends with a slash."""
        async for page in obstore.list(self._store, prefix=prefix):
            for entry in page:
                yield entry["path"]

    async def check(self) -> None:
        """Asks for a listing; raises `StorageUnavailableError`."""
        try:
            await obstore.list_with_delimiter_async(self._store)
        except (BaseError, OSError) as error:
            raise StorageUnavailableError(f"The object store does not answer: {_reason(error)}") from error

    def _attributes(self, content_type: str) -> Any:
        # A local folder keeps no attributes and refuses them.
        if isinstance(self._store, LocalStore):
            return None
        return {"Content-Type": content_type, "Cache-Control": "private, max-age=31536000, immutable"}


def _open(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        folder.mkdir(parents=True, exist_ok=True)
        return LocalStore(folder, automatic_cleanup=True)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, prefix=parts.path.strip("/") or None)
    raise ValueError(f"PINGVAS_STORAGE_URL: {url!r} is neither file:///folder nor s3://bucket")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
