"""What an environment adds to one of the five services, and what it changes of the base."""

from typing import Any

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.edge import target_group
from k8s_charts.components import pods
from k8s_charts.components.external_secrets import ExternalSecret, store
from k8s_charts.components.service_shape import CHECKSUM, FIRST, Particulars, Shape, requirements
from k8s_charts.components.target_group_binding import TargetGroupBinding


def environment_objects(scope: Construct, shape: Shape, own: Particulars, *, whole: bool = False) -> None:
    """What only an environment has: ConfigMap, ExternalSecret, TargetGroupBinding. An overlay leaves namespace and
    labels to Kustomize."""
    labels = pods.labels(shape.name, component="api") | (dict(own.labels) if whole else {})
    namespace = own.environment.namespace if whole else None
    configuration = own.configuration
    k8s.KubeConfigMap(
        scope,
        "Settings",
        metadata=k8s.ObjectMeta(name=shape.name, namespace=namespace, labels=labels, annotations=FIRST),
        data=dict(sorted(configuration.plain.items())),
    )
    ExternalSecret(
        scope,
        shape.name,
        store=store(own.environment.name),
        data=configuration.remote,
        template=configuration.template,
        only_for_template=configuration.only_for_template,
        labels=labels,
        annotations=FIRST,
        namespace=namespace,
    )
    if own.balanced:
        TargetGroupBinding(
            scope,
            shape.name,
            target_group=target_group(own.environment.name, shape.service.name),
            service=shape.name,
            port=shape.service.port,
            labels=labels,
            annotations=FIRST,
            namespace=namespace,
        )


def patches(shape: Shape, own: Particulars) -> dict[str, dict[str, Any]]:
    """What an environment changes of the base, by the patch's name."""
    environment, configuration = own.environment, own.configuration
    variables = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": shape.name, "key": name}}}
        for name in sorted(set(configuration.variables) - set(shape.variables))
    ]
    container: dict[str, Any] = {"name": shape.name, "resources": requirements(shape.service)}
    if variables:
        container["env"] = variables
    return {
        "deployment": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": shape.name},
            "spec": {
                "template": {
                    "metadata": {"annotations": {CHECKSUM: configuration.checksum}},
                    "spec": {"priorityClassName": environment.priority_class, "containers": [container]},
                }
            },
        },
        "autoscaler": {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": shape.name},
            "spec": {"minReplicas": environment.replicas.minimum, "maxReplicas": environment.replicas.maximum},
        },
    }
