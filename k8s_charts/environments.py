"""environments/<env>: quota, limits and network policies of one environment's namespace."""

from cdk8s_plus_35 import k8s

from blueprint.components import PRIORITY_CLASS
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment, Quota
from blueprint.namespaces import CONTAINER_DEFAULTS
from blueprint.pools import GPU
from blueprint.rules import demand
from k8s_charts import network_policies
from k8s_charts.components.pods import cores, mebibytes
from k8s_charts.folder import Folder, GitOps

KUBERNETES_CLASSES = ("system-cluster-critical", "system-node-critical")


def add(app: GitOps) -> None:
    """Adds the folders.

    Raises:
        RuleError: an environment without a quota.
    """
    for environment in CLUSTER_ENVIRONMENTS:
        folder = Folder(app, f"environments/{environment.name}", namespace=environment.namespace)
        quota = environment.quota
        demand(quota is not None, f"environments.{environment.name}.quota", quota, "an environment has one")
        if quota is not None:
            _quota(folder, "compute", _compute(quota))
        _quota(folder, "entries", {"services.loadbalancers": "0", "services.nodeports": "0"})
        _quota(folder, "foreign-priorities", {"pods": "0"}, classes=_foreign(environment))
        _limits(folder)
        # Pods name the account that they mean; who forgets to gets one without a token.
        k8s.KubeServiceAccount(
            folder, "Default", metadata=k8s.ObjectMeta(name="default"), automount_service_account_token=False
        )
        network_policies.environment(folder, environment)


def _compute(quota: Quota) -> dict[str, str]:
    return {
        "requests.cpu": cores(quota.cpu),
        "requests.memory": f"{quota.memory_gib}Gi",
        f"requests.{GPU.taints[0].key}": str(quota.gpu),
        "pods": str(quota.pods),
    }


def _foreign(environment: Environment) -> list[str]:
    """Every class but the environment's own: the other's, the platform's, Kubernetes' two."""
    others = [str(one.priority_class) for one in CLUSTER_ENVIRONMENTS if one is not environment]
    return [*others, PRIORITY_CLASS, *KUBERNETES_CLASSES]


def _quota(folder: Folder, name: str, hard: dict[str, str], *, classes: list[str] | None = None) -> None:
    selector = k8s.ScopeSelector(
        match_expressions=[
            k8s.ScopedResourceSelectorRequirement(scope_name="PriorityClass", operator="In", values=classes)
        ]
    )
    k8s.KubeResourceQuota(
        folder,
        f"Quota-{name}",
        metadata=k8s.ObjectMeta(name=name),
        spec=k8s.ResourceQuotaSpec(
            hard={resource: k8s.Quantity.from_string(value) for resource, value in hard.items()},
            scope_selector=selector if classes else None,
        ),
    )


def _limits(folder: Folder) -> None:
    def memory(mib: int) -> dict[str, k8s.Quantity]:
        return {"memory": k8s.Quantity.from_string(mebibytes(mib))}

    defaults = CONTAINER_DEFAULTS
    k8s.KubeLimitRange(
        folder,
        "Limits",
        metadata=k8s.ObjectMeta(name="containers"),
        spec=k8s.LimitRangeSpec(
            limits=[
                k8s.LimitRangeItem(
                    type="Container",
                    default_request={
                        "cpu": k8s.Quantity.from_string(cores(defaults.cpu_request)),
                        **memory(defaults.memory_request_mib),
                    },
                    default=memory(defaults.memory_limit_mib),
                    max=memory(defaults.memory_maximum_mib),
                )
            ]
        ),
    )
