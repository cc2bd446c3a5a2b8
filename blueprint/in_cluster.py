"""The edge's routing and the caches inside the cluster, off by default: ingress-nginx, Redis alone and with Sentinel.

One setting of `gitops/facts.yaml`, `edge_and_cache`, takes them instead of the load balancer's routing and ElastiCache.
Memory in MiB, CPU in cores, times in seconds.
"""

from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Literal

from blueprint.charts import Chart, Wave
from blueprint.edge import LOAD_BALANCER
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.maxima import MIGRATION_CPU, MIGRATION_MEMORY_GIB, SURGE, workers_maximum
from blueprint.namespaces import CACHE_IMAGES
from blueprint.pools import GENERAL
from blueprint.rules import demand
from blueprint.services import SERVICES
from blueprint.worker import WORKER

EdgeAndCache = Literal["aws", "in-cluster"]
EDGE_AND_CACHE: tuple[EdgeAndCache, ...] = ("aws", "in-cluster")
SENTINEL_PORT = 26379
"""Sentinel's own default."""
CLUSTER_DOMAIN = "cluster.local"
VALKEY_IMAGE = f"{CACHE_IMAGES}:9.1.4-alpine3.24"
"""The series that the studio and the tests run, for both architectures; what ElastiCache runs is `CACHE_ENGINE`."""
VALKEY_UID, VALKEY_GID = 999, 1000
"""The user `valkey` of that image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InClusterRedis:
    """Redis of one environment as pods: one node, or several of which sentinels choose the primary.

    `memory_mib` is request and limit of a node. Of it `data_share` is Redis' own `maxmemory`: a rewrite of the
    append-only file forks, and pages that change meanwhile exist twice.
    """

    nodes: int
    cpu: float
    memory_mib: int
    volume_gib: int
    data_share: float = 0.6
    sentinel_cpu: float = 0.05
    sentinel_memory_mib: int = 64
    quorum: int = 0
    """How many sentinels must agree that the primary is away; 0: there is no Sentinel."""
    down_after: float = 5.0
    """Seconds of silence after which a sentinel holds a node for dead."""
    failover_timeout: float = 30.0
    grace: int = 60
    """terminationGracePeriodSeconds: a failover that a primary asks for at its end, and the last write to disk."""

    @property
    def sentinel(self) -> bool:
        return self.quorum > 0

    @property
    def maxmemory_mib(self) -> int:
        """
        >>> IN_CLUSTER_REDIS["dev"].maxmemory_mib
        614
        """
        return int(self.memory_mib * self.data_share)

    @property
    def cpu_total(self) -> float:
        """All pods' requests, in cores."""
        return self.nodes * (self.cpu + (self.sentinel_cpu if self.sentinel else 0))

    @property
    def memory_total_gib(self) -> float:
        return self.nodes * (self.memory_mib + (self.sentinel_memory_mib if self.sentinel else 0)) / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """ingress-nginx behind the load balancer, which keeps the certificate, the origin header and the ten target groups:
    those get the controller's pods instead of the services'. `port` is one that the load balancer's security group
    lets out (8001-8005), and not 80, so that nothing binds a privileged port.
    """

    replicas: int = 2
    cpu: float = 0.1
    memory_mib: int = 256
    memory_limit_mib: int = 512
    port: int = 8001
    tls_port: int = 8443
    """Nobody is let in there; the controller opens it in any case."""
    health_port: int = 10254
    drain: int = 120
    """How long a worker process of nginx may finish its requests: CloudFront waits no longer for an answer."""

    @property
    def grace(self) -> int:
        """terminationGracePeriodSeconds: deregistration, then the drain, then a little."""
        return self.settle + self.drain + 10

    @property
    def settle(self) -> int:
        """How long a pod that ends goes on taking requests: until the load balancer sends none."""
        return LOAD_BALANCER.deregistration_delay + 5


NGINX_NAME = "ingress-nginx"
"""Of the namespace, the chart and the release."""
NGINX_CLASS = "nginx"
NGINX = Nginx()
IN_CLUSTER_CHARTS = (
    Chart(
        name=NGINX_NAME,
        repository="https://kubernetes.github.io/ingress-nginx",
        chart="ingress-nginx",
        version="4.15.1",
        app_version="1.15.1",
        namespace=NGINX_NAME,
        wave=Wave.CONTROLLERS,
    ),
)
"""The last release: the project ended in March 2026, so no hole in it is mended any more. The earlier document draws
it, and that is why it can be chosen; the load balancer's own routing is the default."""
REDIS_NAME = "redis"
"""Of the StatefulSet, its headless Service and its settings in each environment's namespace."""
SENTINEL_SERVICE = "pingvas"
"""The name by which sentinels know the primary."""
IN_CLUSTER_REDIS: MappingProxyType[str, InClusterRedis] = MappingProxyType(
    {
        "dev": InClusterRedis(nodes=1, cpu=0.25, memory_mib=1024, volume_gib=5),
        "prod": InClusterRedis(nodes=3, cpu=0.5, memory_mib=4096, volume_gib=20, quorum=2),
    }
)


