"""What keeps a running job ours, and what its steps may cost: nothing.

The step callback stores two references and looks at three flags. A thread beside it renews the lease every
`renew` seconds, learns of a cancel, and tells progress with a preview.
"""

import base64
import io
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

from PIL.Image import Image

from blueprint.jobs import JOBS
from gpu_worker.drain import Drain
from gpu_worker.repository import DatabaseAwayError, Repository
from services.kernel.jobs import Job
from services.kernel.logs import bind_contextvars, get_logger

log = get_logger("heartbeat")
Look = Callable[[int, Any, Any, int], Image | None]
"""See `gpu_worker.models.model.Model.preview`."""
Tell = Callable[[int, int, float | None, str | None], None]
"""Tells progress: number of the event, step, seconds left, preview as a data URL."""
JOIN_SECONDS = 10


class StoppedError(Exception):
    """Ends a rendering on purpose; raised out of the step callback."""


class CanceledError(StoppedError):
    """Its user asked for it."""


class LostError(StoppedError):
    """The job is somebody else's, or surely expired."""


class DrainingError(StoppedError):
    """This worker ends."""


class Shot(NamedTuple):
    """Where the rendering stands: all steps so far, those of the current image, its latents now and a step ago."""

    total: int
    step: int
    latents: Any
    earlier: Any


class Watch:
    """What the rendering thread and the heartbeat know of each other. Attributes are replaced whole, never changed."""

    def __init__(self, drain: Drain, *, leased_until: float, steps: int) -> None:
        self.shot = Shot(0, 0, None, None)
        self.first_step_at: float | None = None
        self.leased_until = leased_until
        """On this process's monotonic clock, counted from before the database was asked: the row's is no earlier."""
        self.steps = steps
        self.canceled = False
        self.lost = False
        self._drain = drain

    def on_step(self, done: int, step: int, latents: Any) -> None:
        """After every denoising step: `done` of all images' steps, `step` of this image's.

        Raises:
            StoppedError: the rendering is to end.
        """
        before = self.shot
        self.shot = Shot(done, step, latents, before.latents if step > 1 else None)
        if self.first_step_at is None:
            self.first_step_at = time.monotonic()
        self.check()

    def check(self) -> None:
        """Raises the StoppedError that fits, if one does."""
        if self.lost or time.monotonic() > self.leased_until:
            raise LostError
        if self.canceled:
            raise CanceledError
        if self._drain.requested:
            raise DrainingError

    def seconds_left(self) -> float | None:
        """From this job's own pace; None before its second step."""
        done, started = self.shot.total, self.first_step_at
        if started is None or done < 2:
            return None
        return round((time.monotonic() - started) / (done - 1) * (self.steps - done), 1)


class Heartbeat:
    """A thread for the time of one job: `with Heartbeat(...) as heartbeat:`."""

    def __init__(
        self, repository: Repository, job: Job, watch: Watch, tell: Tell, *, lease: float, renew: float
    ) -> None:
        self.look: Look | None = None
        """Set when the model is loaded."""
        self._repository = repository
        self._job = job
        self._watch = watch
        self._tell = tell
        self._lease = lease
        self._renew = renew
        self._told = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Returns when no more progress will be told, so that the end of the job is its last event."""
        self._ended.set()
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        bind_contextvars(request_id=self._job.request_id, generation=str(self._job.id))
        while not self._ended.wait(self._renew):
            try:
                self._beat()
            except DatabaseAwayError as error:
                log.warning("lease not renewed", error=str(error))
            except Exception as error:  # the job goes on; without renewals it ends as lost
                log.error("heartbeat failed", exc_info=error)
            if self._watch.lost:
                return

    def _beat(self) -> None:
        watch, shot = self._watch, self._watch.shot
        told = shot.total > self._told
        asked = time.monotonic()
        row = self._repository.renew(self._job, step=shot.total, told=told)
        if row is None:
            watch.lost = True
            return
        watch.leased_until = asked + self._lease
        watch.canceled = watch.canceled or row["cancel"]
        if told:
            self._told = shot.total
            self._tell(row["event_seq"], shot.total, watch.seconds_left(), self._preview(shot))

    def _preview(self, shot: Shot) -> str | None:
        if self.look is None or shot.latents is None:
            return None
        try:
            picture = self.look(shot.step, shot.latents, shot.earlier, JOBS.preview_side)
        except Exception as error:  # a preview is never worth a job
            log.warning("no preview", error=repr(error))
            return None
        if picture is None:
            return None
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=60, method=0)
        return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
