"""Logs: one JSON object a line, with the request id that follows a job from the browser into the worker."""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars
from structlog.typing import EventDict

from services.kernel.settings import Settings

__all__ = ["bind_contextvars", "bound_contextvars", "clear_contextvars", "configure", "get_logger"]

SECRET_WORDS = ("secret", "password", "token", "authorization", "api_key", "cookie")


def configure(settings: Settings, service: str) -> None:
    """Sends this process's logs, the standard library's too, to standard output in the settings' format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    if settings.log_format == "json":
        renderer: Any = structlog.processors.JSONRenderer(serializer=_json)
        shared += [_name(service), structlog.processors.format_exc_info]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(),
            pad_event_to=0,
            sort_keys=False,
            # The default draws every local variable, secrets too, and takes seconds for it.
            exception_formatter=structlog.dev.plain_traceback,
        )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level)),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.INFO, getattr(logging, settings.log_level)))
    for chatty in ("httpx", "httpcore", "kombu", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _Lines:
    """Writes to what standard output is at that moment, not to what it was when logging was set up."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    debug = info = warning = error = critical = msg


class _Handler(logging.Handler):
    """The same for the standard library's records."""

    def emit(self, record: logging.LogRecord) -> None:
        _Lines().msg(self.format(record))


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that says `source=name` with every line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


def _json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _name(service: str) -> Any:
    def add(_: Any, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _redact(_: Any, __: str, event: EventDict) -> EventDict:
    for key in event:
        if any(word in key.lower() for word in SECRET_WORDS):
            event[key] = "[redacted]"
    return event
