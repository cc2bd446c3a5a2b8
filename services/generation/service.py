"""The rules of a request: what the plan and the model allow, what it costs, and that it is accepted once."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from blueprint.jobs import JOBS, REQUEST
from blueprint.plans import MEGAPIXEL, PLANS, Plan
from blueprint.pricing import price
from services.generation import repository
from services.generation.errors import (
    AlreadyEndedError,
    GenerationNotFoundError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    ModelLimitError,
    ModelUnavailableError,
    NotRetryableError,
    PlanLimitError,
    TooManyActiveError,
    UnknownModelError,
    UserGoneError,
)
from services.generation.schemas import GenerationRequest
from services.kernel.catalogue import unknown_words
from services.kernel.db import Row, WriteSession
from services.kernel.ids import new_id

RETRYABLE = ("failed", "canceled")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A generation, and whether this very request made it or an earlier one with the same key."""

    row: Row
    plan: str
    fresh: bool


async def create(
    session: WriteSession,
    user_id: UUID,
    request: GenerationRequest,
    *,
    default_model: str,
    key: str | None,
    request_id: str,
    retry_of: UUID | None = None,
) -> Accepted:
    """Accepts a request: one transaction writes the row, the credit hold and the outbox mark.

    Raises:
        UserGoneError, UnknownModelError, ModelUnavailableError, PlanLimitError, ModelLimitError,
        InsufficientCreditsError, TooManyActiveError, IdempotencyConflictError: nothing was written.
    """
    model = request.model or default_model
    account = await repository.account(session, user_id, model)
    if account is None:
        raise UserGoneError
    digest = _digest(request)
    if key is not None:
        # The account row is locked, so two requests with one key come here one after the other.
        before = await repository.by_key(session, user_id, key)
        if before is not None:
            if before["request_hash"] != digest:
                raise IdempotencyConflictError(f"Idempotency-Key {key!r} belongs to generation {before['id']}")
            return Accepted(before, account["plan"], fresh=False)
    plan = PLANS[account["plan"]]
    resolved = _resolve(request, model, account)
    _check_plan(resolved, plan)
    _check_model(resolved, account)
    cost = price(width=resolved["width"], height=resolved["height"], steps=resolved["steps"], images=resolved["n"])
    _check_credits(account, cost)
    row = await repository.create(
        session,
        {
            "id": new_id(),
            "user_id": user_id,
            "model": model,
            "request": resolved,
            "warnings": _warnings(resolved, account),
            "price": cost,
            "priority": plan.priority,
            "work": resolved["width"] * resolved["height"] * resolved["steps"] * resolved["n"] / MEGAPIXEL,
            "idempotency_key": key,
            "request_hash": digest,
            "request_id": request_id,
            "retry_of": retry_of,
            "slice": JOBS.fairness_slice,
            "max_active": plan.max_active,
        },
    )
    if row is None:
        raise TooManyActiveError(
            f"The plan {plan.title} allows {plan.max_active} waiting or running generations", limit=plan.max_active
        )
    return Accepted(row, plan.name, fresh=True)


async def retry(
    session: WriteSession, user_id: UUID, generation_id: UUID, *, key: str | None, request_id: str
) -> Accepted:
    """The same request once more, as a new generation with a price of its own.

    Raises:
        GenerationNotFoundError, NotRetryableError: and what `create` raises.
    """
    row = await repository.one(session, user_id, generation_id)
    if row is None:
        raise GenerationNotFoundError
    if row["status"] not in RETRYABLE:
        raise NotRetryableError(f"Generation {generation_id} is {row['status']}", status_now=row["status"])
    request = GenerationRequest(**row["request"])  # resolved: it names its model
    return await create(
        session, user_id, request, default_model="", key=key, request_id=request_id, retry_of=generation_id
    )


