"""Ending well: no new job, the running one handed back at its next step, the process gone in a moment.

SIGTERM (Kubernetes, the studio), SIGINT (Ctrl-C) and SIGQUIT all mean that. Celery's own soft shutdown would sleep its
whole timeout inside the signal handler, however soon the job is handed back, and tells its listeners only afterwards;
so the handlers here take its handlers' place and stop Celery the warm way, which waits for the running task alone. A
step that does not end in time is not waited for: the job is handed back without it, and the process exits.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from blueprint.worker import WORKER
from services.kernel.logs import get_logger

log = get_logger("drain")
PATIENCE = WORKER.soft_shutdown_seconds / 2
"""Seconds until the process exits whatever it is doing: half of what Celery was to get, a third of the pod's grace."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
EX_TEMPFAIL = 75


class Drain:
    """Whether this worker is ending. `request` may be called from a signal handler and from any thread."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._event = threading.Event()
        self._patience = patience
        self._at_the_latest: Callable[[], None] = lambda: None
        self.exit_code = 0

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def request(self, exit_code: int = 0) -> None:
        self.exit_code = self.exit_code or exit_code
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps, unless or until the worker ends; True: it ends."""
        return self._event.wait(seconds)

    def install(self, stop: Callable[[int], None], at_the_latest: Callable[[], None]) -> None:
        """Takes over the signals; from the main thread.

        Args:
            stop: tells Celery to end, with an exit code; called in a thread of its own.
            at_the_latest: hands back what still runs when patience ends, before the process exits.
        """
        self._at_the_latest = at_the_latest
        threading.Thread(target=self._watch, args=(stop,), name="drain", daemon=True).start()
        for number in SIGNALS:
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and self.requested:
            os._exit(128 + number)  # a second Ctrl-C; the lease takes care of the job
        self._event.set()

    def _watch(self, stop: Callable[[int], None]) -> None:
        self._event.wait()
        log.info("draining")
        stop(self.exit_code)
        time.sleep(self._patience)
        log.warning("the running step did not end in time", seconds=self._patience)
        try:
            self._at_the_latest()
        finally:
            sys.stdout.flush()
            os._exit(EX_TEMPFAIL)
