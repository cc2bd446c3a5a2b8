"""Every pod at its maximum: who asks for how much, how many there are, and where they may run."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from blueprint.allocatable import Amount, asked
from blueprint.cluster import SYSTEM, SystemNodes
from blueprint.components import COMPONENTS, Component, Place
from blueprint.data import AURORA, Aurora
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.in_cluster import IN_CLUSTER_REDIS, NGINX, NGINX_NAME, REDIS_NAME
from blueprint.instances import InstanceType
from blueprint.maxima import MIGRATION_CPU, MIGRATION_MEMORY_GIB, SURGE, workers_maximum
from blueprint.network import NETWORK, Network
from blueprint.pools import GENERAL, GPU, Pool
from blueprint.services import SERVICES, Service
from blueprint.worker import WORKER, GpuWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The numbers that a proof is made of; `PLAN` is the blueprint's own."""

    system: SystemNodes = SYSTEM
    gpu: Pool = GPU
    general: Pool = GENERAL
    worker: GpuWorker = WORKER
    services: tuple[Service, ...] = tuple(SERVICES.values())
    environments: tuple[Environment, ...] = CLUSTER_ENVIRONMENTS
    components: tuple[Component, ...] = tuple(COMPONENTS.values())
    network: Network = NETWORK
    aurora: Aurora = AURORA
    in_cluster: bool = False
    """Whether edge and cache are pods (`blueprint.in_cluster`, which also counts them in the quotas)."""

    def types(self, place: Place) -> tuple[InstanceType, ...]:
        """The node types of a place, of both architectures."""
        if place == "system":
            return tuple(one for types in self.system.types.values() for one in types)
        return self.gpu.types if place == "gpu" else self.general.types

    def replicas(self, environment: Environment) -> int:
        """A service's most replicas, those of a rollout's surge included."""
        return ceil(environment.replicas.maximum * (1 + SURGE))


PLAN = Plan()
Settings = Mapping[str, tuple[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Equal pods. `settings` are the numbers of the blueprint that say what one asks for, by the field of `Amount`.

    `place` is where they are counted; what selects no node may run on system nodes as well, which need not hold it.
    """

    name: str
    namespace: str
    place: Place
    asks: Amount
    count: int
    settings: Settings

    def setting(self, field: str) -> tuple[str, object]:
        """The number to change where a node lacks this, and what it is."""
        return self.settings.get(field, (self.name, self.count))


def loads(plan: Plan = PLAN) -> tuple[Load, ...]:
    """Everything but DaemonSets. Both environments roll out and migrate at the same time, and all runners run."""
    return (*_applications(plan), *_components(plan), *(_edge_and_cache(plan) if plan.in_cluster else ()))


def _applications(plan: Plan) -> tuple[Load, ...]:
    found: list[Load] = []
    for environment in plan.environments:
        found += [_service(one, environment, plan.replicas(environment)) for one in plan.services]
        found.append(_worker(plan.worker, environment, workers_maximum(environment, plan.gpu)))
        found.append(_job("migrations", environment.namespace))
    return (*found, _job("database-bootstrap", "bootstrap"))


def _service(service: Service, environment: Environment, count: int) -> Load:
    name = f"services.{service.name}"
    return Load(
        name=service.title,
        namespace=environment.namespace,
        place="general",
        asks=Amount(cpu=round(service.cpu_request * 1000), memory=service.memory_request_mib, pods=1),
        count=count,
        settings=MappingProxyType(
            {"cpu": (f"{name}.cpu", service.cpu), "memory": (f"{name}.memory_mib", service.memory_mib)}
        ),
    )


def _worker(worker: GpuWorker, environment: Environment, count: int) -> Load:
    return Load(
        name="gpu-worker",
        namespace=environment.namespace,
        place="gpu",
        asks=Amount(cpu=round(worker.cpu * 1000), memory=worker.memory_gib * 1024, pods=1, gpu=worker.gpu),
        count=count,
        settings=MappingProxyType(
            {
                "cpu": ("worker.cpu", worker.cpu),
                "memory": ("worker.memory_gib", worker.memory_gib),
                "gpu": ("worker.gpu", worker.gpu),
            }
        ),
    )


def _job(name: str, namespace: str) -> Load:
    return Load(
        name=name,
        namespace=namespace,
        place="general",
        asks=Amount(cpu=round(MIGRATION_CPU * 1000), memory=round(MIGRATION_MEMORY_GIB * 1024), pods=1),
        count=1,
        settings=MappingProxyType(
            {
                "cpu": ("cluster.MIGRATION_CPU", MIGRATION_CPU),
                "memory": ("cluster.MIGRATION_MEMORY_GIB", MIGRATION_MEMORY_GIB),
            }
        ),
    )


def _edge_and_cache(plan: Plan) -> tuple[Load, ...]:
    caches = tuple(
        Load(
            name=REDIS_NAME,
            namespace=one.namespace,
            place="general",
            asks=Amount(
                cpu=round(redis.cpu_total / redis.nodes * 1000),
                memory=round(redis.memory_total_gib / redis.nodes * 1024),
                pods=1,
            ),
            count=redis.nodes,
            settings=MappingProxyType(
                {
                    "cpu": (f"in_cluster.redis.{one.name}.cpu", redis.cpu),
                    "memory": (f"in_cluster.redis.{one.name}.memory_mib", redis.memory_mib),
                }
            ),
        )
        for one in plan.environments
        for redis in (IN_CLUSTER_REDIS[one.name],)
    )
    nginx = Load(
        name=NGINX_NAME,
        namespace=NGINX_NAME,
        place="general",
        asks=Amount(cpu=round(NGINX.cpu * 1000), memory=NGINX.memory_mib, pods=1),
        count=NGINX.replicas,
        settings=MappingProxyType(
            {
                "cpu": ("in_cluster.nginx.cpu", NGINX.cpu),
                "memory": ("in_cluster.nginx.memory_mib", NGINX.memory_mib),
            }
        ),
    )
    return (*caches, nginx)


def _components(plan: Plan) -> tuple[Load, ...]:
    return tuple(
        Load(
            name=one.name,
            namespace=one.namespace,
            place=one.place,
            asks=asked(one),
            count=one.replicas,
            settings=MappingProxyType(
                {
                    "cpu": (f"components.{one.name}.cpu", one.cpu),
                    "memory": (f"components.{one.name}.memory_mib", one.memory_mib),
                }
            ),
        )
        for one in plan.components
        if not one.daemon
    )
