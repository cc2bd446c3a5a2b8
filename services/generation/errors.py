"""What the generation service refuses, and why."""

from services.kernel.errors import (
    ConflictError,
    NotFoundError,
    PaymentRequiredError,
    TooManyError,
    UnauthorizedError,
    UnprocessableError,
)


class GenerationNotFoundError(NotFoundError):
    code, title = "generation_not_found", "There is no such generation"


class UnknownModelError(UnprocessableError):
    code, title = "unknown_model", "There is no such model"


class ModelUnavailableError(ConflictError):
    code, title = "model_unavailable", "This model cannot be used at the moment"


class ModelLimitError(UnprocessableError):
    code, title = "model_limit", "This is more than the model can do"


class PlanLimitError(UnprocessableError):
    code, title = "plan_limit", "This is more than the plan allows"


class InsufficientCreditsError(PaymentRequiredError):
    code, title = "insufficient_credits", "There are not enough credits for this"


class TooManyActiveError(TooManyError):
    code, title = "too_many_active", "Too many generations are waiting or running"


class IdempotencyConflictError(ConflictError):
    code, title = "idempotency_conflict", "This Idempotency-Key was used with another request"


class NotRetryableError(ConflictError):
    code, title = "not_retryable", "Only a failed or canceled generation can be tried again"


class AlreadyEndedError(ConflictError):
    code, title = "already_ended", "This generation has ended already"


class UserGoneError(UnauthorizedError):
    code, title = "invalid_token", "The user of this token is gone"
