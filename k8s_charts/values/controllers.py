"""Values of the controllers: Karpenter, the load balancer controller, KEDA."""

from blueprint.cluster import INTERRUPTION_QUEUE, NAME
from blueprint.components import COMPONENTS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.workloads import WORKLOADS
from k8s_charts.components.helm import Values, container_security, pod_security, resources, selector, spread
from k8s_charts.facts import Facts

MONITOR: Values = {"enabled": True}


def karpenter(facts: Facts) -> Values:
    """Karpenter runs on system nodes alone, or it would end the node that it runs on."""
    of = COMPONENTS["karpenter"]
    return {
        "serviceAccount": {"create": True, "name": WORKLOADS["karpenter"].service_account},
        "replicas": of.replicas,
        "priorityClassName": of.priority_class,
        "nodeSelector": {"kubernetes.io/os": "linux", **selector("karpenter")},
        "podSecurityContext": pod_security(uid=65532),
        "podDisruptionBudget": {"name": "karpenter", "maxUnavailable": 1},
        "topologySpreadConstraints": spread({"app.kubernetes.io/name": "karpenter"}),
        "serviceMonitor": MONITOR,
        "logLevel": "info",
        "controller": {
            "resources": resources("karpenter"),
            # Instance metadata, where it would look, is a hop too far for pods.
            "env": [{"name": "AWS_REGION", "value": facts.region}],
        },
        "settings": {
            "clusterName": NAME,
            "clusterEndpoint": facts["cluster/endpoint"],
            "interruptionQueue": INTERRUPTION_QUEUE,
            "featureGates": {
                "nodeRepair": False,
                "nodeOverlay": False,
                "spotToSpotConsolidation": False,
                "staticCapacity": False,
            },
        },
    }


def load_balancer_controller(facts: Facts) -> Values:
    """Fills target groups and opens readiness gates; everything else that it could make, CDK makes."""
    name = "aws-load-balancer-controller"
    of = COMPONENTS[name]
    return {
        "clusterName": NAME,
        "region": facts.region,
        "vpcId": facts["network/vpc-id"],
        "replicaCount": of.replicas,
        "serviceAccount": {"create": True, "name": WORKLOADS[name].service_account},
        "resources": resources(name),
        "nodeSelector": selector(name),
        "priorityClassName": of.priority_class,
        "podDisruptionBudget": {"maxUnavailable": 1},
        "topologySpreadConstraints": spread({"app.kubernetes.io/name": name}),
        "podSecurityContext": {"fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
        "securityContext": container_security(),
        "createIngressClassResource": False,
        "ingressClassParams": {"create": False},
        "defaultTargetType": "ip",
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "enableBackendSecurityGroup": False,
        "enableServiceMutatorWebhook": False,
        # The Gateway controllers stay out only where all three are named; else they look for the kinds and start.
        "controllerConfig": {
            "featureGates": {
                "EnableServiceController": False,
                "ALBGatewayAPI": False,
                "NLBGatewayAPI": False,
                "GatewayListenerSet": False,
            }
        },
        # A pod without its gate is Ready a moment early; one that may not be made while the controller is away is not
        # there at all.
        "podMutatorWebhookConfig": {"failurePolicy": "Ignore"},
        "serviceMonitor": MONITOR,
    }


def keda() -> Values:
    """KEDA looks at the environments' namespaces alone.

    There it lists every Secret, to find the ones that triggers name: a list of names (`namesAllowList`) narrows `get`,
    which it does not use. Everything else that it could read, it needs only to scale custom kinds.
    """
    operator = COMPONENTS["keda-operator"]
    parts = {
        "operator": "keda-operator",
        "metricServer": "keda-metrics-apiserver",
        "webhooks": "keda-admission-webhooks",
    }
    return {
        "crds": {
            "install": True,
            "additionalAnnotations": {"argocd.argoproj.io/sync-options": "Prune=false"},
        },
        "watchNamespace": ",".join(one.namespace for one in CLUSTER_ENVIRONMENTS),
        "operator": {"name": operator.name, "replicaCount": operator.replicas},
        "metricsServer": {"replicaCount": COMPONENTS[parts["metricServer"]].replicas},
        "webhooks": {
            "name": parts["webhooks"],
            "replicaCount": COMPONENTS[parts["webhooks"]].replicas,
            "failurePolicy": "Ignore",
        },
        "serviceAccount": {"operator": {"create": True, "name": operator.name}},
        "resources": {part: resources(component) for part, component in parts.items()},
        "securityContext": {part: container_security() for part in parts},
        "podSecurityContext": {part: pod_security() for part in parts},
        "nodeSelector": selector("keda-operator"),
        "priorityClassName": operator.priority_class,
        "prometheus": {part: {"enabled": True, "serviceMonitor": MONITOR} for part in parts},
        "logging": {"operator": {"format": "json"}, "webhooks": {"format": "json"}},
        "certificates": {"autoGenerated": True},
        # Deployments need no rule of their own; the chart's for custom kinds is `get` on everything, Secrets included.
        "rbac": {"enabledCustomScaledRefKinds": False},
        "permissions": {"metricServer": {"restrict": {"secret": True}}},
        "http": {"minTlsVersion": "TLS12"},
    }
