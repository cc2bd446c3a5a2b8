"""One of the five services in Kubernetes: all that a Deployment behind the load balancer needs, in one construct.

Without an environment it makes what all environments share, the base; with one it makes the service whole, as Kustomize
puts it together of the base and the environment's overlay.
"""

from collections.abc import Mapping

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.environments import Replicas
from blueprint.maxima import SURGE
from blueprint.rollout import AUTOSCALING, ROLLOUT, Autoscaling, Probe, Rollout
from k8s_charts.components import pods
from k8s_charts.components.service_overlay import environment_objects
from k8s_charts.components.service_shape import CHECKSUM, FIRST, LAST, Particulars, Shape, requirements

PORT = "http"
_ZONE, _HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


class WebService(Construct):
    """Deployment, Service, ServiceAccount, HorizontalPodAutoscaler and PodDisruptionBudget; with `own` everything of
    one environment too.

    Raises:
        RuleError: a number that nothing can be built from, by `blueprint.rollout.check`, which callers ask first.
    """

    def __init__(
        self,
        scope: Construct,
        shape: Shape,
        *,
        own: Particulars | None = None,
        rollout: Rollout = ROLLOUT,
        autoscaling: Autoscaling = AUTOSCALING,
    ) -> None:
        super().__init__(scope, shape.name)
        self._shape, self._own, self._rollout = shape, own, rollout
        self._account()
        self._service()
        self._deployment()
        self._budget()
        self._autoscaler(autoscaling)
        if own is not None:
            environment_objects(self, shape, own, whole=True)

    def _metadata(self, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
        own = self._own
        labels = pods.labels(self._shape.name, component="api") | (dict(own.labels) if own else {})
        return k8s.ObjectMeta(
            name=self._shape.name,
            namespace=own.environment.namespace if own else None,
            labels=labels,
            annotations=dict(annotations) if annotations else None,
        )

    def _account(self) -> None:
        k8s.KubeServiceAccount(self, "Account", metadata=self._metadata(FIRST), automount_service_account_token=False)

    def _service(self) -> None:
        port = self._shape.service.port
        k8s.KubeService(
            self,
            "Service",
            metadata=self._metadata(FIRST),
            spec=k8s.ServiceSpec(
                type="ClusterIP",
                selector=pods.selector(self._shape.name),
                ports=[
                    k8s.ServicePort(
                        name=PORT,
                        port=port,
                        target_port=k8s.IntOrString.from_number(port),
                        protocol="TCP",
                        app_protocol="http",
                    )
                ],
            ),
        )

    def _budget(self) -> None:
        k8s.KubePodDisruptionBudget(
            self,
            "Budget",
            metadata=self._metadata(),
            spec=k8s.PodDisruptionBudgetSpec(
                max_unavailable=k8s.IntOrString.from_string(_percent(self._rollout.disrupted)),
                # A pod that is not ready serves nobody, so it may always go.
                unhealthy_pod_eviction_policy="AlwaysAllow",
                selector=k8s.LabelSelector(match_labels=pods.selector(self._shape.name)),
            ),
        )

    def _autoscaler(self, scaling: Autoscaling) -> None:
        replicas = self._own.environment.replicas if self._own else Replicas(1, 1)
        k8s.KubeHorizontalPodAutoscalerV2(
            self,
            "Autoscaler",
            metadata=self._metadata(LAST),
            spec=k8s.HorizontalPodAutoscalerSpecV2(
                scale_target_ref=k8s.CrossVersionObjectReferenceV2(
                    api_version="apps/v1", kind="Deployment", name=self._shape.name
                ),
                min_replicas=replicas.minimum,
                max_replicas=replicas.maximum,
                metrics=[
                    k8s.MetricSpecV2(
                        type="Resource",
                        resource=k8s.ResourceMetricSourceV2(
                            name="cpu",
                            target=k8s.MetricTargetV2(type="Utilization", average_utilization=scaling.cpu_percent),
                        ),
                    )
                ],
                behavior=k8s.HorizontalPodAutoscalerBehaviorV2(
                    scale_up=k8s.HpaScalingRulesV2(
                        stabilization_window_seconds=0,
                        select_policy="Max",
                        policies=[
                            _policy("Percent", scaling.up_percent, scaling.up_period),
                            _policy("Pods", scaling.up_pods, scaling.up_period),
                        ],
                    ),
                    scale_down=k8s.HpaScalingRulesV2(
                        stabilization_window_seconds=scaling.down_stabilization,
                        select_policy="Max",
                        policies=[_policy("Percent", scaling.down_percent, scaling.down_period)],
                    ),
                ),
            ),
        )

    def _deployment(self) -> None:
        """Without `replicas`: the autoscaler's number would be set back by every sync."""
        shape, own, rollout = self._shape, self._own, self._rollout
        labels = pods.labels(shape.name, component="api") | (dict(own.labels) if own else {})
        k8s.KubeDeployment(
            self,
            "Deployment",
            metadata=self._metadata(LAST),
            spec=k8s.DeploymentSpec(
                revision_history_limit=rollout.history,
                progress_deadline_seconds=rollout.progress_deadline,
                selector=k8s.LabelSelector(match_labels=pods.selector(shape.name)),
                strategy=k8s.DeploymentStrategy(
                    type="RollingUpdate",
                    rolling_update=k8s.RollingUpdateDeployment(
                        max_surge=k8s.IntOrString.from_string(_percent(SURGE)),
                        max_unavailable=k8s.IntOrString.from_number(0),
                    ),
                ),
                template=k8s.PodTemplateSpec(
                    metadata=k8s.ObjectMeta(
                        labels=labels, annotations={CHECKSUM: own.configuration.checksum} if own else None
                    ),
                    spec=k8s.PodSpec(
                        service_account_name=shape.name,
                        automount_service_account_token=False,
                        enable_service_links=False,
                        priority_class_name=own.environment.priority_class if own else None,
                        security_context=pods.pod_security(uid=shape.uid, gid=shape.gid),
                        termination_grace_period_seconds=rollout.grace,
                        topology_spread_constraints=[self._spread(_ZONE), self._spread(_HOST)],
                        containers=[self._container()],
                        volumes=self._volumes(),
                    ),
                ),
            ),
        )

    def _spread(self, key: str) -> k8s.TopologySpreadConstraint:
        """Even where it can be: a zone without capacity must not keep a service from growing in the others. GPU nodes
        do not count, since their taint keeps these pods off."""
        return k8s.TopologySpreadConstraint(
            max_skew=1,
            topology_key=key,
            when_unsatisfiable="ScheduleAnyway",
            node_taints_policy="Honor",
            match_label_keys=["pod-template-hash"],
            label_selector=k8s.LabelSelector(match_labels=pods.selector(self._shape.name)),
        )

    def _container(self) -> k8s.Container:
        shape, own, rollout = self._shape, self._own, self._rollout
        variables = own.configuration.variables if own else shape.variables
        return k8s.Container(
            name=shape.name,
            image=own.image if own else shape.name,
            # Tags never move, so a node that has the image starts the pod though the registry is away.
            image_pull_policy="IfNotPresent",
            ports=[k8s.ContainerPort(name=PORT, container_port=shape.service.port, protocol="TCP")],
            env_from=[k8s.EnvFromSource(config_map_ref=k8s.ConfigMapEnvSource(name=shape.name))],
            env=[
                k8s.EnvVar(
                    name=name,
                    value_from=k8s.EnvVarSource(secret_key_ref=k8s.SecretKeySelector(name=shape.name, key=name)),
                )
                for name in sorted(variables, key=lambda name: (name in shape.variables, name))
            ],
            startup_probe=self._probe(rollout.startup),
            readiness_probe=self._probe(rollout.readiness),
            liveness_probe=self._probe(rollout.liveness),
            lifecycle=k8s.Lifecycle(
                pre_stop=k8s.LifecycleHandler(sleep=k8s.SleepAction(seconds=rollout.pre_stop)),
            ),
            security_context=pods.container_security(),
            resources=pods.resources(**requirements(shape.service)) if own else None,
            volume_mounts=[
                k8s.VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108 (the pod's own)
                k8s.VolumeMount(name="secrets", mount_path=pods.SECRETS_MOUNT, read_only=True),
                *(k8s.VolumeMount(name=claim.name, mount_path=claim.mount) for claim in shape.claims),
            ],
        )

    def _probe(self, probe: Probe) -> k8s.Probe:
        return pods.http_probe(
            probe.path, self._shape.service.port, period=probe.period, timeout=probe.timeout, failures=probe.failures
        )

    def _volumes(self) -> list[k8s.Volume]:
        shape = self._shape
        size = k8s.Quantity.from_string(pods.mebibytes(self._rollout.tmp_mib))
        return [
            k8s.Volume(name="tmp", empty_dir=k8s.EmptyDirVolumeSource(size_limit=size)),
            pods.secret_files(shape.name, {file: file for file in shape.files}),
            *(
                k8s.Volume(
                    name=claim.name,
                    persistent_volume_claim=k8s.PersistentVolumeClaimVolumeSource(claim_name=claim.name),
                )
                for claim in shape.claims
            ),
        ]


def _policy(kind: str, value: int, period: int) -> k8s.HpaScalingPolicyV2:
    return k8s.HpaScalingPolicyV2(type=kind, value=value, period_seconds=period)


def _percent(share: float) -> str:
    return f"{share:.0%}"
