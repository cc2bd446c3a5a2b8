"""Who may read what in Kubernetes, beside EKS's own access policies, which know Kubernetes' own kinds alone."""

from cdk8s_plus_35 import k8s

from blueprint.cluster import ACCESS
from k8s_charts.folder import Folder

VIEW = "pingvas-view"
VIEWED = {
    "argoproj.io": ("applications", "applicationsets", "appprojects"),
    "elbv2.k8s.aws": ("targetgroupbindings",),
    "external-secrets.io": ("clustersecretstores", "externalsecrets"),
    "karpenter.k8s.aws": ("ec2nodeclasses",),
    "karpenter.sh": ("nodeclaims", "nodepools"),
    "keda.sh": ("scaledobjects", "triggerauthentications"),
    "monitoring.coreos.com": ("podmonitors", "prometheusrules", "servicemonitors"),
}
"""Custom resources that name secrets at most; none holds one."""


def access(folder: Folder) -> None:
    """One role to look at custom resources, a part of Kubernetes' own `view`, bound where an access entry has a group.

    What ArgoCD applies nobody else changes: no role of ours writes.
    """
    k8s.KubeClusterRole(
        folder,
        "View",
        metadata=k8s.ObjectMeta(name=VIEW, labels={"rbac.authorization.k8s.io/aggregate-to-view": "true"}),
        rules=[
            k8s.PolicyRule(api_groups=[group], resources=list(kinds), verbs=["get", "list", "watch"])
            for group, kinds in VIEWED.items()
        ],
    )
    for entry in ACCESS:
        for group in entry.groups:
            for namespace in entry.namespaces:
                name = f"{group.replace(':', '-')}-in-{namespace}"
                k8s.KubeRoleBinding(
                    folder,
                    name,
                    metadata=k8s.ObjectMeta(name=name, namespace=namespace),
                    role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=VIEW),
                    subjects=[k8s.Subject(kind="Group", name=group, api_group="rbac.authorization.k8s.io")],
                )
