"""Values of chart external-secrets, a release a store: each reads with its own pod's role, and writes to one namespace.

What a release may do in Kubernetes lies in platform/secret-stores: the chart's own rights would let every controller
write every Secret of the cluster.
"""

from blueprint.charts import secret_namespaces
from blueprint.components import COMPONENTS
from k8s_charts.components.helm import Values, container_security, pod_security, resources, selector

SHARED = "external-secrets-shared"
"""The release that brings the kinds, the webhook that judges them, and the webhook's certificate."""
UID = 1000


def external_secrets(release: str) -> Values:
    of = COMPONENTS[release]
    shared = release == SHARED
    return {
        "fullnameOverride": release,
        "installCRDs": shared,
        "controllerClass": release.replace("external-secrets", "pingvas"),
        "scopedNamespace": secret_namespaces()[release],
        # True would switch cluster stores off.
        "scopedRBAC": False,
        "rbac": {"create": False},
        "serviceAccount": {"create": True, "name": release},
        # Releases in one namespace would share one lease, and all but one sleep.
        "leaderElect": False,
        "replicaCount": of.replicas,
        "processClusterStore": True,
        "processClusterExternalSecret": False,
        "processClusterGenerator": False,
        "processClusterPushSecret": False,
        "processPushSecret": False,
        "processSecretStore": False,
        **_pod(release),
        "serviceMonitor": {"enabled": True},
        "log": {"level": "info", "timeEncoding": "iso8601"},
        "webhook": {"create": shared, **(_pod("external-secrets-webhook") if shared else {})},
        "certController": {"create": shared, **(_pod("external-secrets-cert-controller") if shared else {})},
    }


def _pod(component: str) -> Values:
    return {
        "resources": resources(component),
        "nodeSelector": selector(component),
        "priorityClassName": COMPONENTS[component].priority_class,
        "podSecurityContext": pod_security(uid=UID),
        "securityContext": container_security(uid=UID),
    }
