"""The worker's SQL: the transitions of `services.kernel.jobs`, each one round trip where one will do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.kernel import jobs
from services.kernel.db import sync_engine
from services.kernel.jobs import Job
from services.kernel.settings import Settings
from services.kernel.tables import images

OUTCOME = sa.text("SELECT status, attempt, event_seq FROM generations WHERE id = :id")
Row = sa.RowMapping


class DatabaseAwayError(Exception):
    """PostgreSQL does not answer. What was asked of it may or may not have happened."""


class Repository:
    """Everything that a worker asks of the database, in the role `worker`."""

    def __init__(self, settings: Settings) -> None:
        self._jobs = settings.jobs
        self._engine = sync_engine(settings, role="worker")
        # A single statement is a transaction of its own; BEGIN and COMMIT would cost a round trip each.
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    def claim(self, worker: str) -> Job | None:
        """Takes the job that is due first."""
        row = self._one(jobs.CLAIM, {"worker": worker, "lease": self._jobs.lease})
        return None if row is None else Job.of(row)

    def waiting(self) -> int:
        """How many jobs are queued."""
        with _mapped(), self._single.connect() as connection:
            return int(connection.execute(jobs.QUEUED).scalar_one())

    def expire(self) -> Sequence[Row]:
        """Ends the leases of silent workers; nothing while another sweeper is at it."""
        with _mapped(), self._engine.begin() as connection:
            if not connection.execute(jobs.TRY_SWEEPER_LOCK).scalar():
                return []
            parameters = {
                "limit": self._jobs.relay_batch,
                "max_failures": self._jobs.max_failures,
                "error_message": jobs.WORKER_LOST,
            }
            return connection.execute(jobs.EXPIRE, parameters).mappings().all()

    def renew(self, job: Job, *, step: int, told: bool) -> Row | None:
        """Prolongs the lease; None: the job is somebody else's."""
        return self._one(jobs.RENEW, {**job.fence, "lease": self._jobs.lease, "step": step, "told": int(told)})

    def commit(self, job: Job, *, step: int, pictures: Sequence[Mapping[str, Any]]) -> Row | None:
        """Settles the job and writes its images, both or neither; None: the job was not ours to commit."""
        with _mapped(), self._engine.begin() as connection:
            row = connection.execute(jobs.COMMIT, {**job.fence, "step": step}).mappings().first()
            if row is not None:
                connection.execute(images.insert(), list(pictures))
            return row

    def committed(self, job: Job) -> int | None:
        """The number of the last event, if this very attempt has succeeded: a commit whose answer was lost."""
        row = self._one(OUTCOME, {"id": job.id})
        if row is None or row["status"] != "succeeded" or row["attempt"] != job.attempt:
            return None
        return int(row["event_seq"])

    def cancel(self, job: Job) -> Row | None:
        return self._one(jobs.CANCEL_RUNNING, job.fence)

    def hand_back(self, job: Job) -> Row | None:
        return self._one(jobs.HAND_BACK, job.fence)

    def fail(self, job: Job, *, code: str, message: str, final: bool) -> Row | None:
        about = {"error_code": code, "error_message": message, "final": final}
        return self._one(jobs.FAIL, {**job.fence, **about, "max_failures": self._jobs.max_failures})

    def close(self) -> None:
        self._engine.dispose()

    def _one(self, statement: sa.TextClause, parameters: Mapping[str, Any]) -> Row | None:
        with _mapped(), self._single.connect() as connection:
            return connection.execute(statement, parameters).mappings().first()


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise DatabaseAwayError(_first_line(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseAwayError(_first_line(error)) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
