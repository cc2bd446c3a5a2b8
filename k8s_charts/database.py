"""base/database, platform/database: the Job that makes schemas and roles with the master's secret.

It runs in a namespace of its own, so that nobody who may read Secrets of an environment can read the master's. A hook
in the sync rather than a Job named by its content: delivery sets the image's tag without a synthesis, so a name could
not follow it. Every sync runs it again, which changes nothing where all is as it should be. Its ExternalSecret is a
hook too, read anew before each run: what was read a minute ago may be a password from before a rotation, which the Job
would give back to the role.
"""

from collections.abc import Mapping

from blueprint.charts import secret_namespaces
from blueprint.data import AURORA
from blueprint.environments import CLUSTER_ENVIRONMENTS, ROLES
from blueprint.secrets import PREFIX
from k8s_charts.components.database_job import IMAGE, WAVE, DatabaseJob, hook
from k8s_charts.components.external_secrets import ExternalSecret, Remote, store
from k8s_charts.components.pods import SECRETS_MOUNT, labels
from k8s_charts.folder import Folder, GitOps, Overlay
from k8s_charts.settings import database_url

NAME = "database-bootstrap"
NAMESPACE = secret_namespaces()["external-secrets-bootstrap"]
MASTER = "master"
_FIRST = {WAVE: "-1"}
_ANY = "postgres"
"""The database that every server has; the bootstrap makes the platform's."""


def add(app: GitOps) -> None:
    """Adds the folders."""
    environments = [one.name for one in CLUSTER_ENVIRONMENTS]
    remotes = {MASTER: Remote(app.facts["aurora/master-secret-arn"], "password"), **_passwords()}
    job = DatabaseJob(
        name=NAME,
        command=("python", "-m", "services.kernel.bootstrap", "--passwords", SECRETS_MOUNT, *environments),
        files={key: key.replace(".", "/") for key in remotes},
        annotations=hook("Sync", 1),
        before=_FIRST,
        variables={
            "PINGVAS_DATABASE_ADMIN_URL": database_url(
                AURORA.master, app.facts["aurora/writer-endpoint"], MASTER, database=_ANY
            )
        },
    )
    job.make(Folder(app, "base/database"))
    overlay = Overlay(app, "platform/database", base="base/database", namespace=NAMESPACE, images=(IMAGE,))
    ExternalSecret(
        overlay,
        NAME,
        store=store("bootstrap"),
        data=remotes,
        labels=labels(NAME, component="job"),
        annotations=hook("Sync", -1),
        outlived=True,
    )
    overlay.add(replacements=job.follows())


def _passwords() -> Mapping[str, Remote]:
    """Of every role, by the Secret's key, which is the file's path with a dot in it: `dev.db-app` is `dev/db-app`."""
    return {
        f"{one.name}.db-{role}": Remote.of(f"{PREFIX}/{one.name}/db-{role}")
        for one in CLUSTER_ENVIRONMENTS
        for role in ROLES
    }
