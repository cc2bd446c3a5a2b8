"""Every pod of the platform that is not ours: what it asks for, how many there are, and on which nodes they run.

Helm values and manifests take their requests and limits from here, and `blueprint.capacity` counts the same rows. The
requests of EKS's own add-ons are theirs and are only stated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from blueprint.workloads import WORKLOADS

Place = Literal["system", "general", "gpu", "every"]
"""`system` pods select the node group's label, `general` ones the pool's (`blueprint.pools.GENERAL.labels`): without
it they would fill the system nodes while no other node is there, and stay. `gpu` and `every` are DaemonSets, one pod a
node; `every` is every node, whatever its taints."""
PRIORITY_CLASS = "platform-critical"
PRIORITY = 10_000_000
"""Of everything that keeps the cluster going. Above prod-high: system nodes carry no taint, and a service that finds no
other place must not evict ArgoCD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Pods of one workload. CPU in cores, memory in MiB, both summed over a pod's containers.

    `memory_limit_mib` is None where nothing limits a pod. `assumed_mib` is what a pod that asks for no memory is taken
    to use: the scheduler counts nothing for it, the proof does. Exactly one of `chart` (a key of `blueprint.charts`),
    `addon` (`blueprint.addons`) and `folder` (below gitops/) says where it comes from. `replicas` is the most there are
    at one time; a DaemonSet has as many as nodes.
    """

    name: str
    namespace: str
    place: Place
    cpu: float
    memory_mib: int
    memory_limit_mib: int | None
    assumed_mib: int = 0
    replicas: int = 1
    chart: str = ""
    addon: str = ""
    folder: str = ""
    priority_class: str = PRIORITY_CLASS

    @property
    def daemon(self) -> bool:
        """Whether each node of its kind has one."""
        return self.place in ("gpu", "every")

    @property
    def source(self) -> str:
        return self.chart or self.addon or self.folder


Size = tuple[float, int, int | None]
"""CPU in cores, memory in MiB, memory limit in MiB."""


def _addon(addon: str, name: str, place: Place, size: Size, *, replicas: int = 1, assumed_mib: int = 0) -> Component:
    cpu, memory, limit = size
    return Component(
        name=name,
        namespace="kube-system",
        place=place,
        cpu=cpu,
        memory_mib=memory,
        memory_limit_mib=limit,
        assumed_mib=assumed_mib,
        replicas=replicas,
        addon=addon,
        priority_class="system-node-critical" if place == "every" else "system-cluster-critical",
    )


def _chart(
    chart: str,
    workload: tuple[str, str],
    place: Place,
    size: Size,
    *,
    replicas: int = 1,
    priority_class: str = PRIORITY_CLASS,
) -> Component:
    (namespace, name), (cpu, memory, limit) = workload, size
    return Component(
        name=name,
        namespace=namespace,
        place=place,
        cpu=cpu,
        memory_mib=memory,
        memory_limit_mib=limit,
        replicas=replicas,
        chart=chart,
        priority_class=priority_class,
    )


_ADDONS = (
    # two containers, 25m each: the CNI and the network policy agent
    _addon("vpc-cni", "aws-node", "every", (0.05, 0, None), assumed_mib=100),
    _addon("kube-proxy", "kube-proxy", "every", (0.1, 0, None), assumed_mib=50),
    _addon("eks-pod-identity-agent", "eks-pod-identity-agent", "every", (0, 0, None), assumed_mib=40),
    _addon("coredns", "coredns", "system", (0.1, 70, 170), replicas=2),
    # selects no node, but comes before Karpenter does and then stays where it started
    _addon("metrics-server", "metrics-server", "system", (0.1, 200, 400), replicas=2),
    # six containers and three, 10m and 40Mi each, limited to 256Mi each
    _addon("aws-ebs-csi-driver", "ebs-csi-controller", "system", (0.06, 240, 1536), replicas=2),
    _addon("aws-ebs-csi-driver", "ebs-csi-node", "every", (0.03, 120, 768)),
    _addon("aws-efs-csi-driver", "efs-csi-controller", "system", (0, 0, None), replicas=2, assumed_mib=100),
    # with a proxy for TLS beside it for each file system that is mounted
    _addon("aws-efs-csi-driver", "efs-csi-node", "every", (0, 0, None), assumed_mib=150),
)
"""Requests as EKS installs them: the charts of amazon-vpc-cni-k8s (v1.15 and later, with the agent), of
eks-pod-identity-agent and of the two CSI drivers (kubernetes-sigs), and EKS's own manifests of CoreDNS, kube-proxy and
metrics-server. What pods without a request use is an assumption."""
_SYSTEM = (
    _chart("karpenter", ("karpenter", "karpenter"), "system", (0.25, 384, 1024), replicas=2),
    _chart(
        "aws-load-balancer-controller",
        ("kube-system", "aws-load-balancer-controller"),
        "system",
        (0.1, 128, 256),
        replicas=2,
        priority_class="system-cluster-critical",
    ),
    _chart("argo-cd", ("argocd", "argocd-application-controller"), "system", (0.25, 640, 1536)),
    _chart("argo-cd", ("argocd", "argocd-repo-server"), "system", (0.2, 384, 1024)),
    _chart("argo-cd", ("argocd", "argocd-server"), "system", (0.1, 128, 256)),
    _chart("argo-cd", ("argocd", "argocd-applicationset-controller"), "system", (0.05, 128, 256)),
    _chart("argo-cd", ("argocd", "argocd-redis"), "system", (0.05, 64, 128)),
)
_SECRET_CONTROLLERS = tuple(
    one.service_account for one in WORKLOADS.values() if one.namespace == "external-secrets" and one.service_account
)
"""A controller a service account: with Pod Identity the credentials are the pod's own, so one that read for all
environments would have the rights of all."""
_GENERAL = (
    _chart("keda", ("keda", "keda-operator"), "general", (0.1, 128, 512)),
    _chart("keda", ("keda", "keda-metrics-apiserver"), "general", (0.05, 128, 256)),
    _chart("keda", ("keda", "keda-admission-webhooks"), "general", (0.025, 64, 128)),
    *(_chart(name, ("external-secrets", name), "general", (0.025, 96, 192)) for name in _SECRET_CONTROLLERS),
    _chart("external-secrets-shared", ("external-secrets", "external-secrets-webhook"), "general", (0.025, 64, 128)),
    _chart(
        "external-secrets-shared", ("external-secrets", "external-secrets-cert-controller"), "general", (0.025, 96, 192)
    ),
    _chart("velero", ("velero", "velero"), "general", (0.1, 256, 512)),
    _chart("kube-prometheus-stack", ("monitoring", "prometheus-operator"), "general", (0.1, 128, 256)),
    _chart("kube-prometheus-stack", ("monitoring", "prometheus"), "general", (0.5, 3072, 4096)),
    _chart("kube-prometheus-stack", ("monitoring", "alertmanager"), "general", (0.05, 128, 256)),
    _chart("kube-prometheus-stack", ("monitoring", "grafana"), "general", (0.2, 512, 1024)),
    _chart("kube-prometheus-stack", ("monitoring", "kube-state-metrics"), "general", (0.05, 128, 256)),
    _chart("cloudwatch-exporter", ("monitoring", "cloudwatch-exporter"), "general", (0.05, 64, 128)),
    _chart("gha-runner-scale-set-controller", ("ci-runners", "actions-runner-controller"), "general", (0.05, 128, 256)),
    _chart("gha-runner-scale-set", ("ci-runners", "actions-runner-listener"), "general", (0.05, 64, 128)),
    _chart(
        "gha-runner-scale-set",
        ("ci-runners", "actions-runner"),
        "general",
        (0.5, 1024, 2048),
        replicas=4,
        priority_class="",
    ),
)
_DAEMONS = (
    _chart("kube-prometheus-stack", ("monitoring", "node-exporter"), "every", (0.05, 32, 64)),
    _chart("fluent-bit", ("monitoring", "fluent-bit"), "every", (0.05, 100, 200)),
    _chart("dcgm-exporter", ("monitoring", "dcgm-exporter"), "gpu", (0.1, 256, 512)),
    Component(
        name="nvidia-device-plugin",
        namespace="kube-system",
        place="gpu",
        cpu=0.05,
        memory_mib=64,
        memory_limit_mib=128,
        folder="platform/nvidia",
        priority_class="system-node-critical",
    ),
)
COMPONENTS: Mapping[str, Component] = MappingProxyType(
    {one.name: one for one in (*_ADDONS, *_SYSTEM, *_GENERAL, *_DAEMONS)}
)
