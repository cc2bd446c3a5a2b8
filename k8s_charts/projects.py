"""ArgoCD's projects: the platform's, which may change the cluster, and one an environment, which may not."""

from collections.abc import Sequence

from blueprint.charts import Chart, Wave
from blueprint.delivery import FOLLOWING, REPOSITORY_URL
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from k8s_charts.components.argocd import AppProject, Kind
from k8s_charts.folder import Folder

PLATFORM = "pingvas-platform"
CLUSTER_KINDS = (
    Kind("", "Namespace"),
    Kind("", "PersistentVolume"),
    Kind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    Kind("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    Kind("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    Kind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    Kind("apiextensions.k8s.io", "CustomResourceDefinition"),
    Kind("apiregistration.k8s.io", "APIService"),
    Kind("elbv2.k8s.aws", "IngressClassParams"),
    Kind("external-secrets.io", "ClusterSecretStore"),
    Kind("karpenter.k8s.aws", "EC2NodeClass"),
    Kind("karpenter.sh", "NodePool"),
    Kind("networking.k8s.io", "IngressClass"),
    Kind("rbac.authorization.k8s.io", "ClusterRole"),
    Kind("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    Kind("scheduling.k8s.io", "PriorityClass"),
    Kind("storage.k8s.io", "StorageClass"),
)
"""Cluster-wide kinds of the platform's folders and charts; another one is added here by a person who has read it."""
BESIDE_THEIR_OWN = ("kube-node-lease", "kube-system")
"""Namespaces that charts write to beside the one they are installed in: Karpenter's role for nodes' leases; roles of
Karpenter and KEDA, and the Services by which Prometheus finds Kubernetes' own parts."""
APPLICATION_KINDS = (
    Kind("", "ConfigMap"),
    Kind("", "Service"),
    Kind("", "ServiceAccount"),
    Kind("apps", "Deployment"),
    Kind("autoscaling", "HorizontalPodAutoscaler"),
    Kind("batch", "Job"),
    Kind("elbv2.k8s.aws", "TargetGroupBinding"),
    Kind("external-secrets.io", "ExternalSecret"),
    Kind("keda.sh", "ScaledObject"),
    Kind("keda.sh", "TriggerAuthentication"),
    Kind("policy", "PodDisruptionBudget"),
    Kind("rbac.authorization.k8s.io", "Role"),
    Kind("rbac.authorization.k8s.io", "RoleBinding"),
)
"""What services, workers and migrations are made of. Not among them: Secrets, whose values would be in Git; quotas,
limits and NetworkPolicies, which bind an environment and are therefore the platform's.
"""


def add(folder: Folder, charts: Sequence[Chart]) -> None:
    """The projects, in the folder that bootstraps: an application without its project does nothing."""
    environments = {one.namespace for one in CLUSTER_ENVIRONMENTS}
    AppProject(
        folder,
        "default",
        wave=Wave.PROJECTS,
        description="Admits nothing: an application names its project",
        repositories=(),
        namespaces=(),
        cluster_kinds=(),
        namespaced_kinds=(),
    )
    AppProject(
        folder,
        PLATFORM,
        wave=Wave.PROJECTS,
        description="Add-ons, node pools, namespaces, policies: what both environments stand on",
        repositories=(REPOSITORY_URL, *sorted({chart.source for chart in charts})),
        namespaces=sorted({*(chart.namespace for chart in charts), *environments, *BESIDE_THEIR_OWN, "bootstrap"}),
        cluster_kinds=CLUSTER_KINDS,
        namespaced_kinds=(Kind("*", "*"),),
    )
    for environment in CLUSTER_ENVIRONMENTS:
        _environment(folder, environment)


def _environment(folder: Folder, environment: Environment) -> None:
    manual = not FOLLOWING[environment.name].automated
    AppProject(
        folder,
        project(environment.name),
        wave=Wave.PROJECTS,
        description=f"Services, workers and migrations of {environment.name}",
        repositories=(REPOSITORY_URL,),
        namespaces=(environment.namespace,),
        cluster_kinds=(),
        namespaced_kinds=APPLICATION_KINDS,
        windows=(_BY_HAND,) if manual else (),
    )


def project(environment: str) -> str:
    """An environment's project.

    >>> project("dev")
    'pingvas-dev'
    """
    return f"pingvas-{environment}"


_BY_HAND = {
    "kind": "deny",
    "schedule": "0 0 * * *",
    "duration": "24h",
    "timeZone": "UTC",
    "applications": ["*"],
    "manualSync": True,
}
"""All day, every day: nothing syncs by itself, were somebody to switch that on in an application; people may."""
