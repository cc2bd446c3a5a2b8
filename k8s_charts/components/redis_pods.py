"""Redis as pods: one node, or three of which as many sentinels choose the primary.

Nodes are known by their names in DNS, never by address, since a pod that comes back has another. What a node is told
lies in a ConfigMap; who it is and whose replica, `configure.sh` writes when the pod starts. The token is a mounted
file.
Source: Valkey documentation, "High availability with Valkey Sentinel"; "Sentinel, IP addresses and DNS names".
"""

import hashlib
from collections.abc import Mapping

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.environments import Environment
from blueprint.in_cluster import (
    IN_CLUSTER_REDIS,
    REDIS_NAME,
    SENTINEL_PORT,
    VALKEY_GID,
    VALKEY_IMAGE,
    VALKEY_UID,
)
from blueprint.network import REDIS_PORT
from k8s_charts.components import pods
from k8s_charts.components.redis_settings import DATA, RUN, SETTINGS, environment_variables, settings
from k8s_charts.folder import Folder

TOKEN_SECRET = "redis-token"  # noqa: S105 (its name)
SUM = "pingvas.com/settings"
_ZONE = "topology.kubernetes.io/zone"


class RedisPods(Construct):
    """ConfigMap, ServiceAccount, headless Service, StatefulSet and, with several nodes, PodDisruptionBudget of one
    environment."""

    def __init__(self, folder: Folder, environment: Environment) -> None:
        super().__init__(folder, REDIS_NAME)
        self._environment = environment
        self._one = IN_CLUSTER_REDIS[environment.name]
        self._files = settings(self._one)
        k8s.KubeConfigMap(self, "Settings", metadata=self._metadata(), data=self._files)
        k8s.KubeServiceAccount(self, "Account", metadata=self._metadata(), automount_service_account_token=False)
        self._service()
        self._nodes()
        if self._one.sentinel:
            k8s.KubePodDisruptionBudget(
                self,
                "Budget",
                metadata=self._metadata(),
                spec=k8s.PodDisruptionBudgetSpec(
                    max_unavailable=k8s.IntOrString.from_number(1),
                    selector=k8s.LabelSelector(match_labels=pods.selector(REDIS_NAME)),
                ),
            )

    def _metadata(self) -> k8s.ObjectMeta:
        return k8s.ObjectMeta(
            name=REDIS_NAME,
            namespace=self._environment.namespace,
            labels=pods.labels(REDIS_NAME, component="cache"),
        )

    def _service(self) -> None:
        ports = {"redis": REDIS_PORT, **({"sentinel": SENTINEL_PORT} if self._one.sentinel else {})}
        k8s.KubeService(
            self,
            "Service",
            metadata=self._metadata(),
            spec=k8s.ServiceSpec(
                cluster_ip="None",
                selector=pods.selector(REDIS_NAME),
                # Nodes find each other before any is ready.
                publish_not_ready_addresses=self._one.sentinel,
                ports=[
                    k8s.ServicePort(name=name, port=port, target_port=k8s.IntOrString.from_number(port), protocol="TCP")
                    for name, port in ports.items()
                ],
            ),
        )

    def _nodes(self) -> None:
        one, selector = self._one, k8s.LabelSelector(match_labels=pods.selector(REDIS_NAME))
        digest = hashlib.sha256("".join(self._files.values()).encode()).hexdigest()[:12]
        k8s.KubeStatefulSet(
            self,
            "Nodes",
            metadata=self._metadata(),
            spec=k8s.StatefulSetSpec(
                replicas=one.nodes,
                service_name=REDIS_NAME,
                # All at once: after a loss of all nodes no order decides who comes back.
                pod_management_policy="Parallel",
                selector=selector,
                template=k8s.PodTemplateSpec(
                    metadata=k8s.ObjectMeta(
                        labels=pods.labels(REDIS_NAME, component="cache"), annotations={SUM: digest}
                    ),
                    spec=k8s.PodSpec(
                        service_account_name=REDIS_NAME,
                        automount_service_account_token=False,
                        enable_service_links=False,
                        priority_class_name=self._environment.priority_class,
                        termination_grace_period_seconds=one.grace,
                        security_context=pods.pod_security(uid=VALKEY_UID, gid=VALKEY_GID),
                        affinity=_apart(selector) if one.sentinel else None,
                        init_containers=[self._configure()] if one.sentinel else None,
                        containers=[self._server(), *([self._watcher()] if one.sentinel else [])],
                        volumes=self._volumes(),
                    ),
                ),
                volume_claim_templates=[
                    k8s.KubePersistentVolumeClaimProps(
                        metadata=k8s.ObjectMeta(name="data"),
                        spec=k8s.PersistentVolumeClaimSpec(
                            access_modes=["ReadWriteOnce"],
                            resources=k8s.VolumeResourceRequirements(
                                requests={"storage": k8s.Quantity.from_string(f"{one.volume_gib}Gi")}
                            ),
                        ),
                    )
                ],
            ),
        )

    def _server(self) -> k8s.Container:
        one = self._one
        leave = k8s.Lifecycle(
            pre_stop=k8s.LifecycleHandler(exec=k8s.ExecAction(command=["sh", f"{SETTINGS}/leave.sh"]))
        )
        return k8s.Container(
            name="valkey",
            image=VALKEY_IMAGE,
            command=["valkey-server", f"{RUN if one.sentinel else SETTINGS}/valkey.conf"],
            env=self._environment_of(),
            ports=[k8s.ContainerPort(name="redis", container_port=REDIS_PORT, protocol="TCP")],
            lifecycle=leave if one.sentinel else None,
            readiness_probe=_ready(REDIS_PORT),
            liveness_probe=_alive(REDIS_PORT),
            resources=_memory(one.cpu, one.memory_mib),
            security_context=pods.container_security(),
            volume_mounts=self._mounts(),
        )

    def _watcher(self) -> k8s.Container:
        return k8s.Container(
            name="sentinel",
            image=VALKEY_IMAGE,
            command=["valkey-sentinel", f"{DATA}/sentinel.conf"],
            ports=[k8s.ContainerPort(name="sentinel", container_port=SENTINEL_PORT, protocol="TCP")],
            readiness_probe=_ready(SENTINEL_PORT),
            liveness_probe=_alive(SENTINEL_PORT),
            resources=_memory(self._one.sentinel_cpu, self._one.sentinel_memory_mib),
            security_context=pods.container_security(),
            volume_mounts=self._mounts(token=False),
        )

    def _configure(self) -> k8s.Container:
        return k8s.Container(
            name="configure",
            image=VALKEY_IMAGE,
            command=["sh", f"{SETTINGS}/configure.sh"],
            env=self._environment_of(),
            resources=_memory(self._one.sentinel_cpu, self._one.sentinel_memory_mib),
            security_context=pods.container_security(),
            volume_mounts=self._mounts(),
        )

    def _environment_of(self) -> list[k8s.EnvVar] | None:
        if not self._one.sentinel:
            return None
        name = k8s.EnvVarSource(field_ref=k8s.ObjectFieldSelector(field_path="metadata.name"))
        return [
            k8s.EnvVar(name="NODE", value_from=name),
            *(k8s.EnvVar(name=key, value=value) for key, value in environment_variables(self._environment).items()),
        ]

    def _mounts(self, *, token: bool = True) -> list[k8s.VolumeMount]:
        places: Mapping[str, tuple[str, bool]] = {
            "settings": (SETTINGS, True),
            "data": (DATA, False),
            **({"run": (RUN, False)} if self._one.sentinel else {}),
            **({"token": (pods.SECRETS_MOUNT, True)} if self._one.sentinel and token else {}),
        }
        return [
            k8s.VolumeMount(name=name, mount_path=path, read_only=True if fixed else None)
            for name, (path, fixed) in places.items()
        ]

    def _volumes(self) -> list[k8s.Volume]:
        found = [k8s.Volume(name="settings", config_map=k8s.ConfigMapVolumeSource(name=REDIS_NAME))]
        if self._one.sentinel:
            found += [
                k8s.Volume(
                    name="run",
                    empty_dir=k8s.EmptyDirVolumeSource(medium="Memory", size_limit=k8s.Quantity.from_string("1Mi")),
                ),
                k8s.Volume(name="token", secret=k8s.SecretVolumeSource(secret_name=TOKEN_SECRET, default_mode=0o440)),
            ]
        return found


