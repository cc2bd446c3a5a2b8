"""The environments: `dev` and `prod` share one cluster; `local` is the whole studio on one machine."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

EnvironmentName = Literal["local", "dev", "prod"]
DATABASE = "pingvas_saas"
ROLES = ("owner", "app", "worker", "backup")


@dataclass(frozen=True, slots=True)
class Quota:
    """A namespace's ResourceQuota, on requests. CPU in cores, memory in GiB."""

    cpu: int
    memory_gib: int
    gpu: int
    pods: int


@dataclass(frozen=True, slots=True)
class Replicas:
    """Bounds of a HorizontalPodAutoscaler."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: its names, its host and, in the cluster, what it may use."""

    name: EnvironmentName
    schema: str
    host: str
    redis_mode: Literal["standalone", "replication"]
    redis_auth: bool
    replicas: Replicas
    workers: Replicas
    quota: Quota | None = None
    priority_class: str | None = None
    priority: int = 0
    reserved: bool = field(default=False, kw_only=True)
    """True where placeholder secrets must stop a start: everywhere but on a laptop."""

    @property
    def namespace(self) -> str:
        return self.name

    def role(self, purpose: str) -> str:
        """The PostgreSQL role for one of `ROLES`.

        >>> ENVIRONMENTS["dev"].role("app")
        'pingvas_dev_app'
        """
        if purpose not in ROLES:
            raise ValueError(f"{purpose!r} is none of the roles {', '.join(ROLES)}")
        return f"pingvas_{self.name}_{purpose}"


LOCAL = Environment(
    name="local",
    schema="local_pingvas",
    host="127.0.0.1",
    redis_mode="standalone",
    redis_auth=True,
    replicas=Replicas(1, 1),
    workers=Replicas(1, 1),
)
DEV = Environment(
    name="dev",
    schema="dev_pingvas",
    host="dev.studio.pingvas.com",
    redis_mode="standalone",
    redis_auth=False,
    replicas=Replicas(1, 5),
    workers=Replicas(0, 3),
    quota=Quota(cpu=20, memory_gib=50, gpu=3, pods=50),
    priority_class="dev-low",
    priority=100_000,
    reserved=True,
)
PROD = Environment(
    name="prod",
    schema="prod_pingvas",
    host="studio.pingvas.com",
    redis_mode="replication",
    redis_auth=True,
    replicas=Replicas(2, 10),
    workers=Replicas(0, 15),
    quota=Quota(cpu=50, memory_gib=200, gpu=15, pods=200),
    priority_class="prod-high",
    priority=1_000_000,
    reserved=True,
)

ENVIRONMENTS: MappingProxyType[str, Environment] = MappingProxyType({e.name: e for e in (LOCAL, DEV, PROD)})
CLUSTER_ENVIRONMENTS = (DEV, PROD)
