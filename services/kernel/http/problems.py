"""Every error as problem+json (RFC 9457): type, title, status, detail, a stable code, the request id."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException

from services.kernel.errors import BadRequestError, PingvasError, TooLargeError, UnavailableError, UnprocessableError
from services.kernel.logs import get_logger

log = get_logger("http")
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "2"
NO_OBJECT = ("missing", "model_attributes_type", "model_type", "dict_type")


class Problem(BaseModel):
    """The body of every error; some carry more members, such as `errors` or `balance`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


def problem_response(request: Request, error: PingvasError) -> JSONResponse:
    """One error as a response."""
    body: dict[str, Any] = {
        "type": f"urn:pingvas:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request.scope.get("request_id", ""),
        **error.extras,
    }
    headers = dict(error.headers)
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = RETRY_SECONDS
    return JSONResponse(body, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PingvasError)  # noqa: S101 (told to mypy)
    if error.status >= 500:
        log.error("request failed", code=error.code, detail=error.detail, cause=repr(error.__cause__))
    return problem_response(request, error)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return problem_response(request, _with_code(BadRequestError("The body is not valid JSON"), "invalid_json"))
    if any(problem["loc"] == ("body",) and problem["type"] in NO_OBJECT for problem in problems):
        detail = "The body must be a JSON object, sent with Content-Type: application/json"
        return problem_response(request, UnprocessableError(detail, errors=[{"field": "", "message": detail}]))
    errors = [{"field": _field(problem["loc"]), "message": _sentence(problem)} for problem in problems]
    first = errors[0]
    detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return problem_response(request, UnprocessableError(detail, errors=errors))


async def _starlette(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = error.status_code
    names = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    # The router's own detail is the status' name again.
    detail = _TITLES.get(status, "") if error.detail in ("Not Found", "Method Not Allowed") else str(error.detail)
    response = problem_response(request, _with_status(PingvasError(detail), status, names.get(status, "http_error")))
    response.headers.update(error.headers or {})
    return response


async def _redis(request: Request, error: Exception) -> JSONResponse:
    log.error("redis unavailable", error=repr(error))
    unavailable = UnavailableError("The cache does not answer at the moment; try again")
    return problem_response(request, _with_code(unavailable, "cache_unavailable"))


async def _database(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, DataError):
        # A value that no column can hold, such as text with a NUL in it.
        log.warning("value refused by the database", error=repr(error.orig))
        return problem_response(request, UnprocessableError("A value in the request cannot be stored"))
    log.error("database error", error=repr(error))
    return problem_response(request, PingvasError("This could not be stored; nothing was changed"))


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: everything to the log, nothing of it to the client."""
    log.error("unexpected error", exc_info=error)
    return problem_response(request, PingvasError("Something went wrong on our side; nothing of yours was changed"))


def add_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(PingvasError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _starlette)
    app.add_exception_handler(RedisError, _redis)
    app.add_exception_handler(SQLAlchemyError, _database)


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part not in ("body", "query", "path", "header"))


def _sentence(problem: Any) -> str:
    message = str(problem["msg"])
    return message.removeprefix("Value error, ")


def _with_code(error: PingvasError, code: str) -> PingvasError:
    return _with_status(error, error.status, code)


def _with_status(error: PingvasError, status: int, code: str) -> PingvasError:
    kind = type(error)
    made = type(kind.__name__, (kind,), {"status": status, "code": code, "title": _TITLES.get(status, kind.title)})
    result: PingvasError = made(error.detail, **error.extras)
    return result


_TITLES = {
    400: BadRequestError.title,
    404: "There is no such thing here",
    405: "This method is not allowed here",
    413: TooLargeError.title,
}
