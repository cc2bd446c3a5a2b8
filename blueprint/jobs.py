"""The job protocol's numbers. Seconds unless a name says otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobProtocol:
    """How long a worker may hold a job, how often it says so, and how often a job may fail.

    A lease outlives two lost renewals; the sweeper looks twice a lease, so that the work of a dead worker
    starts again within `lease + sweep` seconds.
    """

    lease: float = 30.0
    renew: float = 0.5
    """Also how often progress is told and the cancel flag is read; the callback of every step sees the answer."""
    sweep: float = 5.0
    republish_after: float = 5.0
    max_failures: int = 3
    fairness_slice: float = 5.0
    """A job is due `priority * slice * rank` after it came, its rank counting its user's unfinished jobs and itself;
    workers take the job that is due first. A user's hundredth job so stands behind everybody else's first, a better
    plan is due sooner, and no job waits for later ones for ever."""
    relay_batch: int = 200
    events_kept: int = 400
    """Entries of the capped event stream of one generation."""
    events_ttl: int = 3600
    preview_side: int = 96
    """Longest side of a preview in pixels."""
    thumbnail_side: int = 256
    reap_after: float = 60.0
    """How long after its end a job's folder is searched for what a dead worker left; beyond any lease."""
    worker_seen: float = 15.0
    """A worker counts as alive this long after its last sign."""


JOBS = JobProtocol()


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a text-to-image request may ask on any plan; plans narrow it further. Sizes in pixels."""

    prompt_characters: int = 2_000
    side_minimum: int = 64
    side_multiple: int = 8
    steps_minimum: int = 1
    guidance_maximum: float = 30.0
    seed_maximum: int = 2**53 - 1
    """The largest integer that JSON readers in browsers keep exact."""
    idempotency_key_characters: int = 255


REQUEST = RequestLimits()