def _apart(selector: k8s.LabelSelector) -> k8s.Affinity:
    """A zone that is lost takes one node with it."""
    return k8s.Affinity(
        pod_anti_affinity=k8s.PodAntiAffinity(
            required_during_scheduling_ignored_during_execution=[
                k8s.PodAffinityTerm(label_selector=selector, topology_key=_ZONE)
            ]
        )
    )


def _memory(cpu: float, memory_mib: int) -> k8s.ResourceRequirements:
    memory = pods.mebibytes(memory_mib)
    return pods.resources({"cpu": pods.cores(cpu), "memory": memory}, {"memory": memory})


def _ready(port: int) -> k8s.Probe:
    """It has its data."""
    return k8s.Probe(
        exec=k8s.ExecAction(command=["sh", f"{SETTINGS}/ready.sh", str(port)]),
        period_seconds=5,
        timeout_seconds=5,
        failure_threshold=3,
    )


def _alive(port: int) -> k8s.Probe:
    """It listens: reading a large file takes long, and is no reason to begin again."""
    return k8s.Probe(
        tcp_socket=k8s.TcpSocketAction(port=k8s.IntOrString.from_number(port)),
        initial_delay_seconds=10,
        period_seconds=10,
        timeout_seconds=3,
        failure_threshold=6,
    )
