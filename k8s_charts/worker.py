"""base/gpu-worker, overlays/<env>/gpu-worker: the GPU worker and what scales it."""

from typing import Any

from blueprint import cold_start, scaling
from blueprint.delivery import IMAGES
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.rules import demand
from blueprint.worker import WORKER
from k8s_charts.components.gpu_worker import NAME, GpuWorkerPods, Particulars, environment_objects, patches
from k8s_charts.components.service_shape import ENVIRONMENT_LABEL
from k8s_charts.facts import Facts
from k8s_charts.folder import UNRELEASED, Folder, GitOps, Overlay
from k8s_charts.settings import Configuration, configure

TOLD = (
    "PINGVAS_ENV",
    "PINGVAS_DATABASE_WORKER_URL",
    "PINGVAS_DATABASE_SCHEMA",
    "PINGVAS_REDIS_URL",
    "PINGVAS_REDIS_MODE",
    "PINGVAS_STORAGE_URL",
    "PINGVAS_MODELS_DIR",
)
EVERYWHERE = {
    "PINGVAS_DEVICE": "cuda",  # without a GPU it is to fail, not to compute for hours
    "PINGVAS_METRICS_PORT": str(WORKER.metrics_port),
}


def add(app: GitOps) -> None:
    """Adds the folders.

    Raises:
        RuleError: a number that workers cannot be run or scaled with.
    """
    scaling.check()
    cold_start.check()
    demand(NAME in IMAGES, "delivery.IMAGES", IMAGES, f"has no image of {NAME}")
    variables, files = shared(app.facts)
    GpuWorkerPods(Folder(app, f"base/{NAME}"), variables=variables, files=files)
    for environment in CLUSTER_ENVIRONMENTS:
        overlay = Overlay(app, _path(environment), base=f"base/{NAME}", namespace=environment.namespace, images=(NAME,))
        own = _own(app, environment)
        environment_objects(overlay, own)
        for name, body in patches(own, variables=variables).items():
            overlay.patch(name, body)
        overlay.add(labels=[{"pairs": dict(own.labels), "includeTemplates": True}])


def configuration(environment: Environment, facts: Facts) -> Configuration:
    """What a worker is told in an environment."""
    made = configure(TOLD, environment, facts)
    made.plain.update(EVERYWHERE)
    return made


def shared(facts: Facts) -> tuple[list[str], list[str]]:
    """Variables that come out of the Secret in every environment, and files."""
    told = [configuration(environment, facts) for environment in CLUSTER_ENVIRONMENTS]
    first = told[0]
    return [name for name in first.variables if all(name in one.variables for one in told)], first.files


def whole(app: GitOps, environment: Environment) -> list[dict[str, Any]]:
    """The worker in an environment out of one construct, without Kustomize: what the overlay must come to."""
    scratch = Folder(GitOps(app.facts), "whole", listed=False)
    variables, files = shared(app.facts)
    GpuWorkerPods(scratch, variables=variables, files=files, own=_own(app, environment))
    return scratch.objects()


def _own(app: GitOps, environment: Environment) -> Particulars:
    tag = app.tags.get((_path(environment), NAME), UNRELEASED)
    return Particulars(
        environment=environment,
        configuration=configuration(environment, app.facts),
        image=f"{app.facts.repository(NAME)}:{tag}",
        facts=app.facts,
        labels={ENVIRONMENT_LABEL: environment.name},
    )


def _path(environment: Environment) -> str:
    return f"overlays/{environment.name}/{NAME}"
