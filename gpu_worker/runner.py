"""From a wake-up to the end of a job, whatever that is.

claim -> render, encode, upload -> commit      succeeded
      -> canceled by its user                  canceled, objects dropped
      -> lease lost                            nothing: the job is somebody else's; objects dropped
      -> this worker ends                      handed back, objects dropped
      -> an error                              queued again, or failed when it is final or the budget is spent
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gpu_worker.attempt import Attempt, Picture
from gpu_worker.disruption import Disruption
from gpu_worker.drain import EX_TEMPFAIL, Drain
from gpu_worker.heartbeat import CanceledError, DrainingError, Heartbeat, LostError, Watch
from gpu_worker.models.cache import ModelCache
from gpu_worker.models.errors import DeviceLostError, ModelUnavailableError, OutOfMemoryError
from gpu_worker.pace import Pace
from gpu_worker.presence import Presence
from gpu_worker.repository import DatabaseAwayError, Repository, Row
from services.kernel import events, redis
from services.kernel.jobs import Job
from services.kernel.keys import Keys
from services.kernel.logs import bound_contextvars, get_logger
from services.kernel.metrics import WorkerMetrics
from services.kernel.settings import Settings
from services.kernel.storage import Storage, StorageUnavailableError

log = get_logger("runner")
T = TypeVar("T")
ASK_AGAIN: Final = (0.0, 0.02, 0.05, 0.1)
"""Seconds before each new claim while jobs wait that could not be had: their rows were locked for a moment."""
AWAY_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between two tries of a database that is away; the last one repeats."""
FAILURE_PAUSE = 1.0
"""Seconds before the next job after a failure that may pass: a store's short absence must not eat three attempts."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: a stable code, and a sentence that its user reads."""

    code: str
    message: str
    final: bool = False


