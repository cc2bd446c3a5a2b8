"""The invariants of the job protocol, checked on what a run left behind."""

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import sqlalchemy as sa
from PIL import Image

from services.kernel.db import sync_engine
from services.kernel.ledger import AUDIT
from services.kernel.settings import Settings
from services.kernel.storage import Storage
from studio.chaos.load import TERMINAL, Load

FAIRNESS_TOLERANCE = 2.0
"""Seconds: two workers that take two jobs in one moment may begin in either order."""

GENERATIONS = sa.text("""
    SELECT g.*, u.email,
        (SELECT count(*) FROM images i WHERE i.generation_id = g.id AND i.user_id = g.user_id) AS pictures,
        coalesce((SELECT -sum(amount) FROM credit_entries c WHERE c.generation_id = g.id), 0) AS charged,
        coalesce((SELECT sum(held) FROM credit_entries c WHERE c.generation_id = g.id), 0) AS still_held,
        (SELECT count(*) FROM credit_entries c WHERE c.generation_id = g.id AND c.business_key = 'settle:' || g.id)
            AS settlements
    FROM generations g JOIN users u ON u.id = g.user_id WHERE u.email LIKE 'chaos-%' ORDER BY g.id
""")
OVERDRAWN = sa.text("SELECT count(*) FROM users WHERE held <> 0 OR balance < 0")
OVERTAKEN = sa.text("""
    SELECT count(*) FROM generations early JOIN generations late ON early.due_at < late.due_at
        AND early.created_at < late.started_at - :tolerance * interval '1 second'
        AND early.started_at > late.started_at + :tolerance * interval '1 second'
    WHERE early.attempt = 1 AND late.attempt = 1 AND early.status = 'succeeded' AND late.status = 'succeeded'
""")
OBJECTS = sa.text("SELECT object_key, thumbnail_key FROM images")


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: how many cases were looked at, and the sentences of those that broke it."""

    name: str
    looked_at: int
    broken: Sequence[str]

    @property
    def holds(self) -> bool:
        return not self.broken and self.looked_at > 0


class Verifier:
    """Looks at the database in the role `worker`, at the object store, and at the API as every user."""

    def __init__(self, settings: Settings, load: Load, url: str) -> None:
        self._engine = sync_engine(settings, role="worker", pool=1)
        self._storage = Storage(settings.storage_url)
        self._load = load
        self._url = url
        self.repeated = 0
        """Jobs that needed more than one attempt, once `checks` has looked."""

    def checks(self) -> list[Check]:
        """Every invariant; call it when the reaper has had its turn."""
        with self._engine.connect() as connection:
            rows = {str(row["id"]): row for row in connection.execute(GENERATIONS).mappings()}
            unbalanced = [str(row["user_id"]) for row in connection.execute(AUDIT, {"user_id": None}).mappings()]
            overdrawn = connection.execute(OVERDRAWN).scalar_one()
            overtaken = connection.execute(OVERTAKEN, {"tolerance": FAIRNESS_TOLERANCE}).scalar_one()
            keys = {key for row in connection.execute(OBJECTS) for key in row}
        self._engine.dispose()
        self.repeated = sum(row["attempt"] > 1 for row in rows.values())
        done = {key: row for key, row in rows.items() if row["status"] == "succeeded"}
        stored = asyncio.run(self._stored())
        users = self._load.users
        return [
            self._accepted(rows),
            _each("a generation is charged nothing or exactly its price, once", rows, _miscounted),
            Check("ledger sums equal balances", len(users), unbalanced),
            Check("no credit is left held or overdrawn", len(users), ["held or negative"] * overdrawn),
            _each("a succeeded job has its pictures, anything else has none", rows, _wrong_pictures),
            Check("every picture is readable", len(done), asyncio.run(self._unreadable(keys))),
            Check("no object without a row", len(stored), sorted(stored - keys)),
            Check("no row without an object", len(keys), sorted(keys - stored)),
            self._seen(rows),
            Check("another tenant sees nothing", len(users), asyncio.run(self._leaks())),
            Check("no job is overtaken by one due later", len(done), ["overtaken"] * overtaken),
        ]

    def _accepted(self, rows: dict[str, Any]) -> Check:
        broken = [f"{request.key}: {reason}" for request in self._load.requests for reason in request.wrong]
        for request in self._load.requests:
            row = rows.get(request.id)
            if row is None or row["status"] not in TERMINAL:
                broken.append(f"{request.key}: {row['status'] if row else 'lost'}")
        strangers = set(rows) - {request.id for request in self._load.requests}
        broken += [f"{stranger}: made twice" for stranger in strangers]
        return Check("every accepted request ended, and is there once", len(self._load.requests), broken)

    def _seen(self, rows: dict[str, Any]) -> Check:
        """What a user saw as the end is what the row says, and event numbers only grew."""
        broken = [
            f"{request.id}: saw {request.states[-1]}, is {rows[request.id]['status']}"
            for request in self._load.requests
            if request.id in rows and request.states and request.states[-1] != rows[request.id]["status"]
        ]
        broken += [r.id for r in self._load.requests if r.seqs != sorted(set(r.seqs))]
        return Check("readers saw growing numbers and the true end", len(self._load.requests), broken)

    async def _stored(self) -> set[str]:
        return {key async for key in self._storage.keys("images/")}

    async def _unreadable(self, keys: set[str]) -> list[str]:
        broken = []
        for key in keys:
            try:
                Image.open(io.BytesIO(await self._storage.get(key))).load()
            except Exception as error:  # whatever is wrong with it, it is not readable
                broken.append(f"{key}: {error!r}")
        return broken

    async def _leaks(self) -> list[str]:
        """Every user asks for her own list and for a neighbour's generation."""
        broken = []
        users = self._load.users
        async with httpx.AsyncClient(base_url=self._url, trust_env=False) as http:
            for user, other in zip(users, users[1:] + users[:1], strict=True):
                own = {request.id for request in user.requests}
                for path in ("/api/v1/generations", "/api/v1/images"):
                    page = (await http.get(path, params={"limit": 200}, headers=user.headers)).json()
                    listed = {item.get("generation_id", item["id"]) for item in page["items"]}
                    broken += [f"{user.email} lists {stranger}" for stranger in listed - own]
                theirs = other.requests[0].id
                answer = await http.get(f"/api/v1/generations/{theirs}", headers=user.headers)
                if answer.status_code != 404 and other is not user:
                    broken.append(f"{user.email} sees {theirs}")
        return broken


def _each(name: str, rows: dict[str, Any], wrong: Callable[[Any], bool]) -> Check:
    return Check(name, len(rows), [f"{key} ({row['status']})" for key, row in rows.items() if wrong(row)])


def _miscounted(row: Any) -> bool:
    due = row["price"] if row["status"] == "succeeded" else 0
    return bool(row["charged"] != due or row["still_held"] != 0 or row["settlements"] != 1)


def _wrong_pictures(row: Any) -> bool:
    return bool(row["pictures"] != (row["request"]["n"] if row["status"] == "succeeded" else 0))