def redis_host(environment: Environment, node: int | None = None) -> str:
    """The name of one node by its number, or of all of them. Complete, so that KEDA finds it from its own namespace.

    >>> from blueprint.environments import DEV, PROD
    >>> redis_host(DEV), redis_host(PROD, 2)
    ('redis.dev.svc.cluster.local', 'redis-2.redis.prod.svc.cluster.local')
    """
    service = f"{REDIS_NAME}.{environment.namespace}.svc.{CLUSTER_DOMAIN}"
    return service if node is None else f"{REDIS_NAME}-{node}.{service}"


def sentinel_addresses(environment: Environment) -> tuple[str, ...]:
    """`host:port` of every sentinel."""
    nodes = range(IN_CLUSTER_REDIS[environment.name].nodes)
    return tuple(f"{redis_host(environment, node)}:{SENTINEL_PORT}" for node in nodes)


def check(
    environments: tuple[Environment, ...] = CLUSTER_ENVIRONMENTS,
    redis: MappingProxyType[str, InClusterRedis] = IN_CLUSTER_REDIS,
) -> None:
    """The rules of Redis inside the cluster; it lies in the environments' own namespaces and counts in their quotas.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    for environment in environments:
        one = redis[environment.name]
        name = f"in_cluster.redis.{environment.name}"
        demand(
            0 < one.data_share <= 0.7,
            f"{name}.data_share",
            one.data_share,
            "must leave a rewrite room: 0.7 at most",
        )
        if one.sentinel:
            demand(
                one.nodes >= 3 and one.nodes % 2 == 1, f"{name}.nodes", one.nodes, "a majority needs an odd 3 or more"
            )
            demand(
                one.nodes // 2 < one.quorum <= one.nodes,
                f"{name}.quorum",
                one.quorum,
                f"must be a majority of {one.nodes}, or two halves each choose a primary",
            )
            demand(
                one.grace >= one.down_after + one.failover_timeout,
                f"{name}.grace",
                one.grace,
                "ends a primary before its failover can be over",
            )
        else:
            demand(one.nodes == 1, f"{name}.nodes", one.nodes, "must be 1 without sentinels: nobody chooses a primary")
        _check_node(one, name)
        _check_quota(environment, one, name)


def _check_node(one: InClusterRedis, name: str) -> None:
    """Of a general node three quarters are taken to be left beside kubelet and daemonsets."""
    cpu, memory = min((each.cpu, each.memory_gib) for each in GENERAL.types)
    demand(one.cpu <= 0.75 * cpu, f"{name}.cpu", one.cpu, f"does not fit the smallest general node's {cpu} cores")
    demand(
        one.memory_mib <= 0.75 * memory * 1024,
        f"{name}.memory_mib",
        one.memory_mib,
        f"does not fit the smallest general node's {memory} GiB",
    )


def _check_quota(environment: Environment, one: InClusterRedis, name: str) -> None:
    quota = environment.quota
    if quota is None:
        return
    replicas = ceil(environment.replicas.maximum * (1 + SURGE))
    workers = workers_maximum(environment)
    cpu = sum(each.cpu_request for each in SERVICES.values()) * replicas + workers * WORKER.cpu + MIGRATION_CPU
    memory = (
        sum(each.memory_request_mib for each in SERVICES.values()) / 1024 * replicas
        + workers * WORKER.memory_gib
        + MIGRATION_MEMORY_GIB
    )
    pods = len(SERVICES) * replicas + workers + 1
    left = f"more than the quota of {environment.name} leaves beside services, {workers} workers and a migration"
    demand(cpu + one.cpu_total <= quota.cpu, f"{name}.cpu", one.cpu, f"{left}: {quota.cpu - cpu:g} cores")
    demand(
        memory + one.memory_total_gib <= quota.memory_gib,
        f"{name}.memory_mib",
        one.memory_mib,
        f"{left}: {quota.memory_gib - memory:g} GiB",
    )
    demand(pods + one.nodes <= quota.pods, f"{name}.nodes", one.nodes, f"{left}: {quota.pods - pods} pods")
