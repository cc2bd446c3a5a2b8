"""The five services: ports, paths and sizes.

CPU in cores and memory in MiB are the documents' figures, read as limits; requests are half of them.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Service:
    """One FastAPI service. `path_prefixes` are the paths that the load balancer sends to it."""

    name: str
    port: int
    path_prefixes: tuple[str, ...]
    cpu: float = 0.5
    memory_mib: int = 512

    @property
    def title(self) -> str:
        return f"{self.name}-service"

    @property
    def docs_path(self) -> str:
        """Where the OpenAPI page of this service lives, below the one origin that all five share."""
        return f"/api/docs/{self.name}"

    @property
    def cpu_request(self) -> float:
        return self.cpu / 2

    @property
    def memory_request_mib(self) -> int:
        return self.memory_mib // 2


_ALL = (
    Service("user", 8001, ("/api/v1/auth", "/api/v1/me", "/api/v1/api-keys")),
    Service("payment", 8002, ("/api/v1/plans", "/api/v1/credits")),
    Service("generation", 8003, ("/api/v1/generations",), cpu=1.0, memory_mib=1024),
    Service("gallery", 8004, ("/api/v1/images",)),
    Service("model", 8005, ("/api/v1/models",)),
)
SERVICES: MappingProxyType[str, Service] = MappingProxyType({service.name: service for service in _ALL})
GATEWAY_PORT = 8000
"""The one origin of the studio on a laptop; in the cloud CloudFront and the load balancer take its place."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What every service accepts and promises. Seconds and bytes."""

    body_bytes: int = 1_048_576
    keep_alive_seconds: int = 75
    graceful_shutdown_seconds: int = 25
    readiness_check_seconds: float = 3.0
    """How long /readyz waits for what it asks."""
    event_heartbeat_seconds: float = 15.0
    page_size: int = 50
    page_size_maximum: int = 200


HTTP = HttpLimits()
