"""What an environment asks the cluster for at most: replicas, a rollout's surge, workers, a migration. GiB, cores."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from blueprint.environments import Environment
from blueprint.pools import GPU, Pool
from blueprint.services import SERVICES, Service
from blueprint.worker import WORKER, GpuWorker

SURGE = 0.25
"""A rollout's surge, as a share of a service's replicas."""
MIGRATION_CPU = 0.5
MIGRATION_MEMORY_GIB = 0.5
"""The Job that migrates a schema before a rollout."""


def workers_maximum(environment: Environment, pool: Pool = GPU) -> int:
    """To how many workers KEDA scales: its maximum, the namespace's GPU quota or the pool's GPUs, whichever is least.

    >>> from blueprint.environments import CLUSTER_ENVIRONMENTS
    >>> [workers_maximum(one) for one in CLUSTER_ENVIRONMENTS]
    [3, 10]
    """
    quota = environment.quota.gpu if environment.quota else environment.workers.maximum
    return min(environment.workers.maximum, quota // WORKER.gpu, pool.gpu // WORKER.gpu)


@dataclass(frozen=True, slots=True)
class Maxima:
    """What an environment asks for at most, a rollout's surge and a migration included. CPU in cores, memory in GiB."""

    replicas: int
    workers: int
    cpu: float
    memory_gib: float
    gpu: int
    pods: int


def maxima(
    environment: Environment, *, services: Iterable[Service] | None = None, worker: GpuWorker = WORKER
) -> Maxima:
    """An environment's maxima, whatever its quota and the GPU pool would let it have.

    >>> from blueprint.environments import CLUSTER_ENVIRONMENTS
    >>> both = [maxima(one) for one in CLUSTER_ENVIRONMENTS]
    >>> [(one.cpu, one.memory_gib, one.gpu, one.pods) for one in both]
    [(17.0, 47.0, 3, 39), (50.0, 200.0, 15, 81)]
    """
    every = tuple(services or SERVICES.values())
    workers = environment.workers.maximum
    replicas = ceil(environment.replicas.maximum * (1 + SURGE))
    return Maxima(
        replicas=replicas,
        workers=workers,
        cpu=sum(one.cpu_request for one in every) * replicas + workers * worker.cpu + MIGRATION_CPU,
        memory_gib=sum(one.memory_request_mib for one in every) / 1024 * replicas
        + workers * worker.memory_gib
        + MIGRATION_MEMORY_GIB,
        gpu=workers * worker.gpu,
        pods=len(every) * replicas + workers + 1,
    )
