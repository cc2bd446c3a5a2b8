"""The job protocol: every transition of a generation as one SQL statement, shared by services and worker.

    (nothing) -- CREATE --> queued -- CLAIM --> running -- COMMIT --> succeeded
                              | ^                 | |
                CANCEL_QUEUED | +-- HAND_BACK, ---+ +-- FAIL, EXPIRE --> failed
                              v     FAIL, EXPIRE    +-- CANCEL_RUNNING, EXPIRE --> canceled

The row decides, the queue only wakes workers. `attempt` only grows; it is the fence: whatever a worker writes after
its claim names the attempt it claimed, and touches no row once somebody else has the job. `failures` is the budget;
handing back does not spend it. A cancel is honoured until the commit. Times are the database's.

Every transition raises `event_seq` and returns what its event needs; the event itself is told after the commit.
"""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from services.kernel.ledger import SETTLE_CHARGE, SETTLE_RELEASE

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
TERMINAL: tuple[Status, ...] = ("succeeded", "failed", "canceled")
SWEEPER_LOCK = 0x73776565
"""Advisory lock that one sweeper holds at a time, so that two never lock users in different orders."""

_EVENT = "id, user_id, status, attempt, event_seq, step, request, error_code, error_message"

_CREATED = (
    "id, user_id, status, model, request, warnings, price, priority, request_id, retry_of, attempt, step, event_seq,"
    " work, created_at, started_at, finished_at, cancel_requested_at, error_code, error_message"
)


def _hot(sql: str, columns: str) -> sa.TextualSelect:
    """A statement of every request: with its columns named, SQLAlchemy works out how to read its rows once."""
    return sa.text(sql).columns(*(sa.column(name.strip()) for name in columns.split(",")))


ACCOUNT = _hot(
    """
    SELECT users.plan, users.balance, users.held, models.name AS model, models.available, models.minimum_plan,
        models.defaults
    FROM users LEFT JOIN models ON models.name = :model AND (models.user_id IS NULL OR models.user_id = users.id)
    WHERE users.id = :user_id
    ORDER BY models.user_id NULLS LAST LIMIT 1
    FOR NO KEY UPDATE OF users
    """,
    "plan, balance, held, model, available, minimum_plan, defaults",
)
"""The user, locked until the transaction ends, and the model asked for; no row: the user is gone."""

CREATE = _hot(
    f"""
    WITH active AS (
        SELECT count(*) AS count FROM generations WHERE user_id = :user_id AND status IN ('queued', 'running')),
    done AS (
        INSERT INTO generations (id, user_id, status, model, request, warnings, price, priority, work,
            idempotency_key, request_hash, request_id, retry_of, due_at, event_seq)
        SELECT :id, :user_id, 'queued', :model, CAST(:request AS jsonb), CAST(:warnings AS jsonb), :price, :priority,
            :work, :idempotency_key, :request_hash, :request_id, :retry_of,
            now() + :priority * :slice * (active.count + 1) * interval '1 second', 1
        FROM active WHERE active.count < :max_active
        RETURNING *),
    entry AS (
        INSERT INTO credit_entries (user_id, kind, held, business_key, generation_id)
        SELECT user_id, 'hold', price, 'hold:' || id, id FROM done),
    account AS (
        UPDATE users SET held = users.held + done.price, updated_at = now() FROM done WHERE users.id = done.user_id)
    SELECT {_CREATED} FROM done
    """,
    _CREATED,
)
"""Writes the row, the hold and the outbox mark (`published_at` is null); no row: too many are active."""

TO_PUBLISH = sa.text("""
    SELECT id, priority, request_id FROM generations
    WHERE status = 'queued' AND published_at IS NULL AND (attempt > 0 OR created_at < now() - interval '1 second')
    ORDER BY due_at LIMIT :limit
""")
"""Handed back, expired, or left over by a service that died between its commit and its message."""
TO_REPUBLISH = sa.text("""
    SELECT id, priority, request_id FROM generations
    WHERE status = 'queued' AND published_at < now() - :after * interval '1 second'
    ORDER BY due_at LIMIT :limit
""")
PUBLISHED = sa.text("UPDATE generations SET published_at = now() WHERE id = ANY(:ids) AND status = 'queued'")
QUEUED = sa.text("SELECT count(*) FROM generations WHERE status = 'queued'")

CLAIM = sa.text("""
    UPDATE generations SET status = 'running', attempt = attempt + 1, worker = :worker, step = 0,
        lease_expires_at = now() + :lease * interval '1 second', started_at = now(), event_seq = event_seq + 1
    WHERE id = (
        SELECT id FROM generations WHERE status = 'queued' ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, user_id, status, attempt, event_seq, step, model, request, work, price, request_id,
        CAST(EXTRACT(epoch FROM now() - created_at) AS double precision) AS waited
""")
"""Takes the queued job that is due first; no row: nothing to do, or the only one is being marked this moment.

Whoever gets no row while `QUEUED` counts some asks again a moment later: `PUBLISHED` locks a row for an instant.
"""

RENEW = sa.text("""
    UPDATE generations SET lease_expires_at = now() + :lease * interval '1 second', step = :step,
        event_seq = event_seq + CAST(:told AS integer)
    WHERE id = :id AND attempt = :attempt AND status = 'running'
    RETURNING event_seq, cancel_requested_at IS NOT NULL AS cancel
""")
"""Renews the lease and tells progress; no row: the job is somebody else's now."""

