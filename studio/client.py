"""The studio's own HTTP API, as the command line uses it: sign in, ask for pictures, follow them, fetch them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from studio.errors import NotRunningError, StudioError, UsageError

ACCOUNT = {"email": "local@pingvas.studio", "display_name": "Local"}
"""The account of whoever sits at this machine; the page at `/` uses the same one."""
TERMINAL = ("succeeded", "failed", "canceled")
EVENT_SECONDS = 45.0
"""Three missed heartbeats of the event stream."""
OUTAGE_SECONDS = 60.0
"""How long a studio may be away before following a generation gives up; a restart takes a few seconds."""

Json = dict[str, Any]


class Client:
    """Speaks to one studio, signed in as the local account.

    `gone` knows whether waiting for it is of no use, and `why` why, as far as that can be known.

    Every method raises NotRunningError when the studio cannot be reached, UsageError for what it refuses as
    malformed, and StudioError with its own words for anything else.
    """

    def __init__(self, url: str, *, gone: Callable[[], bool] = lambda: False, why: Callable[[], str] = str) -> None:
        self._gone = gone
        self._why = why
        self._http = httpx.Client(base_url=url, timeout=httpx.Timeout(30, connect=5), trust_env=False)
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def create(self, request: Json, *, key: str) -> Json:
        """Asks for a generation; the same `key` never makes a second one."""
        made: Json = self._call("POST", "/api/v1/generations", json=request, headers={"Idempotency-Key": key}).json()
        return made

    def generation(self, generation_id: str) -> Json:
        found: Json = self._call("GET", f"/api/v1/generations/{generation_id}").json()
        return found

    def cancel(self, generation_id: str) -> None:
        self._call("POST", f"/api/v1/generations/{generation_id}/cancel")

    def models(self) -> list[Json]:
        found: list[Json] = self._call("GET", "/api/v1/models").json()["items"]
        return found

    def credits(self) -> Json:
        found: Json = self._call("GET", "/api/v1/credits").json()
        return found

    def picture(self, url: str) -> bytes:
        return self._call("GET", url).content

    def follow(self, generation_id: str) -> Iterator[Json]:
        """The events of a generation until its last one, across lost connections and restarts of the studio."""
        last = ""
        lost: float | None = None
        while True:
            try:
                for event in self._events(generation_id, last):
                    last, lost = str(event["seq"]), None
                    yield event
                    if event["status"] in TERMINAL:
                        return
            except NotRunningError:
                lost = lost or time.monotonic()
                if self._gone():
                    why = self._why()
                    raise NotRunningError(
                        f"The studio was ended while it drew{': ' if why else ''}{why.rstrip('.')}.",
                        advice="The job is kept: it goes on at the next start, and its picture appears at `/`.",
                    ) from None
                if time.monotonic() - lost > OUTAGE_SECONDS:
                    raise
            time.sleep(0.3)

    def _events(self, generation_id: str, last: str) -> Iterator[Json]:
        self._sign_in()
        headers = {"Authorization": f"Bearer {self._token}"} | ({"Last-Event-ID": last} if last else {})
        path = f"/api/v1/generations/{generation_id}/events"
        timeout = httpx.Timeout(EVENT_SECONDS, connect=5)
        with _reached(), self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            if answer.status_code == 401:
                self._token = ""
                return
            if answer.status_code >= 400:
                answer.read()
                raise refusal(answer)
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def _sign_in(self) -> None:
        if not self._token:
            with _reached():
                answer = self._http.post("/api/v1/auth/local", json=ACCOUNT)
            if answer.status_code >= 400:
                raise refusal(answer)
            self._token = answer.json()["access_token"]

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        for _ in range(2):
            self._sign_in()
            with _reached():
                answer = self._http.request(
                    method, path, headers={**headers, "Authorization": f"Bearer {self._token}"}, **options
                )
            if answer.status_code != 401:
                break
            self._token = ""
        if answer.status_code >= 400:
            raise refusal(answer)
        return answer


def refusal(answer: httpx.Response) -> StudioError:
    """A problem+json answer as an error for the command line."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or f"The studio answered {answer.status_code}.")
    if answer.status_code in (400, 422):
        return UsageError(detail)
    if answer.status_code >= 500:
        return StudioError(detail, advice=f"`./pingvas logs` has it under request {problem.get('request_id', '?')}.")
    if answer.status_code == 402 and "balance" in problem:
        return StudioError(detail, advice=f"{problem['available']} credits are left of {problem['balance']}.")
    return StudioError(detail)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise NotRunningError(
            f"The studio does not answer: {error or type(error).__name__}.", advice="`./pingvas status` says more."
        ) from error
