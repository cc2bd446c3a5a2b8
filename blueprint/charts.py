"""Helm charts that ArgoCD installs: where from, which version, where to, and in which order.

Every version was seen as a release or in use when it was chosen (November 2026). Karpenter alone names Kubernetes 1.35
(from 1.9 on); the load balancer controller asks for 1.22 or newer, and the others follow Kubernetes' newest minors
without a table that reaches so far. A version moves by a change here: one line of a diff in gitops/, and a sync.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.workloads import WORKLOADS


class Wave(IntEnum):
    """The order in which ArgoCD brings the cluster up; it waits until what belongs to a wave is healthy."""

    PROJECTS = 0
    GROUND = 1
    """Namespaces, priority classes, admission."""
    CRDS = 2
    """Kinds that others' manifests name, ArgoCD itself, and the guard rails of the environments."""
    NODES = 3
    """Karpenter, on system nodes."""
    POOLS = 4
    """What Karpenter starts nodes for; from here on pods need no system node."""
    CONTROLLERS = 5
    SECRETS = 6
    """Stores and the controllers that read through them: neither is healthy without the other."""
    CUSTOM = 7
    """What is made of the kinds so far: rules, dashboards, secrets of the next wave, the database's roles."""
    SERVICES = 8
    """Monitoring, backup, the runners' controller."""
    RUNNERS = 9
    APPLICATIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One release of a chart. `name` is its ArgoCD application and its folder below gitops/addons/.

    `accounts` are the service accounts whose names matter, since EKS Pod Identity binds roles by them. `brings` are the
    API groups of the custom resource definitions that it installs.
    """

    name: str
    repository: str
    chart: str
    version: str
    app_version: str
    namespace: str
    wave: Wave
    release: str = ""
    accounts: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()

    @property
    def release_name(self) -> str:
        """What Helm calls it, and most of its objects are named after.

        >>> CHARTS["argo-cd"].release_name, CHARTS["keda"].release_name
        ('argocd', 'keda')
        """
        return self.release or self.name

    @property
    def oci(self) -> bool:
        return self.repository.startswith("oci://")

    @property
    def source(self) -> str:
        """The repository as ArgoCD wants it: of a registry without the scheme (Argo CD documentation, "Helm").

        >>> CHARTS["karpenter"].source
        'public.ecr.aws/karpenter'
        """
        return self.repository.removeprefix("oci://")


_KARPENTER = "1.14.1"
_RUNNERS = "0.14.2"
_RUNNERS_REPOSITORY = "oci://ghcr.io/actions/actions-runner-controller-charts"
SHARED = "external-secrets-shared"


def _external_secrets() -> tuple[Chart, ...]:
    """A release a store: with Pod Identity the credentials are the pod's, so one controller would have every store's.

    One more has the definitions alone, for stores and controllers come together; `SHARED` has the webhook for all.
    """
    accounts = [one.service_account for one in WORKLOADS.values() if one.namespace == "external-secrets"]
    definitions = Chart(
        name="external-secrets-crds",
        repository="https://charts.external-secrets.io",
        chart="external-secrets",
        version="2.9.0",
        app_version="v2.9.0",
        namespace="external-secrets",
        wave=Wave.CRDS,
        brings=("external-secrets.io", "generators.external-secrets.io"),
    )
    releases = (
        replace(definitions, name=account, wave=Wave.SECRETS, accounts=(account,), brings=()) for account in accounts
    )
    return (definitions, *releases)


def secret_namespaces() -> Mapping[str, str]:
    """The one namespace that each External Secrets release writes to, by release.

    >>> secret_namespaces()["external-secrets-shared"]
    'monitoring'
    """
    environments = {f"external-secrets-{one.name}": one.namespace for one in CLUSTER_ENVIRONMENTS}
    return MappingProxyType({**environments, SHARED: "monitoring", "external-secrets-bootstrap": "bootstrap"})


_ALL = (
    Chart(
        name="argo-cd",
        repository="https://argoproj.github.io/argo-helm",
        chart="argo-cd",
        version="9.5.21",
        app_version="v3.4.3",
        namespace="argocd",
        wave=Wave.CRDS,
        release="argocd",
        brings=("argoproj.io",),
    ),
    Chart(
        name="prometheus-operator-crds",
        repository="https://prometheus-community.github.io/helm-charts",
        chart="prometheus-operator-crds",
        version="32.0.0",
        app_version="v0.94.0",
        namespace="monitoring",
        wave=Wave.CRDS,
        brings=("monitoring.coreos.com",),
    ),
    Chart(
        name="karpenter-crd",
        repository="oci://public.ecr.aws/karpenter",
        chart="karpenter-crd",
        version=_KARPENTER,
        app_version=_KARPENTER,
        namespace="karpenter",
        wave=Wave.CRDS,
        brings=("karpenter.sh", "karpenter.k8s.aws"),
    ),
    Chart(
        name="karpenter",
        repository="oci://public.ecr.aws/karpenter",
        chart="karpenter",
        version=_KARPENTER,
        app_version=_KARPENTER,
        namespace="karpenter",
        wave=Wave.NODES,
        accounts=(WORKLOADS["karpenter"].service_account,),
    ),
    Chart(
        name="aws-load-balancer-controller",
        repository="https://aws.github.io/eks-charts",
        chart="aws-load-balancer-controller",
        version="3.5.0",
        app_version="v3.5.0",
        namespace="kube-system",
        wave=Wave.CONTROLLERS,
        accounts=(WORKLOADS["aws-load-balancer-controller"].service_account,),
        brings=("elbv2.k8s.aws", "gateway.k8s.aws", "aga.k8s.aws"),
    ),
    Chart(
        name="keda",
        repository="https://kedacore.github.io/charts",
        chart="keda",
        version="2.20.2",
        app_version="2.20.2",
        namespace="keda",
        wave=Wave.CONTROLLERS,
        brings=("keda.sh", "eventing.keda.sh"),
    ),
    *_external_secrets(),
    Chart(
        name="velero",
        repository="https://vmware-tanzu.github.io/helm-charts",
        chart="velero",
        version="12.0.3",
        app_version="1.18.1",
        namespace="velero",
        wave=Wave.SERVICES,
        accounts=(WORKLOADS["velero"].service_account,),
        brings=("velero.io",),
    ),
    Chart(
        name="kube-prometheus-stack",
        repository="https://prometheus-community.github.io/helm-charts",
        chart="kube-prometheus-stack",
        version="91.9.0",
        app_version="v0.94.1",
        namespace="monitoring",
        wave=Wave.SERVICES,
        release="monitoring",
        accounts=(WORKLOADS["alertmanager"].service_account,),
    ),
    Chart(
        name="dcgm-exporter",
        repository="https://nvidia.github.io/dcgm-exporter/helm-charts",
        chart="dcgm-exporter",
        version="4.8.3",
        app_version="4.8.3",
        namespace="monitoring",
        wave=Wave.SERVICES,
    ),
    Chart(
        name="cloudwatch-exporter",
        repository="https://prometheus-community.github.io/helm-charts",
        chart="prometheus-yet-another-cloudwatch-exporter",
        version="0.47.0",
        app_version="v0.67.0",
        namespace="monitoring",
        wave=Wave.SERVICES,
        accounts=(WORKLOADS["cloudwatch-exporter"].service_account,),
    ),
    Chart(
        name="fluent-bit",
        repository="https://fluent.github.io/helm-charts",
        chart="fluent-bit",
        version="0.58.1",
        app_version="5.1.1",
        namespace="monitoring",
        wave=Wave.SERVICES,
        accounts=(WORKLOADS["fluent-bit"].service_account,),
    ),
    Chart(
        name="gha-runner-scale-set-controller",
        repository=_RUNNERS_REPOSITORY,
        chart="gha-runner-scale-set-controller",
        version=_RUNNERS,
        app_version=_RUNNERS,
        namespace="ci-runners",
        wave=Wave.SERVICES,
        brings=("actions.github.com",),
    ),
    Chart(
        name="gha-runner-scale-set",
        repository=_RUNNERS_REPOSITORY,
        chart="gha-runner-scale-set",
        version=_RUNNERS,
        app_version=_RUNNERS,
        namespace="ci-runners",
        wave=Wave.RUNNERS,
        release="pingvas-runners",
    ),
)
CHARTS: Mapping[str, Chart] = MappingProxyType({chart.name: chart for chart in _ALL})
