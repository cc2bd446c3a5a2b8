"""How the GPU workers follow the queue: from none to `blueprint.maxima.workers_maximum` of an environment. Seconds.

The queue's length is every wake-up that waits and every one that is being worked on; a worker has one at a time.
"""

from dataclasses import dataclass

from blueprint.jobs import JOBS
from blueprint.rollout import ROLLOUT, SPOT_NOTICE
from blueprint.rules import demand
from blueprint.worker import WORKER


@dataclass(frozen=True, slots=True)
class Scaling:
    """Between 0 and 1 KEDA decides, by `polling` and `cooldown`; from 1 up the HPA does, by `scale_down`."""

    jobs_per_worker: int = 1
    """Wake-ups that one worker is started for, those it works on included. A node costs less than a wait: a job of one
    picture takes seconds, and a worker that finds nothing to do is the first to go."""
    polling_seconds: int = 10
    """Each look is one short command a priority."""
    cooldown_seconds: int = 300
    """From the last wake-up to no worker at all. A cold start takes minutes, and people draw more than one picture."""
    initial_cooldown_seconds: int = 0
    """A new ScaledObject finds no worker: there is none to keep."""
    scale_up_seconds: int = 0
    """A wake-up that waits is no flutter."""
    scale_up_period_seconds: int = 15
    """Within one period all workers may be asked for: the HPA looks once in 15 seconds."""
    scale_down_seconds: int = 120
    """For how long the queue must have been shorter before the HPA takes workers."""
    scale_down_pods: int = 1
    scale_down_period_seconds: int = 60
    """One worker a minute: an idle node is worth less than the cold start of the next burst."""
    idle_seconds: float = 5.0
    """How long a worker stays marked as busy after a job: back-to-back jobs are one stretch of work."""
    deletion_cost: int = 1000
    """pod-deletion-cost of a busy worker; without the annotation it is 0, and the lower goes first."""


SCALING = Scaling()


def check(scaling: Scaling = SCALING) -> None:
    """The rules between these numbers.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    demand(scaling.jobs_per_worker >= 1, "scaling.jobs_per_worker", scaling.jobs_per_worker, "must be 1 or more")
    demand(scaling.polling_seconds >= 1, "scaling.polling_seconds", scaling.polling_seconds, "must be 1 or more")
    demand(
        scaling.cooldown_seconds >= JOBS.lease + JOBS.sweep + scaling.polling_seconds,
        "scaling.cooldown_seconds",
        scaling.cooldown_seconds,
        f"must outlast the {JOBS.lease + JOBS.sweep:g} s after which a lost job is queued again, and one look",
    )
    demand(
        scaling.scale_down_seconds > scaling.idle_seconds + scaling.polling_seconds,
        "scaling.scale_down_seconds",
        scaling.scale_down_seconds,
        f"must outlast a worker's {scaling.idle_seconds:g} s of idleness and one look, or marks lag behind the choice",
    )
    demand(
        scaling.deletion_cost > 0,
        "scaling.deletion_cost",
        scaling.deletion_cost,
        "must be above 0, which is what a pod without the annotation costs",
    )
    left = SPOT_NOTICE - ROLLOUT.drain_reaction
    demand(
        WORKER.grace_seconds <= left,
        "worker.grace_seconds",
        WORKER.grace_seconds,
        f"is more than is left of a Spot notice once Karpenter has read it, {left} s",
    )
    demand(
        WORKER.soft_shutdown_seconds < WORKER.grace_seconds,
        "worker.soft_shutdown_seconds",
        WORKER.soft_shutdown_seconds,
        f"must be below the grace, {WORKER.grace_seconds} s, or the kubelet kills what still hands back",
    )
    demand(
        WORKER.visibility_timeout_seconds >= JOBS.lease,
        "worker.visibility_timeout_seconds",
        WORKER.visibility_timeout_seconds,
        "must be no shorter than a lease, or the wake-up of a worker that lives is delivered again",
    )