COMMIT = sa.text(f"""
    WITH done AS (
        UPDATE generations SET status = 'succeeded', finished_at = now(), duration = now() - started_at,
            lease_expires_at = NULL, step = :step, event_seq = event_seq + 1,
            reaped_at = CASE WHEN attempt = 1 THEN now() END
        WHERE id = :id AND attempt = :attempt AND status = 'running' AND cancel_requested_at IS NULL
        RETURNING *),
    {SETTLE_CHARGE}
    SELECT {_EVENT} FROM done
""")
"""Settles a finished job; its images go into the same transaction. No row: throw the objects away."""

CANCEL_RUNNING = sa.text(f"""
    WITH done AS (
        UPDATE generations SET status = 'canceled', finished_at = now(), duration = now() - started_at,
            lease_expires_at = NULL, event_seq = event_seq + 1
        WHERE id = :id AND attempt = :attempt AND status = 'running' AND cancel_requested_at IS NOT NULL
        RETURNING *),
    {SETTLE_RELEASE}
    SELECT {_EVENT} FROM done
""")

HAND_BACK = sa.text(f"""
    UPDATE generations SET status = 'queued', lease_expires_at = NULL, worker = NULL, published_at = NULL, step = 0,
        event_seq = event_seq + 1
    WHERE id = :id AND attempt = :attempt AND status = 'running'
    RETURNING {_EVENT}
""")

FAIL = sa.text(f"""
    WITH done AS (
        UPDATE generations SET failures = failures + 1, lease_expires_at = NULL, worker = NULL, published_at = NULL,
            step = 0, event_seq = event_seq + 1,
            status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'canceled'
                WHEN :final OR failures + 1 >= :max_failures THEN 'failed' ELSE 'queued' END,
            finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR :final OR failures + 1 >= :max_failures
                THEN now() END,
            duration = now() - started_at,
            error_code = CASE WHEN cancel_requested_at IS NULL THEN :error_code END,
            error_message = CASE WHEN cancel_requested_at IS NULL THEN :error_message END
        WHERE id = :id AND attempt = :attempt AND status = 'running'
        RETURNING *),
    {SETTLE_RELEASE}
    SELECT {_EVENT} FROM done
""")
"""A failure: queued again while the budget lasts and the error is not final, else failed and the hold released."""

EXPIRE = sa.text(f"""
    WITH lost AS (
        SELECT id FROM generations WHERE status = 'running' AND lease_expires_at < now()
        ORDER BY lease_expires_at LIMIT :limit FOR UPDATE SKIP LOCKED),
    done AS (
        UPDATE generations SET failures = failures + 1, lease_expires_at = NULL, worker = NULL, published_at = NULL,
            step = 0, event_seq = event_seq + 1,
            status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'canceled'
                WHEN failures + 1 >= :max_failures THEN 'failed' ELSE 'queued' END,
            finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR failures + 1 >= :max_failures THEN now() END,
            duration = now() - started_at,
            error_code = CASE WHEN cancel_requested_at IS NULL AND failures + 1 >= :max_failures
                THEN 'worker_lost' END,
            error_message = CASE WHEN cancel_requested_at IS NULL AND failures + 1 >= :max_failures
                THEN :error_message END
        FROM lost WHERE generations.id = lost.id
        RETURNING generations.*),
    {SETTLE_RELEASE}
    SELECT {_EVENT} FROM done
""")
"""Jobs whose worker fell silent; run it while holding `SWEEPER_LOCK`."""
WORKER_LOST = "The machine that was making this was lost several times; nothing was charged"
"""What `EXPIRE` tells the user of a job that it fails."""
TRY_SWEEPER_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(:lock)").bindparams(lock=SWEEPER_LOCK)

CANCEL_QUEUED = sa.text(f"""
    WITH done AS (
        UPDATE generations SET status = 'canceled', cancel_requested_at = now(), finished_at = now(),
            event_seq = event_seq + 1
        WHERE id = :id AND user_id = :user_id AND status = 'queued'
        RETURNING *),
    {SETTLE_RELEASE}
    SELECT {_EVENT} FROM done
""")
REQUEST_CANCEL = sa.text("""
    UPDATE generations SET cancel_requested_at = coalesce(cancel_requested_at, now())
    WHERE id = :id AND user_id = :user_id AND status = 'running' RETURNING id
""")
"""Raises the flag that the worker reads at every renewal and obeys at its next step."""

AHEAD = sa.text("""
    SELECT count(ahead.id) + 1 AS position, coalesce(sum(ahead.work), 0) + mine.work AS work
    FROM generations AS mine LEFT JOIN generations AS ahead
        ON ahead.status = 'queued' AND (ahead.due_at, ahead.id) < (mine.due_at, mine.id)
    WHERE mine.id = :id AND mine.status = 'queued' GROUP BY mine.work
""")


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job, as its worker holds it."""

    id: UUID
    user_id: UUID
    attempt: int
    event_seq: int
    model: str
    request: dict[str, Any]
    work: float
    price: int
    request_id: str
    waited: float
    """Seconds from acceptance to this claim."""

    @classmethod
    def of(cls, row: sa.RowMapping) -> "Job":
        return cls(**{name: row[name] for name in cls.__slots__})

    @property
    def folder(self) -> str:
        """Where this attempt's objects go: `images/<generation id>/<attempt>/`."""
        return attempt_folder(self.id, self.attempt)

    @property
    def fence(self) -> dict[str, Any]:
        """The parameters that every write of this attempt carries."""
        return {"id": self.id, "attempt": self.attempt}


def generation_folder(generation_id: UUID | str) -> str:
    return f"images/{generation_id}/"


def attempt_folder(generation_id: UUID | str, attempt: int) -> str:
    return f"images/{generation_id}/{attempt}/"
