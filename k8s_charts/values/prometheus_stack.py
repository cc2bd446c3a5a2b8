"""kube-prometheus-stack: Prometheus, Alertmanager, Grafana, kube-state-metrics and node-exporter."""

from blueprint.components import COMPONENTS
from blueprint.monitoring import DASHBOARD_LABEL, NAMESPACE, PROMETHEUS
from blueprint.workloads import WORKLOADS
from k8s_charts.components.helm import Values, container_security, pod_security, resources
from k8s_charts.facts import Facts
from k8s_charts.values import alertmanager
from k8s_charts.values.scrapes import INTERVAL, TIMEOUT
from k8s_charts.values.sizes import MEMORY_FOLDER, RELOADER, SIDECAR, placed, rest

FULL_NAME = "monitoring"
"""Before the names of the chart's own objects: monitoring-prometheus, monitoring-alertmanager."""
ADMIN_SECRET = "grafana-admin"  # noqa: S105 (the name of a Secret)
USER_KEY, PASSWORD_KEY = "admin-user", "admin-password"
UNSCRAPABLE = ("kubeEtcd", "kubeScheduler", "kubeControllerManager", "kubeProxy")
"""EKS keeps the first three to itself; kube-proxy shows its metrics on the node's loopback only."""
_RULES_OFF = (
    "etcd",
    "kubeSchedulerAlerting",
    "kubeSchedulerRecording",
    "kubeControllerManager",
    "kubeProxy",
    "windows",
    # AWS keeps the API server's promises; their histograms are the largest series of a small cluster
    "kubeApiserverAvailability",
    "kubeApiserverBurnrate",
    "kubeApiserverHistogram",
    "kubeApiserverSlos",
)
_ALERTS_OFF = (
    # alarms of blueprint.alarms say the same at the platform's own figures
    "KubeQuotaAlmostFull",
    "KubeQuotaFullyUsed",
    "KubeQuotaExceeded",
    "KubePodCrashLooping",
    "NodeCPUHighUsage",
    "NodeMemoryHighUtilization",
    "TargetDown",
    # Karpenter adds nodes: requests beyond today's are how it learns that it should
    "KubeCPUOvercommit",
    "KubeMemoryOvercommit",
)
_SERIES_OFF = "apiserver_request_(sli_|body_size_)?(duration_seconds|bytes)_bucket|etcd_request_duration_seconds_bucket"


def values(facts: Facts) -> Values:
    return {
        "fullnameOverride": FULL_NAME,
        "crds": {"enabled": False},
        **{one: {"enabled": False} for one in UNSCRAPABLE},
        "kubeApiServer": {"serviceMonitor": {"metricRelabelings": [_drop(_SERIES_OFF)]}},
        "defaultRules": {
            "create": True,
            "rules": dict.fromkeys(_RULES_OFF, False),
            "disabled": dict.fromkeys(_ALERTS_OFF, True),
            "additionalRuleLabels": {"environment": "shared"},
        },
        "prometheusOperator": _operator(),
        "prometheus": _prometheus(),
        "alertmanager": _alertmanager(facts),
        "grafana": _grafana(),
        "kube-state-metrics": _kube_state_metrics(),
        "prometheus-node-exporter": _node_exporter(),
    }


def _drop(names: str) -> Values:
    return {"action": "drop", "sourceLabels": ["__name__"], "regex": names}


def _operator() -> Values:
    """Without its webhook: rules are checked by promtool before they are committed, and a webhook that is away would
    keep every rule out."""
    return {
        **placed("prometheus-operator"),
        "resources": resources("prometheus-operator"),
        "containerSecurityContext": container_security(),
        "securityContext": pod_security(uid=65534),
        "tls": {"enabled": False},
        "admissionWebhooks": {"enabled": False},
        "prometheusConfigReloader": {"resources": RELOADER.resources()},
    }


