"""HTTP of the gallery service."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.gallery import repository, service
from services.gallery.schemas import Image, image_view
from services.kernel.http.auth import Me, scope
from services.kernel.http.paging import Page, Paging
from services.kernel.http.sessions import FreshReader, Reader, TransactionRoute, Writer
from services.kernel.storage import Storage

router = APIRouter(
    prefix="/api/v1/images", tags=["images"], route_class=TransactionRoute, dependencies=[Depends(scope("gallery"))]
)
IMMUTABLE = "private, max-age=31536000, immutable"


@router.get("")
async def page(me: Me, session: Reader, cut: Paging, generation_id: UUID | None = None) -> Page[Image]:
    """One's own pictures, newest first."""
    rows = await repository.page(session, me.user_id, generation_id, cut.parameters)
    return cut.page(rows, lambda row: row["id"], image_view)


@router.get("/{image_id}")
async def one(image_id: UUID, me: Me, session: FreshReader) -> Image:
    """A picture and how it was made."""
    return image_view(await service.find(session, me.user_id, image_id))


@router.get("/{image_id}/original", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def original(image_id: UUID, request: Request, me: Me, session: FreshReader) -> Response:
    """The PNG, with its parameters embedded."""
    row = await service.find(session, me.user_id, image_id)
    etag = f'"{row["sha256"].hex()}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": IMMUTABLE})
    name = f"pingvas-{row['seed']}.png"
    return Response(
        await service.read(_storage(request), row["object_key"]),
        media_type="image/png",
        headers={"ETag": etag, "Cache-Control": IMMUTABLE, "Content-Disposition": f'inline; filename="{name}"'},
    )


@router.get("/{image_id}/thumbnail", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
async def thumbnail(image_id: UUID, request: Request, me: Me, session: FreshReader) -> Response:
    """A small WebP of the picture."""
    row = await service.find(session, me.user_id, image_id)
    return Response(
        await service.read(_storage(request), row["thumbnail_key"]),
        media_type="image/webp",
        headers={"Cache-Control": IMMUTABLE},
    )


@router.delete("/{image_id}", status_code=204, response_class=Response)
async def delete(image_id: UUID, me: Me, session: Writer) -> Response:
    """Deletes a picture for good."""
    await service.delete(session, me.user_id, image_id)
    return Response(status_code=204)


def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage
