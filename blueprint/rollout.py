"""How the services' pods come and go without a request being lost: probes, drain, surge, disruption, autoscaling.

Seconds unless a name says otherwise. docs/kubernetes/rollout.md tells the order of events; `check` holds the
arithmetic between these numbers, the load balancer's and the services' own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from blueprint.edge import LOAD_BALANCER, LoadBalancer
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.maxima import SURGE
from blueprint.pools import GENERAL, Pool
from blueprint.rules import demand
from blueprint.services import HTTP, SERVICES, HttpLimits

SPOT_NOTICE = 120
"""From EC2's interruption notice to the end of a Spot node (EC2 user guide, "Spot Instance interruption notices")."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One of a container's probes over HTTP."""

    path: str
    period: int
    timeout: int
    failures: int

    @property
    def window(self) -> int:
        """After how long without a good answer it has failed."""
        return self.period * self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A pod's life. Of the three probes only liveness and startup end a container, and neither asks what lies outside
    it: a database that is away, or a schema that is not migrated yet, takes pods out of the load balancer and must not
    restart them.
    """

    startup: Probe = Probe("/healthz", period=2, timeout=2, failures=60)
    readiness: Probe = Probe("/readyz", period=5, timeout=4, failures=3)
    liveness: Probe = Probe("/healthz", period=10, timeout=5, failures=3)
    deregistration_reaction: int = 5
    """What the load balancer controller takes, at worst, to see that a pod ends and to tell ELB."""
    pre_stop: int = 30
    """The pod serves on for so long after it was told to end: until ELB has stopped sending and ended what it held."""
    exit_reserve: int = 5
    """After the last request: closing pools, writing the last log line."""
    grace: int = 60
    """terminationGracePeriodSeconds; SIGKILL follows."""
    drain_reaction: int = 20
    """What passes, at worst, between a Spot notice and the eviction of the node's last pod that may go at once."""
    progress_deadline: int = 300
    """Without one more pod in service for so long, a rollout counts as failed; ArgoCD then shows it as degraded."""
    disrupted: float = 0.25
    """The share of a service that drains may take at once, rounded up: never none, or no node could be drained."""
    history: int = 3
    """Old ReplicaSets that are kept, to go back to."""
    tmp_mib: int = 64
    """What /tmp, the only place that can be written, may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """The HorizontalPodAutoscaler of a service, on CPU as a share of the request, which is half of the limit."""

    cpu_percent: int = 70
    up_percent: int = 100
    up_pods: int = 2
    up_period: int = 30
    """It grows at once, by `up_percent` or `up_pods` in `up_period`, whichever is more."""
    down_percent: int = 25
    down_period: int = 60
    down_stabilization: int = 300
    """It shrinks by the largest need of the last five minutes, a quarter a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseJobs:
    """Migrations and the bootstrap: Jobs that ArgoCD runs in a sync."""

    retries: int = 3
    """Pods after the first; Kubernetes waits 10, 20 and 40 s before them."""
    deadline: int = 600
    """After which the Job has failed, and with it the sync."""
    lock_wait: int = 10
    """How long a migration waits for a table before it gives up and is tried again: whoever asks for a table after it
    waits behind it, the services too. Source: PostgreSQL documentation, "lock_timeout"."""


ROLLOUT = Rollout()
JOB = DatabaseJobs()
AUTOSCALING = Autoscaling()


def surge(replicas: int) -> int:
    """How many pods a rollout adds at a time; Kubernetes rounds up.

    >>> surge(1), surge(2), surge(10)
    (1, 1, 3)
    """
    return ceil(replicas * SURGE)


def in_service_after(rollout: Rollout = ROLLOUT, balancer: LoadBalancer = LOAD_BALANCER) -> int:
    """Seconds, at most, from a container's start until its pod counts as ready: it is up, asked once more, registered
    and healthy for the load balancer, whose readiness gate the rollout waits for.

    >>> in_service_after()
    150
    """
    return (
        rollout.startup.window
        + rollout.readiness.period
        + rollout.deregistration_reaction
        + balancer.health_interval * balancer.healthy_threshold
    )


def drained_after(rollout: Rollout = ROLLOUT, http: HttpLimits = HTTP) -> int:
    """Seconds, at most, from the word to end until the process has ended by itself.

    >>> drained_after()
    60
    """
    return rollout.pre_stop + http.graceful_shutdown_seconds + rollout.exit_reserve


