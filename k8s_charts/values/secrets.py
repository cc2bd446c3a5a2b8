"""Values of chart external-secrets: its definitions apart, and a release a store.

Each release reads with its own pod's role and has rights in one namespace alone: the environments' controllers cannot
touch each other's Secrets. What it needs beyond that namespace lies in platform/secret-stores.
"""

from blueprint.charts import SHARED, secret_namespaces
from blueprint.components import COMPONENTS
from k8s_charts.components.helm import Values, container_security, pod_security, resources, selector

UID = 1000
_NOTHING: Values = {"create": False}


def definitions() -> Values:
    """The kinds and nothing else."""
    return {
        "installCRDs": True,
        "createOperator": False,
        "rbac": _NOTHING,
        "serviceAccount": _NOTHING,
        "webhook": _NOTHING,
        "certController": _NOTHING,
    }


def external_secrets(release: str) -> Values:
    """A store's controller; that of `SHARED` brings the webhook that judges every store, and its certificate."""
    of = COMPONENTS[release]
    shared = release == SHARED
    return {
        "fullnameOverride": release,
        "installCRDs": False,
        "controllerClass": release.replace("external-secrets", "pingvas"),
        "scopedNamespace": secret_namespaces()[release],
        "scopedRBAC": True,
        # With rights in one namespace the chart switches cluster-wide stores off; of a flag given twice the last holds.
        "extraArgs": {"enable-cluster-store-reconciler": "true"},
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
        "webhook": {"create": True, **_pod("external-secrets-webhook")} if shared else _NOTHING,
        "certController": {"create": True, **_pod("external-secrets-cert-controller")} if shared else _NOTHING,
    }


def _pod(component: str) -> Values:
    return {
        "resources": resources(component),
        "nodeSelector": selector(component),
        "priorityClassName": COMPONENTS[component].priority_class,
        "podSecurityContext": pod_security(uid=UID),
        "securityContext": container_security(uid=UID),
    }
