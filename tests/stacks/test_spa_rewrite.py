"""The studio's rewrite, run as CloudFront runs it: JavaScript, a request in, a request out."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import stacks

CODE = Path(stacks.__file__).parent / "functions" / "spa_rewrite" / "function.js"
KILOBYTES = 10
"""CloudFront refuses a larger function."""
RUN = """
const handler = new Function(require('fs').readFileSync(process.argv[1], 'utf8') + '; return handler;')();
const events = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(events.map(handler)));
"""


def event(uri: str, **request: Any) -> dict[str, Any]:
    """Version 1.0 of CloudFront's event."""
    return {
        "version": "1.0",
        "context": {"eventType": "viewer-request", "distributionId": "EXAMPLE"},
        "viewer": {"ip": "203.0.113.7"},
        "request": {"method": "GET", "uri": uri, "querystring": {}, "headers": {}, "cookies": {}} | request,
    }


def rewritten(*events: dict[str, Any]) -> list[dict[str, Any]]:
    answer = subprocess.run(
        [os.environ["JSII_NODE"], "-e", RUN, str(CODE)],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    made: list[dict[str, Any]] = json.loads(answer.stdout)
    return made


PAGES = (
    "/",
    "/create",
    "/create/",
    "/boards/01a200c6-1f74-7c23-8d2a-93814e5a0ca3",
    "/a.b/c",
    "/%EA%B7%B8%EB%A6%BC",
    "//",
)
FILES = ("/index.html", "/assets/app-4f2c.js", "/favicon.ico", "/.well-known/security.txt", "/models/sdxl.v1")


def test_pages_become_the_index_and_files_stay() -> None:
    after = [request["uri"] for request in rewritten(*(event(uri) for uri in (*PAGES, *FILES)))]
    assert after == ["/index.html"] * len(PAGES) + list(FILES)


@pytest.mark.parametrize("uri", ["/create", "/assets/app.js"])
def test_nothing_but_the_path_changes(uri: str) -> None:
    request = {
        "querystring": {"seed": {"value": "1"}, "tag": {"value": "a", "multiValue": [{"value": "a"}, {"value": "b"}]}},
        "headers": {"host": {"value": "studio.pingvas.com"}, "accept-encoding": {"value": "br"}},
        "cookies": {"theme": {"value": "dark"}},
    }
    before = event(uri, **request)["request"]
    (after,) = rewritten(event(uri, **request))
    assert {name: value for name, value in after.items() if name != "uri"} == {
        name: value for name, value in before.items() if name != "uri"
    }


def test_it_fits_cloudfront() -> None:
    text = CODE.read_text()
    assert len(text.encode()) < KILOBYTES * 1024
    for word in ("require(", "import ", "async ", "await ", "setTimeout", "=>"):
        assert word not in text.replace("index.html", ""), "the runtime has no such thing, or the function needs none"
