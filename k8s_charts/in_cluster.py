"""in-cluster/: routing and caches inside the cluster, off by default, by `edge_and_cache` of facts.yaml.

ALB -> ingress-nginx -> services, as the earlier document draws it: the load balancer keeps the certificate, the origin
header and its rules, and its ten target groups get the controller's pods instead of the services'. Redis is pods:
one node in dev, three with sentinels in prod.
"""

from typing import Any

from cdk8s_plus_35 import k8s

from blueprint.edge import DISTRIBUTION, HEALTH_PATH, LOAD_BALANCER, routes, target_group
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.in_cluster import (
    IN_CLUSTER_REDIS,
    NGINX,
    NGINX_CLASS,
    NGINX_NAME,
    REDIS_NAME,
    SENTINEL_PORT,
    Nginx,
    check,
)
from blueprint.network import HTTP_PORT, NETWORK, REDIS_PORT
from blueprint.services import HTTP, SERVICES
from k8s_charts.components import pods
from k8s_charts.components.external_secrets import ExternalSecret, Remote, store
from k8s_charts.components.policies import Rule, addresses, any_of, neighbours, pods_of, policy, tcp
from k8s_charts.components.redis_pods import TOKEN_SECRET, RedisPods
from k8s_charts.components.target_group_binding import TargetGroupBinding
from k8s_charts.folder import Folder, GitOps
from k8s_charts.network_policies import API_SERVER, DNS, SCRAPER

CONTROLLER = {**pods.selector(NGINX_NAME), "app.kubernetes.io/component": "controller"}
"""The labels that its chart gives the controller's pods."""
CONTROLLER_SERVICE = f"{NGINX_NAME}-controller"


def add(app: GitOps) -> None:
    """Adds the folders where they are chosen, and nothing otherwise.

    Raises:
        RuleError: Redis does not fit its nodes, its quorum or its namespace's quota.
    """
    if not app.facts.in_cluster:
        return
    check()
    Folder(app, f"addons/{NGINX_NAME}", listed=False).write("values.yaml", nginx_values(NGINX))
    _shared(Folder(app, "in-cluster/shared"))
    _bindings(Folder(app, "in-cluster/routing", namespace=NGINX_NAME))
    for environment in CLUSTER_ENVIRONMENTS:
        folder = Folder(app, f"in-cluster/{environment.name}", namespace=environment.namespace)
        RedisPods(folder, environment)
        if environment.redis_auth:
            ExternalSecret(
                folder,
                TOKEN_SECRET,
                store=store(environment.name),
                data={"token": Remote.of(f"pingvas/{environment.name}/redis-auth")},
                labels=pods.labels(REDIS_NAME, component="cache"),
            )
        _ingress(folder, environment)
        _policies(folder, environment)


def nginx_values(one: Nginx) -> dict[str, Any]:
    """Values of the chart ingress-nginx. Idle timeouts form the chain of `blueprint.edge.LoadBalancer` with one link
    more: the load balancer's < nginx' own, and nginx' towards the services < theirs."""
    probe = {"httpGet": {"path": HEALTH_PATH, "port": one.health_port, "scheme": "HTTP"}}
    return {
        "controller": {
            "replicaCount": one.replicas,
            "ingressClassResource": {"name": NGINX_CLASS, "enabled": True, "default": False},
            "containerPort": {"http": one.port, "https": one.tls_port},
            "extraArgs": {
                "http-port": str(one.port),
                "https-port": str(one.tls_port),
                "shutdown-grace-period": str(one.settle),
            },
            # The load balancer asks by address, which is nobody's host: nginx answers itself.
            "healthCheckPath": HEALTH_PATH,
            "livenessProbe": {**probe, "initialDelaySeconds": 10, "periodSeconds": 10, "failureThreshold": 5},
            "readinessProbe": {**probe, "initialDelaySeconds": 5, "periodSeconds": 5, "failureThreshold": 3},
            "terminationGracePeriodSeconds": one.grace,
            "config": {
                "keep-alive": str(HTTP.keep_alive_seconds),
                "upstream-keepalive-timeout": str(LOAD_BALANCER.idle_timeout),
                "proxy-read-timeout": str(DISTRIBUTION.origin_read_timeout),
                "proxy-send-timeout": str(DISTRIBUTION.origin_read_timeout),
                "worker-shutdown-timeout": f"{one.drain}s",
                # Services limit bodies themselves and answer with problem+json; event streams must not wait.
                "proxy-body-size": "0",
                "proxy-request-buffering": "off",
                "proxy-buffering": "off",
                "use-forwarded-headers": "true",
                "compute-full-forwarded-for": "true",
                "proxy-real-ip-cidr": ",".join(str(each) for each in NETWORK.public),
                "generate-request-id": "true",
                "server-tokens": "false",
                "ssl-redirect": "false",
                "hsts": "false",
            },
            "allowSnippetAnnotations": False,
            "enableAnnotationValidations": True,
            # What came in by it in 2025 (CVE-2025-1974) nobody mends any more; Ingresses come from this repository.
            "admissionWebhooks": {"enabled": False},
            "service": {"type": "ClusterIP", "enableHttps": False, "ports": {"http": HTTP_PORT}},
            "publishService": {"enabled": False},
            "metrics": {"enabled": True, "port": one.health_port},
            "resources": {
                "requests": {"cpu": pods.cores(one.cpu), "memory": pods.mebibytes(one.memory_mib)},
                "limits": {"memory": pods.mebibytes(one.memory_limit_mib)},
            },
            "image": {
                "allowPrivilegeEscalation": False,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": CONTROLLER},
                }
            ],
            "minAvailable": 1,
        },
        "defaultBackend": {"enabled": False},
    }


