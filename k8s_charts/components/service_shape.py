"""What tells one of the five services from the others, and one environment from the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blueprint.environments import Environment
from blueprint.services import Service
from k8s_charts.components import pods
from k8s_charts.settings import Configuration

WAVE = "argocd.argoproj.io/sync-wave"
FIRST, LAST = {WAVE: "-1"}, {WAVE: "1"}
"""What pods need is there, and healthy, before they are: the load balancer's readiness gate is given to pods when they
are made, by the bindings that exist then; and an autoscaler without its Deployment counts as degraded."""
ENVIRONMENT_LABEL = "pingvas.com/environment"
CHECKSUM = "pingvas.com/configuration"


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim that the service mounts."""

    name: str
    mount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What tells one service's pods from the others', in every environment. `variables` come out of its Secret."""

    service: Service
    variables: Sequence[str]
    files: Sequence[str]
    uid: int = pods.USER
    gid: int = pods.USER
    claims: Sequence[Claim] = ()

    @property
    def name(self) -> str:
        return self.service.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """What an environment adds. `image` is the image with its tag; `balanced`: ELB sends it requests itself."""

    environment: Environment
    configuration: Configuration
    image: str
    balanced: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


def requirements(service: Service) -> dict[str, dict[str, str]]:
    """Requests and limits, as Kubernetes writes them."""
    return {
        "requests": {"cpu": pods.cores(service.cpu_request), "memory": pods.mebibytes(service.memory_request_mib)},
        "limits": {"cpu": pods.cores(service.cpu), "memory": pods.mebibytes(service.memory_mib)},
    }
