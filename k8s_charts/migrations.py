"""base/migrations, overlays/<env>/migrations: the Job that brings a schema up to date before a rollout.

It is a hook that runs before the sync of its application, so what it reads cannot be part of that sync: its account and
its secret are hooks too, a wave earlier, and its settings stand in the Job itself.
"""

from typing import Any

from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from k8s_charts.components.database_job import IMAGE, DatabaseJob, hook
from k8s_charts.components.external_secrets import ExternalSecret, store
from k8s_charts.components.pods import labels
from k8s_charts.components.service_shape import ENVIRONMENT_LABEL
from k8s_charts.folder import UNRELEASED, Folder, GitOps, Overlay
from k8s_charts.settings import Configuration, configure

NAME = "migrations"
SETTINGS = ("PINGVAS_ENV", "PINGVAS_DATABASE_OWNER_URL", "PINGVAS_DATABASE_SCHEMA")
FILES = {"db-owner": "db-owner"}
_FIRST = hook("PreSync", -1)


def add(app: GitOps) -> None:
    """Adds the folders."""
    base = _job()
    base.make(Folder(app, f"base/{NAME}"))
    for environment in CLUSTER_ENVIRONMENTS:
        overlay = Overlay(
            app,
            f"overlays/{environment.name}/{NAME}",
            base=f"base/{NAME}",
            namespace=environment.namespace,
            images=(IMAGE,),
        )
        _secret(overlay, app, environment)
        overlay.patch("job", _own(app, environment).patch())
        overlay.add(
            replacements=base.follows(),
            labels=[{"pairs": {ENVIRONMENT_LABEL: environment.name}, "includeTemplates": True}],
        )


def whole(app: GitOps, environment: Environment) -> list[dict[str, Any]]:
    """An environment's objects without Kustomize: what the overlay must come to."""
    scratch = Folder(GitOps(app.facts), "whole", listed=False)
    _own(app, environment).make(scratch)
    _secret(scratch, app, environment, whole=True)
    return scratch.objects()


def _configuration(app: GitOps, environment: Environment) -> Configuration:
    return configure(SETTINGS, environment, app.facts)


def _job(**own: Any) -> DatabaseJob:
    return DatabaseJob(
        name=NAME,
        command=("python", "-m", "migrations"),
        files=FILES,
        annotations=hook("PreSync", 0),
        before=_FIRST,
        **own,
    )


def _own(app: GitOps, environment: Environment) -> DatabaseJob:
    tag = app.tags.get((f"overlays/{environment.name}/{NAME}", IMAGE), UNRELEASED)
    return _job(
        variables=_configuration(app, environment).plain,
        image=f"{app.facts.repository(IMAGE)}:{tag}",
        namespace=environment.namespace,
        priority_class=environment.priority_class,
        labels={ENVIRONMENT_LABEL: environment.name},
    )


def _secret(scope: Folder, app: GitOps, environment: Environment, *, whole: bool = False) -> None:
    ExternalSecret(
        scope,
        NAME,
        store=store(environment.name),
        data=_configuration(app, environment).remote,
        labels=labels(NAME, component="job") | ({ENVIRONMENT_LABEL: environment.name} if whole else {}),
        annotations=_FIRST,
        namespace=environment.namespace if whole else None,
        outlived=True,
    )