def _prometheus() -> Values:
    everything = {
        f"{kind}SelectorNilUsesHelmValues": False
        for kind in ("rule", "serviceMonitor", "podMonitor", "probe", "scrapeConfig")
    }
    return {
        "prometheusSpec": {
            **placed("prometheus"),
            **everything,
            "replicas": COMPONENTS["prometheus"].replicas,
            "scrapeInterval": INTERVAL,
            "evaluationInterval": INTERVAL,
            "retention": f"{PROMETHEUS.retention_days}d",
            "retentionSize": PROMETHEUS.retention_size,
            "walCompression": True,
            "resources": rest("prometheus", RELOADER),
            "securityContext": pod_security(uid=1000),
            # the volume is of one zone: Karpenter would move the pod for a cheaper node, and there would be a gap
            "podMetadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}},
            "storageSpec": {
                "volumeClaimTemplate": {
                    "spec": {
                        "storageClassName": PROMETHEUS.storage_class,
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": f"{PROMETHEUS.volume_gib}Gi"}},
                    }
                }
            },
        }
    }


def _alertmanager(facts: Facts) -> Values:
    """One, without a volume: what is on is told again after a restart, by Prometheus, and silences are for an hour."""
    return {
        **alertmanager.values(facts),
        "serviceAccount": {
            "create": True,
            "name": WORKLOADS["alertmanager"].service_account,
            "automountServiceAccountToken": False,
        },
        "alertmanagerSpec": {
            **placed("alertmanager"),
            "automountServiceAccountToken": False,
            "replicas": COMPONENTS["alertmanager"].replicas,
            "resources": rest("alertmanager", RELOADER),
            "securityContext": pod_security(uid=1000),
        },
    }


def _grafana() -> Values:
    """Dashboards come from Git, so nothing is kept: whoever changes one in the browser exports it into the code."""
    label, value = DASHBOARD_LABEL
    return {
        "fullnameOverride": "grafana",
        **placed("grafana"),
        "replicas": COMPONENTS["grafana"].replicas,
        "resources": rest("grafana", SIDECAR, SIDECAR),
        "admin": {"existingSecret": ADMIN_SECRET, "userKey": USER_KEY, "passwordKey": PASSWORD_KEY},
        "persistence": {"enabled": False},
        "initChownData": {"enabled": False},
        "testFramework": {"enabled": False},
        "rbac": {"namespaced": True},
        "securityContext": pod_security(uid=472),
        "containerSecurityContext": container_security(),
        "env": {"TMPDIR": "/var/lib/grafana"},
        "serviceMonitor": {"scrapeTimeout": TIMEOUT},
        "defaultDashboardsTimezone": "browser",
        "grafana.ini": {
            "analytics": {"check_for_updates": False, "reporting_enabled": False},
            "auth.anonymous": {"enabled": False},
            "users": {"allow_sign_up": False, "default_theme": "system"},
            "security": {"cookie_samesite": "strict", "disable_gravatar": True},
            "snapshots": {"external_enabled": False},
            "plugins": {"preinstall_disabled": True},
        },
        "sidecar": {
            "resources": SIDECAR.resources(),
            "securityContext": container_security(),
            "dashboards": {
                "enabled": True,
                "env": {"TMPDIR": MEMORY_FOLDER},
                "label": label,
                "labelValue": value,
                "searchNamespace": NAMESPACE,
                "provider": {"allowUiUpdates": False},
            },
            "datasources": {
                "enabled": True,
                "env": {"TMPDIR": MEMORY_FOLDER},
                "searchNamespace": NAMESPACE,
                "defaultDatasourceScrapeInterval": INTERVAL,
            },
        },
    }


def _kube_state_metrics() -> Values:
    return {
        "fullnameOverride": "kube-state-metrics",
        **placed("kube-state-metrics"),
        "resources": resources("kube-state-metrics"),
        "containerSecurityContext": container_security(),
    }


def _node_exporter() -> Values:
    """It sees the node's own network and processes: host network, on every node. Series are told by the node's name."""
    return {
        "fullnameOverride": "node-exporter",
        **placed("node-exporter"),
        "resources": resources("node-exporter"),
        "containerSecurityContext": container_security(),
        "prometheus": {
            "monitor": {"relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]}
        },
    }
