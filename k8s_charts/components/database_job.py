"""A Job with one container that works on the database and ends: migrations, the bootstrap of roles.

Both are hooks of ArgoCD, which deletes the last Job before it makes the next: a Job cannot be changed, so a plain one
would fail at the second image. They have no `ttlSecondsAfterFinished`, since their logs are wanted afterwards. ArgoCD
does not compare hooks, so a new image alone would never start one: the ConfigMap of the same name, which holds the
image too, is what it compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.maxima import MIGRATION_CPU, MIGRATION_MEMORY_GIB
from blueprint.rollout import JOB, ROLLOUT
from k8s_charts.components import pods

_PREFIX = "argocd.argoproj.io/"
WAVE = f"{_PREFIX}sync-wave"
IMAGE = "migrations"
"""One image has both programs."""


def hook(phase: Literal["PreSync", "Sync"], wave: int) -> dict[str, str]:
    """Annotations of a hook that every sync makes anew."""
    return {f"{_PREFIX}hook": phase, f"{_PREFIX}hook-delete-policy": "BeforeHookCreation", WAVE: str(wave)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseJob:
    """What such a Job is made of. `files` are keys of the Secret of the same name, with the path of each.

    `before` are annotations of what has to be there before the Job: its service account.
    """

    name: str
    command: Sequence[str]
    files: Mapping[str, str]
    annotations: Mapping[str, str]
    before: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    image: str = IMAGE
    namespace: str | None = None
    priority_class: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def metadata(self, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
        """Of each object."""
        return k8s.ObjectMeta(
            name=self.name,
            namespace=self.namespace,
            labels=self._labels(),
            annotations=dict(annotations) if annotations else None,
        )

    def make(self, scope: Construct) -> None:
        """Makes the Job, its service account, which has no rights and no token, and the ConfigMap with its image."""
        k8s.KubeServiceAccount(
            scope, "Account", metadata=self.metadata(self.before), automount_service_account_token=False
        )
        k8s.KubeConfigMap(scope, "Release", metadata=self.metadata(), data={"image": self.image})
        k8s.KubeJob(
            scope,
            "Job",
            metadata=self.metadata(self.annotations),
            spec=k8s.JobSpec(
                backoff_limit=JOB.retries,
                active_deadline_seconds=JOB.deadline,
                template=k8s.PodTemplateSpec(metadata=k8s.ObjectMeta(labels=self._labels()), spec=self._pod()),
            ),
        )

    def patch(self) -> dict[str, Any]:
        """What an environment changes of the Job in the base: its priority and its settings."""
        container = {"name": self.name, "env": [{"name": k, "value": v} for k, v in sorted(self.variables.items())]}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": self.name},
            "spec": {"template": {"spec": {"priorityClassName": self.priority_class, "containers": [container]}}},
        }

    def follows(self) -> list[dict[str, Any]]:
        """Kustomize's `replacements` that write the Job's image into the ConfigMap, so that a new tag is one line."""
        source = {"kind": "Job", "name": self.name, "fieldPath": "spec.template.spec.containers.0.image"}
        target = {"select": {"kind": "ConfigMap", "name": self.name}, "fieldPaths": ["data.image"]}
        return [{"source": source, "targets": [target]}]

    def _labels(self) -> dict[str, str]:
        return pods.labels(self.name, component="job") | dict(self.labels)

    def _pod(self) -> k8s.PodSpec:
        size = k8s.Quantity.from_string(pods.mebibytes(ROLLOUT.tmp_mib))
        figures = {"cpu": pods.cores(MIGRATION_CPU), "memory": pods.mebibytes(MIGRATION_MEMORY_GIB * 1024)}
        return k8s.PodSpec(
            restart_policy="Never",
            service_account_name=self.name,
            automount_service_account_token=False,
            enable_service_links=False,
            priority_class_name=self.priority_class,
            security_context=pods.pod_security(),
            containers=[
                k8s.Container(
                    name=self.name,
                    image=self.image,
                    image_pull_policy="IfNotPresent",
                    command=list(self.command),
                    env=[k8s.EnvVar(name=name, value=value) for name, value in sorted(self.variables.items())] or None,
                    security_context=pods.container_security(),
                    resources=pods.resources(figures, figures),
                    volume_mounts=[
                        k8s.VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108 (the pod's own)
                        k8s.VolumeMount(name="secrets", mount_path=pods.SECRETS_MOUNT, read_only=True),
                    ],
                )
            ],
            volumes=[
                k8s.Volume(name="tmp", empty_dir=k8s.EmptyDirVolumeSource(size_limit=size)),
                pods.secret_files(self.name, self.files),
            ],
        )