class Runner:
    """What a worker does with its jobs, one at a time. `wake` is called in the pool's thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        name: str,
        models: ModelCache,
        drain: Drain,
        presence: Presence,
        disruption: Disruption,
        metrics: WorkerMetrics,
    ) -> None:
        self._jobs = settings.jobs
        self._name = name
        self._models = models
        self._drain = drain
        self._presence = presence
        self._disruption = disruption
        self._metrics = metrics
        self._keys = Keys(settings.env)
        self._repository = Repository(settings)
        self._storage = Storage(settings.storage_url)
        self._redis = redis.client(settings.redis_url.get_secret_value())
        self._pace = Pace(self._redis, self._keys)
        self._uploads = ThreadPoolExecutor(4, thread_name_prefix="upload")
        self._current: Job | None = None

    def wake(self, tag: str) -> bool:
        """Works on the job that is due first, if one is; False: this worker ends and another should look.

        `tag` is the wake-up's, by which its transport keeps it until it is acknowledged.
        """
        self._presence.take(tag)
        try:
            claimed = self._claim()
            if claimed is None:
                return not self._drain.requested
            job, asked = claimed
            self._disruption.busy()
            with bound_contextvars(request_id=job.request_id, generation=str(job.id), attempt=job.attempt):
                self._current = job
                self._work(job, asked)
            return True
        finally:
            self._current = None
            self._disruption.idle()
            self._presence.idle()

    def abandon(self) -> None:
        """Hands back what runs, without its thread's help: called when that thread does not end."""
        job = self._current
        if job is not None:
            self._tell(self._repository.hand_back(job))

    def close(self) -> None:
        self._uploads.shutdown()
        self._repository.close()
        self._redis.close()

    def _claim(self) -> tuple[Job, float] | None:
        """The job and the moment, no later than the database's, from which its lease counts."""
        tries = 0
        while not self._drain.requested:
            try:
                return self._claim_once()
            except DatabaseAwayError as error:
                # The wake-up is kept meanwhile: acknowledged it would be lost to the jobs that wait.
                log.warning("no claim", error=str(error))
                self._drain.wait(AWAY_PAUSES[min(tries, len(AWAY_PAUSES) - 1)])
                tries += 1
        return None

    def _claim_once(self) -> tuple[Job, float] | None:
        claimed = self._try_claim()
        if claimed is not None:
            return claimed
        for row in self._repository.expire():
            log.warning("lease expired", generation=str(row["id"]), status=row["status"])
            self._tell(row)
        for pause in ASK_AGAIN:
            if not self._repository.waiting():
                return None
            time.sleep(pause)
            claimed = self._try_claim()
            if claimed is not None:
                return claimed
        return None

    def _try_claim(self) -> tuple[Job, float] | None:
        asked = time.monotonic()
        job = self._repository.claim(self._name)
        return None if job is None else (job, asked)

    def _work(self, job: Job, asked: float) -> None:
        begun = time.monotonic()
        if job.attempt == 1:
            self._metrics.waited.observe(job.waited)
        steps = job.request.get("steps", 0) * job.request.get("n", 1)
        watch = Watch(self._drain, leased_until=asked + self._jobs.lease, steps=steps)
        self._tell_progress(job, job.event_seq, 0)
        attempt: Attempt | None = None
        status = "lost"
        try:
            attempt = Attempt(
                job, models=self._models, storage=self._storage, uploads=self._uploads, presence=self._presence
            )
            attempt.timing.spent["claim"] = (begun - asked) * 1000
            with self._heartbeat(job, watch) as heartbeat:
                pictures = attempt.make(heartbeat, watch)
            with attempt.timing.of("commit"):
                status = self._commit(attempt, pictures)
        except CanceledError:
            status = self._end(job, lambda: self._repository.cancel(job))
        except LostError:
            log.warning("job lost to another worker")
        except DrainingError:
            status = self._end(job, lambda: self._repository.hand_back(job))
        except Exception as error:
            status = self._fail(job, self._failure(error))
        if status != "succeeded" and attempt is not None and status != "unknown":
            attempt.drop()
        self._measure(job, attempt, status, time.monotonic() - begun)
        if status == "queued":
            self._drain.wait(FAILURE_PAUSE)

    def _heartbeat(self, job: Job, watch: Watch) -> Heartbeat:
        def tell(seq: int, step: int, eta: float | None, preview: str | None) -> None:
            self._tell_progress(job, seq, step, eta_seconds=eta, preview=preview)

        return Heartbeat(self._repository, job, watch, tell, lease=self._jobs.lease, renew=self._jobs.renew)

    def _commit(self, attempt: Attempt, pictures: list[Picture]) -> str:
        """Returns the status that the row has now, or "unknown": the objects are then left to the reaper."""
        job, steps = attempt.job, attempt.request.total_steps
        try:
            row = self._patiently(lambda: self._repository.commit(job, step=steps, pictures=pictures))
            if row is None:
                # No row may also be the second answer to a commit whose first answer was lost on the way.
                seq = self._patiently(lambda: self._repository.committed(job))
                if seq is None:
                    return self._end(job, lambda: self._repository.cancel(job))
                done = _succeeded(job, seq, steps)
            else:
                done = dict(row)
        except DatabaseAwayError as error:
            log.error("commit given up", error=str(error))
            return "unknown"
        images = [events.image(picture) for picture in pictures]
        events.tell(self._redis, self._keys, events.event(done, images=images))
        return "succeeded"

    def _fail(self, job: Job, failure: Failure) -> str:
        code, message, final = failure.code, failure.message, failure.final
        return self._end(job, lambda: self._repository.fail(job, code=code, message=message, final=final))

    def _failure(self, error: Exception) -> Failure:
        """What a user is told of an error, and whether trying again may help."""
        if isinstance(error, ModelUnavailableError):
            log.error("model unavailable", reason=str(error))
            return Failure("model_unavailable", f"{error}. Nothing was charged; choose another model", final=True)
        if isinstance(error, StorageUnavailableError):
            log.error("storage unavailable", error=error.detail)
            return Failure(
                "storage_unavailable", "The picture could not be stored. Nothing was charged; try again later"
            )
        if isinstance(error, OutOfMemoryError):
            evicted = self._models.shrink()
            log.error("out of memory", error=str(error), evicted=evicted)
            message = "The picture needs more memory than there is. Nothing was charged; try a smaller size"
            return Failure("out_of_memory", message, final=not evicted)
        if isinstance(error, DeviceLostError):
            # Every further job would fail in this process; a new one starts with the device as it should be.
            self._drain.request(EX_TEMPFAIL)
        log.error("render failed", exc_info=error)
        return Failure(
            "render_failed", "Something went wrong while making this picture. Nothing was charged; try again"
        )

    def _end(self, job: Job, transition: Callable[[], Row | None]) -> str:
        """Makes a transition that ends the attempt; returns the status that the row has, as far as we know."""
        try:
            row = self._patiently(transition)
        except DatabaseAwayError as error:
            log.error("end of the attempt not written", error=str(error))
            return "lost"
        if row is None:
            log.warning("job lost to another worker")
            return "lost"
        self._tell(row)
        return str(row["status"])

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Asks until the database answers, for as long as a lease lasts; the fence decides what is still ours."""
        until, tries = time.monotonic() + self._jobs.lease, 0
        while True:
            try:
                return ask()
            except DatabaseAwayError as error:
                pause = AWAY_PAUSES[min(tries, len(AWAY_PAUSES) - 1)]
                if time.monotonic() + pause > until:
                    raise
                log.warning("database away", error=str(error))
                time.sleep(pause)
                tries += 1

    def _tell(self, row: Row | None) -> None:
        if row is not None:
            events.tell(self._redis, self._keys, events.event(row))

    def _tell_progress(self, job: Job, seq: int, step: int, **more: Any) -> None:
        row = {"id": job.id, "event_seq": seq, "status": "running", "step": step, "request": job.request}
        events.tell(self._redis, self._keys, events.event(row, **more))

    def _measure(self, job: Job, attempt: Attempt | None, status: str, seconds: float) -> None:
        timing = attempt.timing.fields if attempt else {}
        waited = round(job.waited, 3)
        log.info("attempt ended", status=status, model=job.model, seconds=round(seconds, 3), waited=waited, **timing)
        self._metrics.duration.labels(job.model, status).observe(seconds)
        if status == "succeeded" and attempt is not None:
            self._metrics.images.labels(job.model).inc(attempt.request.n)
            self._metrics.credits.labels(job.model).inc(job.price)
            self._pace.measured(job.model, attempt.timing.spent["render"] / 1000, job.work)


def _succeeded(job: Job, seq: int, steps: int) -> dict[str, Any]:
    return {"id": job.id, "event_seq": seq, "status": "succeeded", "step": steps, "request": job.request}