async def cancel(session: WriteSession, user_id: UUID, generation_id: UUID) -> tuple[Row, bool]:
    """Cancels: at once where it waits, at its worker's next step where it runs.

    Returns the row and whether the generation ended here and now. Canceling what is canceled is fine.

    Raises:
        GenerationNotFoundError, AlreadyEndedError.
    """
    ended = await repository.cancel_queued(session, user_id, generation_id)
    asked = ended is not None or await repository.request_cancel(session, user_id, generation_id)
    row = await repository.one(session, user_id, generation_id)
    if row is None:
        raise GenerationNotFoundError
    if not asked and row["status"] != "canceled":
        raise AlreadyEndedError(f"Generation {generation_id} is {row['status']}", status_now=row["status"])
    return row, ended is not None


def _digest(request: GenerationRequest) -> bytes:
    body = orjson.dumps(request.model_dump(exclude_none=True), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).digest()


def _resolve(request: GenerationRequest, model: str, account: Row) -> dict[str, Any]:
    """The request with every default filled in: what the worker renders, to the byte, at every attempt."""
    if account["model"] is None:
        raise UnknownModelError(f"There is no model {model!r}", model=model)
    defaults = account["defaults"]
    needed = PLANS[account["minimum_plan"]]
    if PLANS[account["plan"]].price_cents < needed.price_cents:
        raise PlanLimitError(f"model: {model!r} comes with the plan {needed.title}", field="model", limit=needed.name)
    if not account["available"]:
        reason = defaults.get("reason") or "It is not in the models folder."
        raise ModelUnavailableError(f"Model {model!r} cannot be used now. {reason}", model=model)
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "model": model,
        "width": _or(request.width, defaults["width"]),
        "height": _or(request.height, defaults["height"]),
        "steps": _or(request.steps, defaults["steps"]),
        "guidance_scale": float(_or(request.guidance_scale, defaults["guidance_scale"])),
        "seed": _or(request.seed, secrets.randbelow(2**32)),
        "n": request.n,
    }


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _check_plan(resolved: dict[str, Any], plan: Plan) -> None:
    width, height = resolved["width"], resolved["height"]
    limits = (
        ("n", resolved["n"], plan.max_images, f"at most {plan.max_images} images at once"),
        ("steps", resolved["steps"], plan.max_steps, f"at most {plan.max_steps} steps"),
        ("width", width, plan.max_side, f"sides of at most {plan.max_side} pixels"),
        ("height", height, plan.max_side, f"sides of at most {plan.max_side} pixels"),
        ("width", width * height, plan.max_pixels, f"at most {plan.max_pixels} pixels in all"),
    )
    for field, value, limit, sentence in limits:
        if value > limit:
            raise PlanLimitError(f"{field}: the plan {plan.title} allows {sentence}", field=field, limit=limit)
    if resolved["seed"] + resolved["n"] - 1 > REQUEST.seed_maximum:
        raise PlanLimitError("seed: the last image's seed would be too large", field="seed", limit=REQUEST.seed_maximum)


def _check_model(resolved: dict[str, Any], account: Row) -> None:
    limit = account["defaults"].get("max_side")
    if limit and max(resolved["width"], resolved["height"]) > limit:
        raise ModelLimitError(f"{resolved['model']} makes pictures with sides of at most {limit} pixels", limit=limit)


def _check_credits(account: Row, cost: int) -> None:
    available = account["balance"] - account["held"]
    if available < cost:
        raise InsufficientCreditsError(
            f"This costs {cost} credits and {available} are available",
            balance=account["balance"],
            held=account["held"],
            available=available,
            price=cost,
        )


def _warnings(resolved: dict[str, Any], account: Row) -> list[str]:
    defaults = account["defaults"]
    warnings = []
    words = unknown_words(resolved["prompt"], defaults.get("vocabulary"))
    if words:
        quoted = ", ".join(repr(word) for word in words)
        warnings.append(f"{resolved['model']} is a small demo model and does not know {quoted}")
    sizes = defaults.get("native_sizes") or []
    if sizes and [resolved["width"], resolved["height"]] not in sizes:
        native = ", ".join(f"{width}x{height}" for width, height in sizes)
        warnings.append(f"{resolved['model']} was trained at {native}; other sizes look worse")
    return warnings
