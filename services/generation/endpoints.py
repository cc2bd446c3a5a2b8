"""HTTP of the generation service."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from blueprint.jobs import REQUEST
from services.generation import repository, service
from services.generation.dispatcher import WakeUp
from services.generation.errors import GenerationNotFoundError
from services.generation.estimate import Estimate
from services.generation.parts import Parts, parts_of
from services.generation.schemas import Generation, GenerationRequest, StatusFilter, generation_view
from services.generation.streams import Follower
from services.kernel import events
from services.kernel.db import Row, WriteSession
from services.kernel.http.auth import Me, scope
from services.kernel.http.paging import Page, Paging
from services.kernel.http.sessions import FreshReader, Reader, TransactionRoute, Writer
from services.kernel.http.state import kernel_of

PATH = "/api/v1/generations"
router = APIRouter(
    prefix=PATH, tags=["generations"], route_class=TransactionRoute, dependencies=[Depends(scope("generate"))]
)
streams = APIRouter(prefix=PATH, tags=["generations"], dependencies=[Depends(scope("generate"))])
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=REQUEST.idempotency_key_characters,
        description="The same key and body again answer with the same generation",
    ),
]


@router.post("", status_code=202)
async def create(
    body: GenerationRequest,
    request: Request,
    response: Response,
    me: Me,
    session: Writer,
    idempotency_key: IdempotencyKey = None,
) -> Generation:
    """Accepts a request and holds its credits; the pictures come by the events or a later look."""
    accepted = await service.create(
        session,
        me.user_id,
        body,
        default_model=kernel_of(request).settings.default_model,
        key=idempotency_key,
        request_id=request.scope["request_id"],
    )
    return await _answer(request, response, session, me.user_id, accepted)


@router.post("/{generation_id}/retry", status_code=202)
async def retry(
    generation_id: UUID,
    request: Request,
    response: Response,
    me: Me,
    session: Writer,
    idempotency_key: IdempotencyKey = None,
) -> Generation:
    """The same request, seed included, once more; for what failed or was canceled."""
    accepted = await service.retry(
        session, me.user_id, generation_id, key=idempotency_key, request_id=request.scope["request_id"]
    )
    return await _answer(request, response, session, me.user_id, accepted)


@router.get("")
async def page(me: Me, session: Reader, cut: Paging, status: StatusFilter | None = None) -> Page[Generation]:
    """One's own generations, newest first; position and ETA are told of a single one only."""
    rows = await repository.page(session, me.user_id, status, cut.parameters)
    images = await repository.images(session, me.user_id, [row["id"] for row in rows])
    return cut.page(rows, lambda row: row["id"], lambda row: generation_view(row, images.get(row["id"])))


@router.get("/{generation_id}")
async def one(generation_id: UUID, request: Request, me: Me, session: FreshReader) -> Generation:
    """A generation, with its queue position and ETA."""
    row = await repository.one(session, me.user_id, generation_id)
    if row is None:
        raise GenerationNotFoundError
    images = await repository.images(session, me.user_id, [generation_id])
    estimate = await parts_of(request).estimator.of(row)
    return _view(row, images.get(generation_id), estimate)


@router.post("/{generation_id}/cancel", status_code=202)
async def cancel(generation_id: UUID, request: Request, me: Me, session: Writer) -> Generation:
    """Cancels: at once where it waits, at the next step where it runs. A canceled generation costs nothing."""
    row, ended = await service.cancel(session, me.user_id, generation_id)
    if ended:
        kernel = kernel_of(request)
        session.after_commit(lambda: events.tell_async(kernel.redis, kernel.keys, events.event(row)))
    return generation_view(row)


@streams.get(
    "/{generation_id}/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}}
)
async def follow(
    generation_id: UUID,
    request: Request,
    me: Me,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
) -> StreamingResponse:
    """Server-sent events until the generation has ended; resume with `Last-Event-ID`."""
    kernel, parts = kernel_of(request), parts_of(request)
    if await _snapshot(parts, request, me.user_id, generation_id) is None:
        raise GenerationNotFoundError
    follower = Follower(
        parts.wakes,
        kernel.redis,
        kernel.keys,
        generation_id,
        lambda: _snapshot(parts, request, me.user_id, generation_id),
    )
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
    return StreamingResponse(follower.lines(seen), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _snapshot(parts: Parts, request: Request, user_id: UUID, generation_id: UUID) -> dict[str, object] | None:
    """The row as an event: what a reader gets that has missed something."""
    async with kernel_of(request).db.read(user_id, fresh=True) as session:
        row = await repository.one(session, user_id, generation_id)
        if row is None:
            return None
        images = await repository.images(session, user_id, [generation_id])
    estimate = await parts.estimator.of(row)
    return events.event(
        row, queue_position=estimate.position, eta_seconds=estimate.eta, images=images.get(generation_id, [])
    )


async def _answer(
    request: Request, response: Response, session: WriteSession, user_id: UUID, accepted: service.Accepted
) -> Generation:
    row, parts = accepted.row, parts_of(request)
    response.headers["Location"] = f"{PATH}/{row['id']}"
    if not accepted.fresh:
        images = await repository.images(session, user_id, [row["id"]])
        response.headers["Idempotent-Replayed"] = "true"
        return _view(row, images.get(row["id"]), await parts.estimator.of(row))

    async def publish() -> None:
        parts.dispatcher.committed(WakeUp(row["id"], row["priority"], row["request_id"]))
        parts.metrics.requests.labels(row["model"], accepted.plan).inc()

    session.after_commit(publish)
    return generation_view(row)


def _view(row: Row, images: list[dict[str, object]] | None, estimate: Estimate) -> Generation:
    return generation_view(row, images, position=estimate.position, eta=estimate.eta)
