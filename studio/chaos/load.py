"""The users: each asks, asks again with the same key when an answer is lost, and follows her jobs to their ends."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

TERMINAL = ("succeeded", "failed", "canceled")
RETRY_SECONDS = 0.25
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple")
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring")


@dataclass(slots=True)
class Request:
    """One request as its user knows it: what was accepted, and every state that was seen of it."""

    key: str
    body: dict[str, Any]
    id: str = ""
    price: int = 0
    cancel: bool = False
    retries: int = 0
    states: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class User:
    """A signed-in user and her requests."""

    number: int
    token: str = ""
    id: str = ""
    requests: list[Request] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"chaos-{self.number:02}@pingvas.studio"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Load:
    """Drives all users against one studio until every accepted request has ended."""

    def __init__(self, url: str, *, users: int, generations: int, steps: int, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 (a plan that can be repeated, nothing secret)
        self._http = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(20, connect=5), trust_env=False)
        self.users = [User(number + 1) for number in range(users)]
        for number in range(generations):
            user = self.users[number % users]
            body = {"prompt": self._prompt(), "steps": steps, "seed": self._random.randrange(2**32)}
            request = Request(f"chaos-{seed}-{number}", body, cancel=self._random.random() < 0.05)
            user.requests.append(request)

    @property
    def requests(self) -> list[Request]:
        return [request for user in self.users for request in user.requests]

    @property
    def ended(self) -> int:
        return sum(bool(request.states) and request.states[-1] in TERMINAL for request in self.requests)

    async def run(self, pause: float) -> None:
        """All users at once; `pause` seconds at most between two requests of one."""
        async with self._http:
            await asyncio.gather(*(self._live(user, pause) for user in self.users))

    async def _live(self, user: User, pause: float) -> None:
        signed_in = (await self._insist("POST", "/api/v1/auth/local", {}, json={"email": user.email})).json()
        user.token, user.id = signed_in["access_token"], signed_in["user"]["id"]
        following = []
        for request in user.requests:
            await self._ask(user, request)
            following.append(asyncio.create_task(self._follow(user, request)))
            await asyncio.sleep(self._random.random() * pause)
        await asyncio.gather(*following)

    async def _ask(self, user: User, request: Request) -> None:
        headers = {**user.headers, "Idempotency-Key": request.key}
        answer = await self._insist("POST", "/api/v1/generations", headers, request, json=request.body)
        if answer.status_code != 202:
            request.wrong.append(f"not accepted: {answer.text[:200]}")
            return
        made = answer.json()
        request.id, request.price = made["id"], made["price"]
        if request.cancel:
            await self._insist("POST", f"/api/v1/generations/{request.id}/cancel", user.headers)

    async def _follow(self, user: User, request: Request) -> None:
        while request.id and not (request.states and request.states[-1] in TERMINAL):
            try:
                async for event in self._events(user, request):
                    self._note(request, event)
            except (httpx.HTTPError, OSError):
                await asyncio.sleep(RETRY_SECONDS)

    async def _events(self, user: User, request: Request) -> AsyncIterator[dict[str, Any]]:
        headers = dict(user.headers)
        if request.seqs:
            headers["Last-Event-ID"] = str(request.seqs[-1])
        path = f"/api/v1/generations/{request.id}/events"
        async with self._http.stream("GET", path, headers=headers) as answer:
            if answer.status_code != 200:
                await asyncio.sleep(RETRY_SECONDS)
                return
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def _note(self, request: Request, event: dict[str, Any]) -> None:
        status, seq = event["status"], event["seq"]
        if request.seqs and seq < request.seqs[-1]:
            request.wrong.append(f"event {seq} after {request.seqs[-1]}")
        if request.states and request.states[-1] in TERMINAL and status != request.states[-1]:
            request.wrong.append(f"{status} after {request.states[-1]}")
        request.states.append(status)
        request.seqs.append(seq)

    async def _insist(
        self, method: str, path: str, headers: dict[str, str], request: Request | None = None, **body: Any
    ) -> httpx.Response:
        """Asks until there is an answer that is the service's own and no fault of the moment."""
        while True:
            try:
                answer = await self._http.request(method, path, headers=headers, **body)
                if answer.status_code < 500:
                    return answer
            except (httpx.HTTPError, OSError):
                pass
            if request is not None:
                request.retries += 1
            await asyncio.sleep(RETRY_SECONDS)

    def _prompt(self) -> str:
        object_colour, ground = self._random.sample(COLOURS, 2)
        return f"a {object_colour} {self._random.choice(SHAPES)} on a {ground} background"
