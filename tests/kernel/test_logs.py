"""Logs: JSON lines that carry the request id and never a secret."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.kernel import logs
from services.kernel.settings import Settings


class Written:
    """What has been written to standard output so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().out
        return self._text


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What a process with JSON logs writes; other tests' logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    logs.configure(Settings(log_format="json"), "user")
    yield Written(capsys)
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def read(out: Written) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_and_carries_the_request_id(lines: Written) -> None:
    with logs.bound_contextvars(request_id="r-12345678"):
        logs.get_logger("test").info("done", count=2)
    (line,) = read(lines)
    assert line["event"] == "done"
    assert (line["request_id"], line["service"], line["source"], line["count"]) == ("r-12345678", "user", "test", 2)
    assert line["level"] == "info"


def test_secrets_are_redacted(lines: Written) -> None:
    values = {"password": "p4", "access_token": "t4", "Authorization": "a4", "api_key": "k4", "jwt_secret": "s4"}
    logs.get_logger("test").warning("signed in", **values, email="ada@example.com")
    text = lines.getvalue()
    assert not any(value in text for value in values.values())
    assert "ada@example.com" in text


def test_the_standard_library_speaks_the_same(lines: Written) -> None:
    logging.getLogger("library").warning("careful %s", "now")
    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("library").exception("failed")
    first, second = read(lines)
    assert first["event"] == "careful now"
    assert first["service"] == "user"
    assert "ValueError: inner" in str(second["exception"])


def test_what_json_does_not_know_is_written_as_text(lines: Written) -> None:
    logs.get_logger("test").info("odd", value={1, 2}, error=ValueError("x"))
    assert "ValueError" not in lines.getvalue() or read(lines)
    assert len(read(lines)) == 1
