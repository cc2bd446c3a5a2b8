"""What a busy worker says of its own pod, so that nobody takes its node or its pod while it renders.

    karpenter.sh/do-not-disrupt                    Karpenter leaves the node alone
    controller.kubernetes.io/pod-deletion-cost     scale-in takes cheaper pods first: the idle

Both are set when a job begins and cleared when none has begun for a while, so that back-to-back jobs do not flutter. A
draining worker clears them at once: its job is handed back, and there is nothing left to keep a node for. All of it
happens in a thread of its own, and nothing of it is worth a job: without the marks a disruption costs one hand-back.
"""

import os
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Final, Protocol

import httpx

from blueprint.scaling import SCALING
from blueprint.worker import DELETION_COST, DO_NOT_DISRUPT, SERVICE_ACCOUNT
from services.kernel.logs import get_logger
from services.kernel.settings import Settings

log = get_logger("disruption")
ANSWER_SECONDS = 5.0
PAUSES: Final = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Seconds before the API server is asked again; the last one repeats."""
CLOSE_SECONDS = 2.0
"""How long the end of the process waits for the marks to be cleared; the pod goes anyway."""
MARKS = {DO_NOT_DISRUPT: "true", DELETION_COST: str(SCALING.deletion_cost)}
MERGE_PATCH = "application/merge-patch+json"


class MarkError(Exception):
    """The API server is away or refuses. What was asked of it may have happened all the same."""


class Pod(Protocol):
    """What can be marked."""

    def mark(self, busy: bool) -> None:
        """Sets the marks, or clears them. Raises MarkError."""


class OwnPod:
    """This process's pod. Token and authority are read anew for each request: the kubelet renews them."""

    def __init__(self, address: str, name: str, folder: Path) -> None:
        self._address = address
        self._name = name
        self._folder = folder

    def mark(self, busy: bool) -> None:
        """Sets the marks, or clears them.

        Raises:
            MarkError: the API server is away or refuses.
        """
        body: dict[str, Any] = {"metadata": {"annotations": MARKS if busy else dict.fromkeys(MARKS)}}
        try:
            token, namespace = ((self._folder / file).read_text().strip() for file in ("token", "namespace"))
            trusted = ssl.create_default_context(cafile=str(self._folder / "ca.crt"))
            # Not of the environment: a proxy would see the token.
            with httpx.Client(verify=trusted, timeout=ANSWER_SECONDS, trust_env=False) as client:
                answer = client.patch(
                    f"{self._address}/api/v1/namespaces/{namespace}/pods/{self._name}",
                    json=body,
                    params={"fieldManager": "gpu-worker"},
                    headers={"Authorization": f"Bearer {token}", "Content-Type": MERGE_PATCH},
                )
                answer.raise_for_status()
        except (httpx.HTTPError, OSError) as error:
            raise MarkError(str(error).partition("\n")[0] or type(error).__name__) from error


def own_pod(settings: Settings, folder: Path = Path(SERVICE_ACCOUNT)) -> OwnPod | None:
    """The pod that this process runs in; None outside a cluster, and where the pod has no token."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS", "443")
    if not (host and settings.pod_name and (folder / "token").is_file()):
        return None
    return OwnPod(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", settings.pod_name, folder)


class Disruption:
    """Keeps the pod's marks as they should be. `busy`, `idle` and `drain` return at once, from any thread."""

    def __init__(self, pod: Pod | None, *, idle_seconds: float = SCALING.idle_seconds) -> None:
        self._pod = pod
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._busy = self._draining = self._ended = False
        self._since = time.monotonic()
        self._marked: bool | None = None
        """What the pod says now; None where nobody knows: at the start, since a container before this one in the same
        pod may have died busy, and after an error."""
        self._thread = threading.Thread(target=self._run, name="disruption", daemon=True)

    def start(self) -> None:
        if self._pod is not None:
            self._thread.start()

    def busy(self) -> None:
        """A job begins."""
        self._set(busy=True)

    def idle(self) -> None:
        """It has ended; another may begin at once."""
        self._set(busy=False)

    def drain(self) -> None:
        """This worker ends: whatever it does, it holds neither its pod nor its node."""
        with self._changed:
            self._draining = True
            self._changed.notify()

    def close(self) -> None:
        """Clears the marks, if that is soon done."""
        self.drain()
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _set(self, *, busy: bool) -> None:
        with self._changed:
            if busy != self._busy:
                self._busy, self._since = busy, time.monotonic()
                self._changed.notify()

    def _wanted(self) -> tuple[bool, float]:
        """What the pod should say, and from when."""
        if self._draining:
            return False, 0.0
        return self._busy, self._since if self._busy else self._since + self._idle_seconds

    def _run(self) -> None:
        tries, not_before, hurried = 0, 0.0, False
        while True:
            with self._changed:
                if self._draining and not hurried:
                    not_before, hurried = 0.0, True
                wanted, since = self._wanted()
                if wanted == self._marked:
                    if self._ended:
                        return
                    self._changed.wait()
                    continue
                pause = max(since, not_before) - time.monotonic()
                if pause > 0:
                    self._changed.wait(pause)
                    continue
            error = self._mark(wanted)
            with self._changed:
                self._marked = None if error else wanted
            if error:
                log.warning("pod not marked", busy=wanted, error=error, next_try_seconds=_pause(tries))
                not_before = time.monotonic() + _pause(tries)
                if self._ended:
                    return
            tries = tries + 1 if error else 0

    def _mark(self, busy: bool) -> str | None:
        """Returns what went wrong."""
        try:
            if self._pod is not None:
                self._pod.mark(busy)
        except MarkError as error:
            return str(error)
        except Exception as error:  # the thread must outlive what nobody thought of
            return repr(error)
        return None


def _pause(tries: int) -> float:
    return PAUSES[min(tries, len(PAUSES) - 1)]
