"""What goes in and out of the generation service."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from blueprint.jobs import REQUEST
from services.kernel.jobs import Status

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=REQUEST.prompt_characters)]
Side = Annotated[int, Field(ge=REQUEST.side_minimum, multiple_of=REQUEST.side_multiple, strict=True)]


class GenerationRequest(BaseModel):
    """A text-to-image request. What is left out is the model's default; the seed is drawn and told."""

    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[Prompt, Field(min_length=1)]
    negative_prompt: Prompt = ""
    model: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    width: Side | None = None
    height: Side | None = None
    steps: Annotated[int | None, Field(ge=REQUEST.steps_minimum, strict=True)] = None
    guidance_scale: Annotated[float | None, Field(ge=0, le=REQUEST.guidance_maximum, allow_inf_nan=False)] = None
    seed: Annotated[int | None, Field(ge=0, le=REQUEST.seed_maximum, strict=True)] = None
    n: Annotated[int, Field(ge=1, strict=True)] = 1

    @model_validator(mode="after")
    def _text(self) -> Self:
        # PostgreSQL stores no NUL, and no tokenizer reads one.
        if "\x00" in self.prompt + self.negative_prompt + (self.model or ""):
            raise ValueError("text may not hold the character NUL")
        return self


class Progress(BaseModel):
    """Denoising steps of the running attempt."""

    step: int
    steps: int


class Failure(BaseModel):
    code: str
    message: str


class GeneratedImage(BaseModel):
    id: UUID
    index: int
    seed: int
    width: int
    height: int
    url: str
    thumbnail_url: str


class Generation(BaseModel):
    """A generation as it stands. Times are UTC, sizes pixels, `price` credits, `eta_seconds` an estimate."""

    id: UUID
    status: Status
    prompt: str
    negative_prompt: str
    model: str
    width: int
    height: int
    steps: int
    guidance_scale: float
    seed: int
    n: int
    price: int
    attempt: int
    progress: Progress | None
    queue_position: int | None
    eta_seconds: float | None
    cancel_requested: bool
    warnings: list[str]
    error: Failure | None
    images: list[GeneratedImage]
    retry_of: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


StatusFilter = Literal["queued", "running", "succeeded", "failed", "canceled"]


def generation_view(
    row: Any,
    images: list[dict[str, Any]] | None = None,
    *,
    position: int | None = None,
    eta: float | None = None,
) -> Generation:
    """A row of `generations` as clients see it."""
    request = row["request"]
    running = row["status"] == "running"
    return Generation(
        **{name: request[name] for name in REQUEST_FIELDS},
        **{name: row[name] for name in ROW_FIELDS},
        progress=Progress(step=row["step"], steps=request["steps"] * request["n"]) if running else None,
        queue_position=position,
        eta_seconds=eta,
        cancel_requested=row["cancel_requested_at"] is not None,
        error=Failure(code=row["error_code"], message=row["error_message"]) if row["status"] == "failed" else None,
        images=[GeneratedImage(**image) for image in images or []],
    )


REQUEST_FIELDS = ("prompt", "negative_prompt", "width", "height", "steps", "guidance_scale", "seed", "n")
ROW_FIELDS = (
    "id",
    "status",
    "model",
    "price",
    "attempt",
    "warnings",
    "retry_of",
    "created_at",
    "started_at",
    "finished_at",
)