def _shared(folder: Folder) -> None:
    """What ingress-nginx needs, and KEDA's way to Redis."""
    everyone = any_of("app.kubernetes.io/name", (one.title for one in SERVICES.values()))
    policy(
        folder,
        "controller",
        namespace=NGINX_NAME,
        ingress=(
            Rule(addresses(*NETWORK.tier("public")), tcp(NGINX.port)),
            Rule(SCRAPER, tcp(NGINX.health_port)),
        ),
        egress=(
            DNS,
            API_SERVER,
            *(
                Rule(pods_of(one.namespace, everyone), tcp(*(each.port for each in SERVICES.values())))
                for one in CLUSTER_ENVIRONMENTS
            ),
        ),
    )
    policy(
        folder,
        "keda-to-redis",
        namespace="keda",
        egress=tuple(
            Rule(pods_of(one.namespace, pods.selector(REDIS_NAME)), tcp(*_ports(one))) for one in CLUSTER_ENVIRONMENTS
        ),
    )


def _bindings(folder: Folder) -> None:
    """The load balancer's target groups; after the chart, whose Service they name."""
    for environment in CLUSTER_ENVIRONMENTS:
        for service in SERVICES.values():
            group = target_group(environment.name, service.name)
            TargetGroupBinding(
                folder,
                group,
                target_group=group,
                service=CONTROLLER_SERVICE,
                port=HTTP_PORT,
                labels=pods.labels(NGINX_NAME, component="controller"),
                annotations={},
                namespace=NGINX_NAME,
            )


def _ingress(folder: Folder, environment: Environment) -> None:
    """One Ingress a service, with the load balancer's own paths."""
    own = [route for route in routes() if route.environment == environment.name]
    for service in SERVICES.values():
        backend = k8s.IngressBackend(
            service=k8s.IngressServiceBackend(name=service.title, port=k8s.ServiceBackendPort(number=service.port))
        )
        k8s.KubeIngress(
            folder,
            f"Ingress-{service.name}",
            metadata=k8s.ObjectMeta(name=service.title, labels=pods.labels(service.title, component="api")),
            spec=k8s.IngressSpec(
                ingress_class_name=NGINX_CLASS,
                rules=[
                    k8s.IngressRule(
                        host=environment.host,
                        http=k8s.HttpIngressRuleValue(
                            paths=[
                                k8s.HttpIngressPath(path=route.path, path_type="Prefix", backend=backend)
                                for route in own
                                if route.service == service.name
                            ]
                        ),
                    )
                ],
            ),
        )


def _policies(folder: Folder, environment: Environment) -> None:
    """Who comes in beside what `network_policies.environment` lets in: the controller, and to Redis KEDA."""
    here = environment.namespace
    for service in SERVICES.values():
        policy(
            folder,
            f"allow-nginx-to-{service.title}",
            namespace=here,
            pods=pods.selector(service.title),
            ingress=(Rule(pods_of(NGINX_NAME, CONTROLLER), tcp(service.port)),),
        )
    policy(
        folder,
        "allow-to-redis",
        namespace=here,
        pods=pods.selector(REDIS_NAME),
        ingress=(Rule((*neighbours(), *pods_of("keda")), tcp(*_ports(environment))),),
    )


def _ports(environment: Environment) -> tuple[int, ...]:
    return (REDIS_PORT, SENTINEL_PORT) if IN_CLUSTER_REDIS[environment.name].sentinel else (REDIS_PORT,)
