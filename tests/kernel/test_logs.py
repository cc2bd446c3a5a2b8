"""Logs: JSON lines that carry the request id and never a secret."""

import io
import json
import logging
import sys

import pytest
import structlog

from services.kernel import logs
from services.kernel.settings import Settings


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> "io.StringIO":
    """What a process with JSON logs writes; other tests' logging is put back afterwards."""
    out = io.StringIO()
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    monkeypatch.setattr(sys, "stdout", out)
    logs.configure(Settings(log_format="json"), "user")
    yield out
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def read(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_and_carries_the_request_id(lines: io.StringIO) -> None:
    with logs.bound_contextvars(request_id="r-12345678"):
        logs.get_logger("test").info("done", count=2)
    (line,) = read(lines)
    assert line["event"] == "done"
    assert (line["request_id"], line["service"], line["source"], line["count"]) == ("r-12345678", "user", "test", 2)
    assert line["level"] == "info"


def test_secrets_are_redacted(lines: io.StringIO) -> None:
    values = {"password": "p4", "access_token": "t4", "Authorization": "a4", "api_key": "k4", "jwt_secret": "s4"}
    logs.get_logger("test").warning("signed in", **values, email="ada@example.com")
    text = lines.getvalue()
    assert not any(value in text for value in values.values())
    assert "ada@example.com" in text


def test_the_standard_library_speaks_the_same(lines: io.StringIO) -> None:
    logging.getLogger("library").warning("careful %s", "now")
    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("library").exception("failed")
    first, second = read(lines)
    assert first["event"] == "careful now"
    assert first["service"] == "user"
    assert "ValueError: inner" in str(second["exception"])


def test_what_json_does_not_know_is_written_as_text(lines: io.StringIO) -> None:
    logs.get_logger("test").info("odd", value={1, 2}, error=ValueError("x"))
    assert "ValueError" not in lines.getvalue() or read(lines)
    assert len(read(lines)) == 1
