"""The GPU worker in Kubernetes: its Deployment, what it may do to its own pod, and what scales it from none.

Without an environment it makes what all environments share, the base; with one it makes the worker whole, as Kustomize
puts it together of the base and the environment's overlay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.data import EFS
from blueprint.environments import Environment
from blueprint.maxima import workers_maximum
from blueprint.pools import GPU
from blueprint.queue import unacked_key, waiting_keys
from blueprint.scaling import SCALING
from blueprint.worker import GPU_RESOURCE, SERVICE_ACCOUNT, WORKER
from k8s_charts.components import pods
from k8s_charts.components.external_secrets import ExternalSecret, store
from k8s_charts.components.keda import Pace, ScaledObject, Trigger, TriggerAuthentication
from k8s_charts.components.redis import redis_trigger
from k8s_charts.components.service_shape import CHECKSUM, FIRST, LAST
from k8s_charts.components.shared_files import claim, mounted
from k8s_charts.facts import Facts
from k8s_charts.settings import Configuration

NAME = "gpu-worker"
COMPONENT = "worker"
METRICS = "metrics"
POD_NAME = "PINGVAS_POD_NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """What an environment adds. `image` is the image with its tag."""

    environment: Environment
    configuration: Configuration
    image: str
    facts: Facts
    labels: Mapping[str, str] = field(default_factory=dict)


class GpuWorkerPods(Construct):
    """ServiceAccount, Role, RoleBinding and Deployment; with `own` everything of one environment too.

    `variables` and `files` come out of the worker's Secret in every environment.
    """

    def __init__(
        self, scope: Construct, *, variables: Sequence[str], files: Sequence[str], own: Particulars | None = None
    ) -> None:
        super().__init__(scope, NAME)
        self._own = own
        self._variables = own.configuration.variables if own else variables
        self._files = files
        self._rights()
        self._deployment()
        if own is not None:
            environment_objects(self, own, whole=True)

    def _metadata(self, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
        return _metadata(self._own, annotations)

    def _rights(self) -> None:
        """Its own pod's marks, as far as RBAC can say it; the admission policy `pingvas-own-pod` says the rest."""
        k8s.KubeServiceAccount(self, "Account", metadata=self._metadata(FIRST), automount_service_account_token=False)
        k8s.KubeRole(
            self,
            "Role",
            metadata=self._metadata(FIRST),
            rules=[k8s.PolicyRule(api_groups=[""], resources=["pods"], verbs=["patch"])],
        )
        k8s.KubeRoleBinding(
            self,
            "RoleBinding",
            metadata=self._metadata(FIRST),
            role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=NAME),
            subjects=[
                k8s.Subject(
                    kind="ServiceAccount", name=NAME, namespace=self._own.environment.namespace if self._own else None
                )
            ],
        )

    def _deployment(self) -> None:
        """Without `replicas`: KEDA's number would be set back by every sync."""
        own = self._own
        (taint,) = GPU.taints
        k8s.KubeDeployment(
            self,
            "Deployment",
            metadata=self._metadata(LAST),
            spec=k8s.DeploymentSpec(
                revision_history_limit=3,
                progress_deadline_seconds=WORKER.progress_seconds,
                selector=k8s.LabelSelector(match_labels=pods.selector(NAME)),
                strategy=k8s.DeploymentStrategy(
                    type="RollingUpdate",
                    rolling_update=k8s.RollingUpdateDeployment(
                        max_surge=k8s.IntOrString.from_number(0),
                        max_unavailable=k8s.IntOrString.from_string(WORKER.unavailable),
                    ),
                ),
                template=k8s.PodTemplateSpec(
                    metadata=k8s.ObjectMeta(
                        labels=pods.labels(NAME, component=COMPONENT) | (dict(own.labels) if own else {}),
                        annotations={CHECKSUM: own.configuration.checksum} if own else None,
                    ),
                    spec=k8s.PodSpec(
                        service_account_name=NAME,
                        automount_service_account_token=False,
                        enable_service_links=False,
                        priority_class_name=own.environment.priority_class if own else None,
                        node_selector=dict(GPU.labels),
                        tolerations=[k8s.Toleration(key=taint.key, operator="Exists", effect=taint.effect)],
                        termination_grace_period_seconds=WORKER.grace_seconds,
                        security_context=pods.pod_security(uid=EFS.reader_uid, gid=EFS.gid),
                        containers=[self._container()],
                        volumes=self._volumes(),
                    ),
                ),
            ),
        )

    def _container(self) -> k8s.Container:
        own = self._own
        return k8s.Container(
            name=NAME,
            image=own.image if own else NAME,
            ports=[k8s.ContainerPort(name=METRICS, container_port=WORKER.metrics_port, protocol="TCP")],
            env_from=[k8s.EnvFromSource(config_map_ref=k8s.ConfigMapEnvSource(name=NAME))],
            env=[
                k8s.EnvVar(name="HOME", value="/tmp"),  # noqa: S108 (the pod's own; libraries cache below it)
                k8s.EnvVar(
                    name=POD_NAME,
                    value_from=k8s.EnvVarSource(field_ref=k8s.ObjectFieldSelector(field_path="metadata.name")),
                ),
                *(_from_secret(name) for name in sorted(self._variables)),
            ],
            startup_probe=_probe(WORKER.startup_probe_seconds, WORKER.startup_seconds // WORKER.startup_probe_seconds),
            readiness_probe=_probe(WORKER.probe_seconds, WORKER.probe_failures),
            liveness_probe=_probe(WORKER.probe_seconds, WORKER.probe_failures),
            security_context=pods.container_security(),
            resources=pods.resources(
                {
                    "cpu": pods.cores(WORKER.cpu),
                    "memory": f"{WORKER.memory_gib}Gi",
                    GPU_RESOURCE: str(WORKER.gpu),
                },
                {"memory": f"{WORKER.memory_gib}Gi", GPU_RESOURCE: str(WORKER.gpu)},
            ),
            volume_mounts=[
                k8s.VolumeMount(name="models", mount_path=WORKER.models_mount, read_only=True),
                k8s.VolumeMount(name="shared", mount_path=WORKER.shared_mount, read_only=True),
                k8s.VolumeMount(name="secrets", mount_path=pods.SECRETS_MOUNT, read_only=True),
                k8s.VolumeMount(name="token", mount_path=SERVICE_ACCOUNT, read_only=True),
                k8s.VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108 (the pod's own)
                k8s.VolumeMount(name="shared-memory", mount_path="/dev/shm"),  # noqa: S108 (the pod's own)
            ],
        )

    def _volumes(self) -> list[k8s.Volume]:
        return [
            mounted("models", claim("models", writes=False)),
            mounted("shared", claim("shared", writes=False)),
            pods.secret_files(NAME, {file: file for file in self._files}),
            pods.api_token(WORKER.token_seconds),
            k8s.Volume(name="tmp", empty_dir=_empty(WORKER.scratch_mib)),
            k8s.Volume(name="shared-memory", empty_dir=_empty(WORKER.shared_memory_mib, medium="Memory")),
        ]


def environment_objects(scope: Construct, own: Particulars, *, whole: bool = False) -> None:
    """What only an environment has: ConfigMap, ExternalSecret and what scales. An overlay leaves namespace and labels
    to Kustomize."""
    environment, configuration = own.environment, own.configuration
    labels = pods.labels(NAME, component=COMPONENT) | (dict(own.labels) if whole else {})
    namespace = environment.namespace if whole else None
    k8s.KubeConfigMap(
        scope,
        "Settings",
        metadata=k8s.ObjectMeta(name=NAME, namespace=namespace, labels=labels, annotations=FIRST),
        data=dict(sorted(configuration.plain.items())),
    )
    ExternalSecret(
        scope,
        NAME,
        store=store(environment.name),
        data=configuration.remote,
        template=configuration.template,
        labels=labels,
        annotations=FIRST,
        namespace=namespace,
    )
    if environment.redis_auth:
        (token,) = configuration.only_for_template
        TriggerAuthentication(
            scope,
            NAME,
            secrets={"password": (NAME, token)},
            namespace=namespace,
            labels=labels,
            annotations=FIRST,
        )
    ScaledObject(
        scope,
        NAME,
        deployment=NAME,
        triggers=triggers(environment, own.facts),
        target=SCALING.jobs_per_worker,
        maximum=workers_maximum(environment),
        polling_seconds=SCALING.polling_seconds,
        cooldown_seconds=SCALING.cooldown_seconds,
        initial_cooldown_seconds=SCALING.initial_cooldown_seconds,
        up=Pace(SCALING.scale_up_seconds, workers_maximum(environment), SCALING.scale_up_period_seconds),
        down=Pace(SCALING.scale_down_seconds, SCALING.scale_down_pods, SCALING.scale_down_period_seconds),
        namespace=namespace,
        labels=labels,
        annotations=LAST,
    )


def triggers(environment: Environment, facts: Facts) -> list[Trigger]:
    """One for each list of the queue, and one for the hash of what is being worked on."""
    counted = {f"priority_{priority}": key for priority, key in waiting_keys(environment.name).items()}
    counted["working"] = unacked_key(environment.name)
    return [
        Trigger(
            name,
            redis_trigger(facts, environment, key=key, length=SCALING.jobs_per_worker),
            authentication=NAME if environment.redis_auth else None,
        )
        for name, key in counted.items()
    ]


def patches(own: Particulars, *, variables: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What an environment changes of the base, by the patch's name; `variables` are there already."""
    configuration = own.configuration
    spec: dict[str, Any] = {"priorityClassName": own.environment.priority_class}
    more = sorted(set(configuration.variables) - set(variables))
    if more:
        references = [{"name": name, "valueFrom": {"secretKeyRef": {"name": NAME, "key": name}}} for name in more]
        spec["containers"] = [{"name": NAME, "env": references}]
    return {
        "deployment": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME},
            "spec": {
                "template": {"metadata": {"annotations": {CHECKSUM: configuration.checksum}}, "spec": spec},
            },
        }
    }


def _metadata(own: Particulars | None, annotations: Mapping[str, str] | None) -> k8s.ObjectMeta:
    return k8s.ObjectMeta(
        name=NAME,
        namespace=own.environment.namespace if own else None,
        labels=pods.labels(NAME, component=COMPONENT) | (dict(own.labels) if own else {}),
        annotations=dict(annotations) if annotations else None,
    )


def _from_secret(name: str) -> k8s.EnvVar:
    return k8s.EnvVar(name=name, value_from=k8s.EnvVarSource(secret_key_ref=k8s.SecretKeySelector(name=NAME, key=name)))


def _probe(period: int, failures: int) -> k8s.Probe:
    """Whether wake-ups are consumed. Readiness asks the same as liveness, and no sooner: nobody sends requests, but a
    pod that is not Ready is the first to be scaled in, whatever it costs to delete."""
    return k8s.Probe(
        exec=k8s.ExecAction(command=["python", "-m", "gpu_worker", "health"]),
        period_seconds=period,
        timeout_seconds=WORKER.probe_timeout_seconds,
        failure_threshold=failures,
    )


def _empty(mib: int, *, medium: str | None = None) -> k8s.EmptyDirVolumeSource:
    return k8s.EmptyDirVolumeSource(medium=medium, size_limit=k8s.Quantity.from_string(pods.mebibytes(mib)))
