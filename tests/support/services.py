"""The five services in both environments as Kustomize builds them, for questions about one at a time."""

from typing import Any

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.services import SERVICES, Service
from tests.support.manifests import Manifests, Object

Case = tuple[Environment, Service]
CASES = [
    pytest.param((environment, service), id=f"{environment.name}-{service.name}")
    for environment in CLUSTER_ENVIRONMENTS
    for service in SERVICES.values()
]


def path(case: Case) -> str:
    environment, service = case
    return f"overlays/{environment.name}/{service.title}"


def built(manifests: Manifests, case: Case) -> dict[str, dict[str, Any]]:
    """The objects of a service by kind; each kind comes once."""
    found: list[Object] = manifests.built(path(case))
    kinds = {one.kind: one.body for one in found}
    assert len(kinds) == len(found)
    return kinds


def pod(manifests: Manifests, case: Case) -> dict[str, Any]:
    spec: dict[str, Any] = built(manifests, case)["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(manifests: Manifests, case: Case) -> dict[str, Any]:
    (only,) = pod(manifests, case)["containers"]
    found: dict[str, Any] = only
    return found
