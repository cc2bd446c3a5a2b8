"""Errors that reach a client.

    PingvasError                 500 internal_error (never raised as such)
    ├── BadRequestError          400
    ├── UnauthorizedError        401
    ├── PaymentRequiredError     402
    ├── ForbiddenError           403
    ├── NotFoundError            404
    ├── ConflictError            409
    ├── TooLargeError            413
    ├── UnprocessableError       422
    ├── TooManyError             429
    └── UnavailableError         503

Each service derives its own from these, with a stable `code`; `services.kernel.http.problems` turns them into
problem+json (RFC 9457). `extras` are members a client may act on, such as the balance of a 402.
"""

from typing import Any, ClassVar


class PingvasError(Exception):
    """An error with a status, a stable code and a sentence for people."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str = "", **extras: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extras = extras

    @property
    def headers(self) -> dict[str, str]:
        return {}


class BadRequestError(PingvasError):
    status, code, title = 400, "bad_request", "The request cannot be read"


class UnauthorizedError(PingvasError):
    status, code, title = 401, "unauthorized", "Sign in first"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Bearer error="{self.code}"'}


class PaymentRequiredError(PingvasError):
    status, code, title = 402, "payment_required", "More credits are needed"


class ForbiddenError(PingvasError):
    status, code, title = 403, "forbidden", "This is not allowed"


class NotFoundError(PingvasError):
    status, code, title = 404, "not_found", "There is no such thing here"


class ConflictError(PingvasError):
    status, code, title = 409, "conflict", "This does not go together with what is there"


class TooLargeError(PingvasError):
    status, code, title = 413, "body_too_large", "The request body is too large"


class UnprocessableError(PingvasError):
    status, code, title = 422, "invalid_request", "The request does not fit"


class TooManyError(PingvasError):
    status, code, title = 429, "too_many_requests", "Too many at once"


class UnavailableError(PingvasError):
    status, code, title = 503, "unavailable", "A part that this needs does not answer; try again"
