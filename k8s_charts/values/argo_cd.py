"""Values of chart argo-cd: the bootstrap command and ArgoCD itself install from the same file.

Nobody signs in from outside: there is no ingress, no Dex and no admin. People look and approve with their own rights in
Kubernetes (`argocd --core`, `argocd admin dashboard`), workflows with the one local account, which may look at the
environments' applications and sync them.
"""

from blueprint.components import COMPONENTS
from blueprint.delivery import ACCOUNT
from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.components.helm import Values, resources, selector
from k8s_charts.projects import project

APPLICATION_HEALTH = """\
local hs = {status = "Progressing", message = ""}
local annotations = obj.metadata.annotations
if annotations ~= nil and annotations["argocd.argoproj.io/ignore-healthcheck"] == "true" then
  hs.status = "Healthy"
  return hs
end
if obj.status == nil then
  return hs
end
if obj.status.health ~= nil then
  hs.message = obj.status.health.message or ""
  if obj.status.health.status == "Healthy" or obj.status.health.status == "Degraded" then
    hs.status = obj.status.health.status
    return hs
  end
end
local errors = {ComparisonError = true, InvalidSpecError = true, SyncError = true}
for _, condition in ipairs(obj.status.conditions or {}) do
  if errors[condition.type] then
    hs.status = "Degraded"
    hs.message = condition.message
  end
end
return hs
"""
"""The health of an application in another (Argo CD documentation, "Health of Argocd App"): without it a sync wave would
not wait for what its applications bring.

What is missing, suspended or unknown is on its way, unless ArgoCD has an error of it. Then the application around it
fails and tries again with the newest commit; were it waited for, that sync would hold on to its old commit, and the
commit that mends the version of a chart would never be applied.
"""
SYNC_SECONDS = 120
_METRICS: Values = {"enabled": True}
"""Services for Prometheus, which finds them by a monitor of its own: the kind does not exist yet at bootstrap."""


def policy() -> str:
    """ArgoCD's rules (Argo CD documentation, "RBAC Configuration"): what workflows may."""
    allowed = [
        f"p, role:delivery, applications, {action}, {project(one.name)}/*, allow"
        for one in CLUSTER_ENVIRONMENTS
        for action in ("get", "sync")
    ]
    return "\n".join([*allowed, f"g, {ACCOUNT}, role:delivery", ""])


def values() -> Values:
    controller = "argocd-application-controller"
    return {
        "global": {
            # How runners reach it; nobody else does.
            "domain": "argocd-server.argocd.svc",
            "nodeSelector": selector(controller),
            "priorityClassName": COMPONENTS[controller].priority_class,
            "logging": {"format": "json", "level": "info"},
        },
        # Definitions stay when the chart goes: with them would go every application.
        "crds": {"install": True, "keep": True},
        "configs": {
            "cm": {
                "admin.enabled": False,
                "users.anonymous.enabled": False,
                "exec.enabled": False,
                f"accounts.{ACCOUNT}": "apiKey",
                "application.resourceTrackingMethod": "annotation",
                "timeout.reconciliation": f"{SYNC_SECONDS}s",
                "resource.customizations.health.argoproj.io_Application": APPLICATION_HEALTH,
            },
            "params": {
                "application.namespaces": "",
                "applicationsetcontroller.policy": "create-update",
                "controller.diff.server.side": True,
                "reposerver.parallelism.limit": 2,
                "server.insecure": False,
            },
            "rbac": {"policy.default": "", "policy.csv": policy(), "scopes": "[groups]"},
        },
        "controller": _part(controller),
        "server": {**_part("argocd-server"), "ingress": {"enabled": False}, "service": {"type": "ClusterIP"}},
        "repoServer": _part("argocd-repo-server"),
        "applicationSet": {**_part("argocd-applicationset-controller"), "allowAnyNamespace": False},
        "redis": {"resources": resources("argocd-redis")},
        "redisSecretInit": {"resources": resources("argocd-redis")},
        "dex": {"enabled": False},
        "notifications": {"enabled": False},
        "commitServer": {"enabled": False},
    }


def _part(component: str) -> Values:
    return {
        "replicas": COMPONENTS[component].replicas,
        "resources": resources(component),
        "metrics": _METRICS,
    }
