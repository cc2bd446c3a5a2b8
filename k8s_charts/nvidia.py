"""platform/nvidia: the device plugin, which tells Kubernetes of a node's GPU."""

from cdk8s_plus_35 import k8s

from blueprint.components import COMPONENTS
from blueprint.node_classes import DEVICE_PLUGIN_IMAGE
from blueprint.pools import GPU
from k8s_charts.components.pods import cores, labels, mebibytes, resources, selector
from k8s_charts.folder import Folder, GitOps

NAME = "nvidia-device-plugin"
SOCKETS = "/var/lib/kubelet/device-plugins"
"""Where kubelet listens for device plugins; kubelet makes the folder, for root alone."""


def add(app: GitOps) -> None:
    """Adds the folder. A whole GPU a pod: nothing is shared, no time slices, no partitions."""
    row = COMPONENTS[NAME]
    folder = Folder(app, "platform/nvidia", namespace=row.namespace)
    marks = labels(NAME, component="device-plugin")
    k8s.KubeServiceAccount(
        folder,
        "Account",
        metadata=k8s.ObjectMeta(name=NAME, labels=marks),
        automount_service_account_token=False,
    )
    settings = {
        "FAIL_ON_INIT_ERROR": "true",
        "MIG_STRATEGY": "none",
        "DEVICE_LIST_STRATEGY": "envvar",
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    }
    container = k8s.Container(
        name="plugin",
        image=DEVICE_PLUGIN_IMAGE,
        env=[k8s.EnvVar(name=name, value=value) for name, value in settings.items()],
        resources=resources(
            {"cpu": cores(row.cpu), "memory": mebibytes(row.memory_mib)},
            {"memory": mebibytes(row.memory_limit_mib)} if row.memory_limit_mib else {},
        ),
        security_context=k8s.SecurityContext(
            # Its socket lies in a folder that only root may write; of root's rights it keeps none else.
            run_as_user=0,
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.Capabilities(drop=["ALL"]),
        ),
        volume_mounts=[k8s.VolumeMount(name="sockets", mount_path=SOCKETS)],
    )
    k8s.KubeDaemonSet(
        folder,
        "DaemonSet",
        metadata=k8s.ObjectMeta(name=NAME, labels=marks),
        spec=k8s.DaemonSetSpec(
            selector=k8s.LabelSelector(match_labels=selector(NAME)),
            update_strategy=k8s.DaemonSetUpdateStrategy(
                type="RollingUpdate",
                rolling_update=k8s.RollingUpdateDaemonSet(max_unavailable=k8s.IntOrString.from_number(1)),
            ),
            template=k8s.PodTemplateSpec(
                metadata=k8s.ObjectMeta(labels=marks),
                spec=k8s.PodSpec(
                    service_account_name=NAME,
                    automount_service_account_token=False,
                    priority_class_name=row.priority_class,
                    node_selector=dict(GPU.labels),
                    tolerations=[k8s.Toleration(operator="Exists")],
                    security_context=k8s.PodSecurityContext(
                        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
                    ),
                    containers=[container],
                    volumes=[
                        k8s.Volume(
                            name="sockets",
                            host_path=k8s.HostPathVolumeSource(path=SOCKETS, type="Directory"),
                        )
                    ],
                ),
            ),
        ),
    )
