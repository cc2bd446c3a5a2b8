"""platform/cluster: namespaces with Pod Security, priority classes, rules of admission, who may read what."""

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.components import PRIORITY, PRIORITY_CLASS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.namespaces import INGRESS, NAMESPACES, SECURITY_VERSION, Namespace, check
from blueprint.rules import demand
from k8s_charts.access import access
from k8s_charts.admission import admission
from k8s_charts.folder import Folder, GitOps

SYSTEM_PRIORITY = 1_000_000_000
"""From here on priorities are Kubernetes' own (Kubernetes documentation, "Pod Priority and Preemption")."""


def add(app: GitOps) -> None:
    """Adds the folder.

    Raises:
        RuleError: a namespace or a priority of the blueprint that cannot be.
    """
    check()
    folder = Folder(app, "platform/cluster")
    for row in (*NAMESPACES.values(), *((INGRESS,) if app.facts.in_cluster else ())):
        namespace(folder, row)
    _priorities(folder)
    admission(folder, app.facts)
    access(folder)


def namespace(scope: Construct, row: Namespace) -> k8s.KubeNamespace:
    """A namespace with its Pod Security level, which is enforced, told to whoever applies, and written to the audit
    log. ArgoCD never deletes one: everything in it would go too."""
    modes = ("enforce", "audit", "warn")
    return k8s.KubeNamespace(
        scope,
        f"Namespace-{row.name}",
        metadata=k8s.ObjectMeta(
            name=row.name,
            labels={
                # The API server sets it itself; written down, so that those who read the files can select by it too.
                "kubernetes.io/metadata.name": row.name,
                "app.kubernetes.io/part-of": "pingvas",
                **{f"pod-security.kubernetes.io/{mode}": row.level for mode in modes},
                **{f"pod-security.kubernetes.io/{mode}-version": SECURITY_VERSION for mode in modes},
                **({"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"} if row.gates else {}),
            },
            annotations={
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
                "pingvas.com/purpose": row.purpose,
                **({"pingvas.com/pod-security-reason": row.why} if row.why else {}),
            },
        ),
    )


def _priorities(folder: Folder) -> None:
    classes: list[tuple[str, int, str]] = []
    for one in CLUSTER_ENVIRONMENTS:
        setting = f"environments.{one.name}.priority_class"
        demand(bool(one.priority_class), setting, one.priority_class, "an environment of the cluster has one")
        classes.append((str(one.priority_class), one.priority, f"Pods of {one.name}"))
    classes.append((PRIORITY_CLASS, PRIORITY, "What keeps the cluster going"))
    for name, value, description in classes:
        demand(0 < value < SYSTEM_PRIORITY, f"priorities.{name}", value, f"must be between 0 and {SYSTEM_PRIORITY}")
        k8s.KubePriorityClass(
            folder,
            f"Priority-{name}",
            metadata=k8s.ObjectMeta(name=name),
            value=value,
            global_default=False,
            preemption_policy="PreemptLowerPriority",
            description=description,
        )
    values = [value for _, value, _ in classes]
    demand(len(set(values)) == len(values), "priorities", values, "must differ, or one could not make room for another")
