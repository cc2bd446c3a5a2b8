"""base/<service>, overlays/<env>/<service>: the five services.

An environment's overlay holds what is its own, and nothing that both share: image tag, priority, resources, bounds of
the autoscaler, settings, secrets, target group.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from blueprint.data import EFS
from blueprint.delivery import IMAGES
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.rollout import check
from blueprint.rules import demand
from blueprint.services import SERVICES, Service
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from k8s_charts.components.service_overlay import environment_objects, patches
from k8s_charts.components.service_shape import ENVIRONMENT_LABEL, Claim, Particulars, Shape
from k8s_charts.components.web_service import WebService
from k8s_charts.facts import Facts
from k8s_charts.folder import UNRELEASED, Folder, GitOps, Overlay
from k8s_charts.settings import Configuration, configure

EVERY_SERVICE = (
    "PINGVAS_ENV",
    "PINGVAS_DATABASE_URL",
    "PINGVAS_DATABASE_READER_URL",
    "PINGVAS_DATABASE_SCHEMA",
    "PINGVAS_DATABASE_POOL",
    "PINGVAS_REDIS_URL",
    "PINGVAS_REDIS_MODE",
    "PINGVAS_JWT_SECRET",
)
MORE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "generation": ("PINGVAS_DATABASE_WORKER_URL", "PINGVAS_STORAGE_URL"),
        "gallery": ("PINGVAS_DATABASE_WORKER_URL", "PINGVAS_STORAGE_URL"),
        "model": ("PINGVAS_DATABASE_WORKER_URL", "PINGVAS_MODELS_DIR"),
    }
)
"""Settings of some services: a role that sees every tenant's rows for the dispatcher, the reaper and the catalogue."""
FILES: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "gallery": {
            "cdn-private-key": ("cdn-signing-key", "private_key"),
            "cdn-public-key-id": ("cdn-signing-key", "public_key_id"),
        }
    }
)
"""Secrets that are files beside the database's passwords: what signs the addresses of pictures."""
CLAIMS = MappingProxyType({"models": WORKER.models_mount, "shared": WORKER.shared_mount})
"""The claims through which the model service writes the shared file system, and where it finds them."""


def add(app: GitOps) -> None:
    """Adds the folders.

    Raises:
        RuleError: a number that services cannot be run with.
    """
    check()
    for service in SERVICES.values():
        one = shape(service, app.facts)
        WebService(Folder(app, f"base/{one.name}"), one)
        for environment in CLUSTER_ENVIRONMENTS:
            _overlay(app, one, environment)


def shape(service: Service, facts: Facts) -> Shape:
    """What a service is in every environment."""
    demand(service.title in IMAGES, "delivery.IMAGES", IMAGES, f"has no image of {service.title}")
    for workload in WORKLOADS.values():
        if workload.name == f"{workload.environment}-{service.title}":
            account = workload.service_account
            demand(
                account == service.title,
                f"workloads.{workload.name}",
                account,
                f"must be {service.title}, as its pods'",
            )
    told = [configuration(service, environment, facts) for environment in CLUSTER_ENVIRONMENTS]
    shared = [name for name in told[0].variables if all(name in one.variables for one in told)]
    if service.name != "model":
        return Shape(service=service, variables=shared, files=told[0].files)
    claims = [Claim(name, mount) for name, mount in CLAIMS.items()]
    return Shape(service=service, variables=shared, files=told[0].files, uid=EFS.writer_uid, gid=EFS.gid, claims=claims)


def configuration(service: Service, environment: Environment, facts: Facts) -> Configuration:
    """What a service is told in an environment."""
    variables = (*EVERY_SERVICE, *MORE.get(service.name, ()))
    return configure(variables, environment, facts, files=FILES.get(service.name, {}))


def whole(app: GitOps, environment: Environment, service: Service) -> list[dict[str, Any]]:
    """The service in an environment out of one construct, without Kustomize: what the overlay must come to."""
    scratch = Folder(GitOps(app.facts), "whole", listed=False)
    WebService(scratch, shape(service, app.facts), own=_own(app, environment, service))
    return scratch.objects()


def _overlay(app: GitOps, one: Shape, environment: Environment) -> None:
    overlay = Overlay(
        app, _path(environment, one), base=f"base/{one.name}", namespace=environment.namespace, images=(one.name,)
    )
    own = _own(app, environment, one.service)
    environment_objects(overlay, one, own)
    for name, body in patches(one, own).items():
        overlay.patch(name, body)
    overlay.add(labels=[{"pairs": dict(own.labels), "includeTemplates": True}])


def _own(app: GitOps, environment: Environment, service: Service) -> Particulars:
    path = f"overlays/{environment.name}/{service.title}"
    tag = app.tags.get((path, service.title), UNRELEASED)
    return Particulars(
        environment=environment,
        configuration=configuration(service, environment, app.facts),
        image=f"{app.facts.repository(service.title)}:{tag}",
        balanced=not app.facts.in_cluster,
        labels={ENVIRONMENT_LABEL: environment.name},
    )


def _path(environment: Environment, one: Shape) -> str:
    return f"overlays/{environment.name}/{one.name}"