def rolled_out_after(replicas: int, rollout: Rollout = ROLLOUT) -> int:
    """Seconds, at most, that a rollout takes whose pods all start: in steps of the surge, the last pod's end included.

    >>> rolled_out_after(2), rolled_out_after(10)
    (360, 660)
    """
    return ceil(replicas / surge(replicas)) * in_service_after(rollout) + drained_after(rollout)


def check(
    rollout: Rollout = ROLLOUT,
    autoscaling: Autoscaling = AUTOSCALING,
    *,
    http: HttpLimits = HTTP,
    balancer: LoadBalancer = LOAD_BALANCER,
    general: Pool = GENERAL,
    environments: Iterable[Environment] = CLUSTER_ENVIRONMENTS,
) -> None:
    """The rules between these numbers; synthesis asks before it makes a service of them.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    _check_end(rollout, http, balancer, general)
    _check_probes(rollout, http, balancer)
    demand(SURGE > 0, "cluster.SURGE", SURGE, "must be above 0: no pod may be missing, so a rollout must add one first")
    demand(
        rollout.progress_deadline > in_service_after(rollout, balancer),
        "rollout.progress_deadline",
        rollout.progress_deadline,
        f"a pod may take {in_service_after(rollout, balancer)} s until it is in service",
    )
    _check_scaling(autoscaling)
    for environment in environments:
        _check_replicas(rollout, environment)


def _check_end(rollout: Rollout, http: HttpLimits, balancer: LoadBalancer, general: Pool) -> None:
    deregistered = balancer.deregistration_delay + rollout.deregistration_reaction
    demand(
        rollout.pre_stop > deregistered,
        "rollout.pre_stop",
        rollout.pre_stop,
        f"must be above {deregistered} s, in which ELB takes the pod out: a process that ends earlier refuses requests",
    )
    demand(
        rollout.grace >= drained_after(rollout, http),
        "rollout.grace",
        rollout.grace,
        f"is less than preStop, graceful shutdown and exit take: {drained_after(rollout, http)} s",
    )
    demand(
        rollout.grace + rollout.drain_reaction <= SPOT_NOTICE,
        "rollout.grace",
        rollout.grace,
        f"with {rollout.drain_reaction} s until it begins, does not fit a Spot notice of {SPOT_NOTICE} s",
    )
    demand(
        general.grace_seconds is None or general.grace_seconds >= rollout.grace,
        "cluster.general.grace_seconds",
        general.grace_seconds,
        f"would end services' pods before their {rollout.grace} s are over",
    )
    demand(
        http.keep_alive_seconds > balancer.idle_timeout,
        "services.HTTP.keep_alive_seconds",
        http.keep_alive_seconds,
        f"must outlast the load balancer's idle timeout, {balancer.idle_timeout} s: it reuses connections",
    )


def _check_probes(rollout: Rollout, http: HttpLimits, balancer: LoadBalancer) -> None:
    checks = http.readiness_check_seconds
    for name, timeout in (
        ("rollout.readiness.timeout", rollout.readiness.timeout),
        ("edge.LOAD_BALANCER.health_timeout", balancer.health_timeout),
    ):
        demand(timeout > checks, name, timeout, f"must leave /readyz its {checks:g} s to ask the database")
    for name in ("startup", "readiness", "liveness"):
        probe: Probe = getattr(rollout, name)
        demand(probe.timeout <= probe.period, f"rollout.{name}.timeout", probe.timeout, "must not exceed the period")
    demand(
        rollout.liveness.window > rollout.readiness.window,
        "rollout.liveness",
        rollout.liveness.window,
        f"must be slower than readiness, {rollout.readiness.window} s: a pod leaves the traffic before it is restarted",
    )


def _check_scaling(autoscaling: Autoscaling) -> None:
    for service in SERVICES.values():
        reachable = 100 * service.cpu / service.cpu_request
        demand(
            0 < autoscaling.cpu_percent < reachable,
            "autoscaling.cpu_percent",
            autoscaling.cpu_percent,
            f"must be below {reachable:g}, the limit of {service.title}, or it never scales",
        )


def _check_replicas(rollout: Rollout, environment: Environment) -> None:
    replicas, name = environment.replicas, f"environments.{environment.name}.replicas"
    demand(replicas.minimum >= 1, f"{name}.minimum", replicas.minimum, "must be 1 or more")
    demand(replicas.maximum >= replicas.minimum, f"{name}.maximum", replicas.maximum, "is below the minimum")
    demand(
        ceil(replicas.minimum * rollout.disrupted) >= 1,
        "rollout.disrupted",
        rollout.disrupted,
        "must be above 0, or a node with a service's pod can never be drained",
    )
