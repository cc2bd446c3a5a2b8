"""Who may talk to whom: policies of dev and prod (`environment`), and platform/network for the shared namespaces.

The VPC CNI judges what leaves a pod before kube-proxy has put a pod's address in a Service's place, and what arrives
after: a Service's port is its pods' port wherever a policy names one, and the API server is named by both of its
addresses. Of overlapping ranges the longest prefix alone decides. (Source: aws/aws-network-policy-agent.)
"""

from blueprint.environments import Environment
from blueprint.network import (
    DNS_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    KUBERNETES_API,
    NETWORK,
    POD_IDENTITY_AGENT,
    POSTGRES_PORT,
    PRIVATE_RANGES,
    REDIS_PORT,
    check,
)
from blueprint.reach import ARGOCD_PORT, ARGOCD_SERVER, CLOSED, DNS_PODS, PROMETHEUS, Opening
from blueprint.services import SERVICES
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from k8s_charts.components.pods import selector
from k8s_charts.components.policies import (
    EVERYWHERE,
    Rule,
    addresses,
    any_of,
    neighbours,
    pods_of,
    policy,
    tcp,
    udp,
)
from k8s_charts.folder import Folder, GitOps

_DATA = NETWORK.tier("data")
DNS = Rule(pods_of("kube-system", DNS_PODS), (*udp(DNS_PORT), *tcp(DNS_PORT)))
INTERNET = Rule(addresses(EVERYWHERE, without=PRIVATE_RANGES), tcp(HTTPS_PORT))
POSTGRES = Rule(addresses(*_DATA), tcp(POSTGRES_PORT))
REDIS = Rule(addresses(*_DATA), tcp(REDIS_PORT))
INTERFACE_ENDPOINTS = Rule(addresses(*_DATA), tcp(HTTPS_PORT))
POD_IDENTITY = Rule(addresses(POD_IDENTITY_AGENT), tcp(HTTP_PORT))
API_SERVER = Rule(addresses(KUBERNETES_API, *NETWORK.tier("private")), tcp(HTTPS_PORT))
NODES = Rule(addresses(*NETWORK.tier("private")))
NEIGHBOURS = Rule(neighbours())
SCRAPER = pods_of("monitoring", PROMETHEUS)


def environment(folder: Folder, environment: Environment) -> None:
    """The policies of one environment's namespace, one a reason. Only the migrations speak to Aurora alone."""
    here = environment.namespace
    speaking = any_of("app.kubernetes.io/component", ("api", "worker"))
    callers = any_of(
        "app.kubernetes.io/name", (one.service_account for one in WORKLOADS.values() if one.namespace == here)
    )
    worker = selector("gpu-worker")
    policy(folder, "default-deny", namespace=here, ingress=(), egress=())
    policy(folder, "allow-same-namespace", namespace=here, ingress=(NEIGHBOURS,), egress=(NEIGHBOURS,))
    policy(folder, "allow-dns", namespace=here, egress=(DNS,))
    policy(folder, "allow-postgres", namespace=here, egress=(POSTGRES,))
    policy(folder, "allow-redis", namespace=here, pods=speaking, egress=(REDIS,))
    policy(folder, "allow-https-out", namespace=here, pods=speaking, egress=(INTERNET,))
    policy(folder, "allow-pod-identity", namespace=here, pods=callers, egress=(POD_IDENTITY,))
    policy(folder, "allow-api-server", namespace=here, pods=worker, egress=(API_SERVER,))
    if folder.app.facts.interface_endpoints:
        policy(folder, "allow-interface-endpoints", namespace=here, pods=speaking, egress=(INTERFACE_ENDPOINTS,))
    balancer = addresses(*NETWORK.tier("public"))
    for service in SERVICES.values():
        policy(
            folder,
            f"allow-to-{service.title}",
            namespace=here,
            pods=selector(service.title),
            ingress=tuple(
                Rule(peers, tcp(service.port))
                # Where nginx routes, `in_cluster` lets it in, and the load balancer sends requests to nginx alone.
                for peers in (*(() if folder.app.facts.in_cluster else (balancer,)), SCRAPER)
            ),
        )
    policy(
        folder, "allow-to-gpu-worker", namespace=here, pods=worker, ingress=(Rule(SCRAPER, tcp(WORKER.metrics_port)),)
    )


def add(app: GitOps) -> None:
    """Two policies a shared namespace: all that comes in, all that goes out."""
    check(NETWORK)
    folder = Folder(app, "platform/network")
    for namespace, opening in CLOSED.items():
        policy(folder, f"{namespace}-in", namespace=namespace, ingress=_into(namespace, opening))
        policy(folder, f"{namespace}-out", namespace=namespace, egress=_out(app, opening))


def _into(namespace: str, opening: Opening) -> list[Rule]:
    rules = [
        (opening.neighbours, NEIGHBOURS),
        (opening.scraped and namespace != "monitoring", Rule(SCRAPER)),
        (bool(opening.webhooks), Rule(NODES.peers, tcp(*opening.webhooks))),
    ]
    callers = [name for name, other in CLOSED.items() if other.argocd] if namespace == "argocd" else []
    return [*_chosen(rules), *(Rule(pods_of(one), tcp(ARGOCD_PORT)) for one in callers)]


def _out(app: GitOps, opening: Opening) -> list[Rule]:
    return _chosen(
        [
            (True, DNS),
            (opening.neighbours, NEIGHBOURS),
            (opening.api_server, API_SERVER),
            (opening.https, INTERNET),
            (opening.https and app.facts.interface_endpoints, INTERFACE_ENDPOINTS),
            (opening.identity, POD_IDENTITY),
            (opening.postgres, POSTGRES),
            (opening.redis, REDIS),
            (opening.nodes, NODES),
            (opening.argocd, Rule(pods_of("argocd", ARGOCD_SERVER), tcp(ARGOCD_PORT))),
        ]
    )


def _chosen(rules: list[tuple[bool, Rule]]) -> list[Rule]:
    return [rule for wanted, rule in rules if wanted]
