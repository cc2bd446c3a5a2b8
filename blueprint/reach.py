"""Who reaches whom: every pair that may be, beside which nothing may. Both analysers of the rendered policies are held
against it (`./pingvas network`); the policies themselves are written without it, in `k8s_charts.network_policies`.

Somebody is `namespace/app`, or a place of `PLACES`; `*` stands for whatever is there, as a shell takes it. What a
policy admits, security groups, network ACLs and routes may still refuse: those have tests of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from types import MappingProxyType

from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.in_cluster import IN_CLUSTER_REDIS, NGINX, NGINX_NAME, REDIS_NAME, SENTINEL_PORT
from blueprint.network import (
    DNS_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    INSTANCE_METADATA,
    KUBERNETES_API,
    NETWORK,
    POD_IDENTITY_AGENT,
    POSTGRES_PORT,
    PRIVATE_RANGES,
    REDIS_PORT,
)
from blueprint.services import SERVICES
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS

ANY = "any"
ARGOCD_PORT = 8080
"""Where argocd-server's container listens."""
PROMETHEUS = MappingProxyType({"app.kubernetes.io/name": "prometheus"})
"""A label that the Prometheus operator gives the pods it makes."""
DNS_PODS = MappingProxyType({"k8s-app": "kube-dns"})
"""The label of CoreDNS, which still goes by its predecessor's name."""
ARGOCD_SERVER = MappingProxyType({"app.kubernetes.io/name": "argocd-server"})

NODE_NETWORK = frozenset({"aws-node", "kube-proxy", "eks-pod-identity-agent", "efs-csi-node", "node-exporter"})
"""Components of `blueprint.components` that share their node's network: no policy knows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the policies of a shared namespace let through; what is not named is denied, both ways.

    `webhooks` are the ports on which the API server calls its pods, from its interfaces in the private subnets.
    `nodes`: any port of any address in the private subnets, for whoever scrapes nodes.
    """

    neighbours: bool = True
    scraped: bool = True
    webhooks: tuple[int, ...] = ()
    api_server: bool = True
    https: bool = False
    identity: bool = False
    postgres: bool = False
    redis: bool = False
    nodes: bool = False
    argocd: bool = False


CLOSED: Mapping[str, Opening] = MappingProxyType(
    {
        "argocd": Opening(https=True),
        "bootstrap": Opening(neighbours=False, scraped=False, api_server=False, postgres=True),
        "ci-runners": Opening(https=True, argocd=True),
        "external-secrets": Opening(webhooks=(10250,), https=True, identity=True),
        "karpenter": Opening(neighbours=False, https=True, identity=True),
        "keda": Opening(webhooks=(6443, 9443), redis=True),
        "monitoring": Opening(https=True, identity=True, nodes=True),
        "velero": Opening(neighbours=False, https=True, identity=True),
    }
)
"""The shared namespaces that have policies. Ports of webhooks are the charts' own. kube-system has none: CoreDNS and
the controllers of nodes come before anything that could open a way for them."""


def _rest(ranges: tuple[IPv4Network, ...], taken: tuple[IPv4Network, ...]) -> tuple[IPv4Network, ...]:
    """Ranges less others."""
    left = list(ranges)
    for one in taken:
        left = [
            part
            for each in left
            for part in (each.address_exclude(one) if one.subnet_of(each) else [] if each.subnet_of(one) else [each])
        ]
    return tuple(collapse_addresses(left))


_TIERS = tuple(one for tier in ("public", "private", "data") for one in NETWORK.tier(tier))
PLACES: Mapping[str, tuple[IPv4Network, ...]] = MappingProxyType(
    {
        "internet": _rest((IPv4Network("0.0.0.0/0"),), PRIVATE_RANGES),
        "public-subnets": NETWORK.public,
        "private-subnets": NETWORK.private,
        "data-subnets": NETWORK.data,
        "api-server": (KUBERNETES_API,),
        "service-addresses": _rest((NETWORK.services,), (KUBERNETES_API,)),
        "pod-identity-agent": (POD_IDENTITY_AGENT,),
        "instance-metadata": (INSTANCE_METADATA,),
        "other-private": _rest(PRIVATE_RANGES, (*_TIERS, NETWORK.services, POD_IDENTITY_AGENT, INSTANCE_METADATA)),
    }
)
"""Everything outside pods, by its addresses; together with the pods it is all of IPv4.

public-subnets: the load balancer. private-subnets: nodes, pods of the nodes' own network, the control plane's
interfaces. data-subnets: Aurora, ElastiCache, EFS. other-private: nothing that is ours.
"""


@dataclass(frozen=True, slots=True)
class Allowed:
    """These may open a connection to those on these ports: `tcp/443`, or `ANY` for all."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ports: tuple[str, ...]
    why: str


def allowed(*, interface_endpoints: bool = False, in_cluster: bool = False) -> tuple[Allowed, ...]:
    """Every pair that may be; `in_cluster` with ingress-nginx and Redis as pods (`blueprint.in_cluster`)."""
    return (
        *(row for one in CLUSTER_ENVIRONMENTS for row in _environment(one, interface_endpoints, in_cluster)),
        *(row for name, opening in CLOSED.items() for row in _shared(name, opening, interface_endpoints)),
        *_system(),
        *(_in_cluster() if in_cluster else ()),
    )


def _tcp(*ports: int) -> tuple[str, ...]:
    return tuple(f"tcp/{port}" for port in ports)


_DNS = (f"udp/{DNS_PORT}", f"tcp/{DNS_PORT}")
_RESOLVER = ("kube-system/coredns",)
_PROMETHEUS = ("monitoring/prometheus",)


def _environment(environment: Environment, interface_endpoints: bool, in_cluster: bool) -> Iterator[Allowed]:
    name = environment.namespace
    everybody = (f"{name}/*",)
    worker = (f"{name}/gpu-worker",)
    services = tuple(f"{name}/{one.title}" for one in SERVICES.values())
    speaking = (*services, *worker)
    callers = tuple(f"{name}/{one.service_account}" for one in WORKLOADS.values() if one.namespace == name)
    yield Allowed(everybody, everybody, (ANY,), "one environment's pods among themselves")
    yield Allowed(everybody, _RESOLVER, _DNS, "names")
    yield Allowed(everybody, ("data-subnets",), _tcp(POSTGRES_PORT), "Aurora")
    yield Allowed(speaking, ("data-subnets",), _tcp(REDIS_PORT), "Redis")
    yield Allowed(speaking, ("internet",), _tcp(HTTPS_PORT), "AWS's APIs, sign-in, payments, models")
    yield Allowed(callers, ("pod-identity-agent",), _tcp(HTTP_PORT), "the role of one's own service account")
    yield Allowed(worker, ("api-server", "private-subnets"), _tcp(HTTPS_PORT), "marks its own pod busy")
    yield Allowed(worker, ("kube-system/*",), _tcp(HTTPS_PORT), "addresses like the API server's; nobody listens")
    if interface_endpoints:
        yield Allowed(speaking, ("data-subnets",), _tcp(HTTPS_PORT), "interface endpoints")
    for service in SERVICES.values():
        target = (f"{name}/{service.title}",)
        if not in_cluster:
            yield Allowed(("public-subnets",), target, _tcp(service.port), "the load balancer")
        yield Allowed(_PROMETHEUS, target, _tcp(service.port), "metrics")
    yield Allowed(_PROMETHEUS, worker, _tcp(WORKER.metrics_port), "metrics")


def _shared(name: str, opening: Opening, interface_endpoints: bool) -> Iterator[Allowed]:
    pods = (f"{name}/*",)
    yield Allowed(pods, _RESOLVER, _DNS, "names")
    if opening.neighbours:
        yield Allowed(pods, pods, (ANY,), "parts of one tool")
    if opening.scraped:
        yield Allowed(_PROMETHEUS, pods, (ANY,), "metrics")
    if opening.webhooks:
        ports = _tcp(*opening.webhooks)
        yield Allowed(("private-subnets",), pods, ports, "the API server asks an admission webhook or a metrics API")
        near = ("kube-system/*", "monitoring/*")
        yield Allowed(near, pods, ports, "pods with addresses like the API server's, whose own way out is open")
    if opening.api_server:
        yield Allowed(pods, ("api-server", "private-subnets"), _tcp(HTTPS_PORT), "the Kubernetes API")
        yield Allowed(pods, ("kube-system/*",), _tcp(HTTPS_PORT), "addresses like the API server's; nobody listens")
    if opening.https:
        yield Allowed(pods, ("internet",), _tcp(HTTPS_PORT), "AWS's APIs, Git, charts")
        if interface_endpoints:
            yield Allowed(pods, ("data-subnets",), _tcp(HTTPS_PORT), "interface endpoints")
    if opening.identity:
        yield Allowed(pods, ("pod-identity-agent",), _tcp(HTTP_PORT), "the role of one's own service account")
    if opening.postgres:
        yield Allowed(pods, ("data-subnets",), _tcp(POSTGRES_PORT), "makes schemas and roles")
    if opening.redis:
        yield Allowed(pods, ("data-subnets",), _tcp(REDIS_PORT), "reads the queue's length")
    if opening.nodes:
        yield Allowed(pods, ("private-subnets", "kube-system/*"), (ANY,), "scrapes nodes and what runs on them")
    if opening.argocd:
        yield Allowed(pods, ("argocd/argocd-server",), _tcp(ARGOCD_PORT), "delivery asks for a sync")


def _system() -> Iterator[Allowed]:
    pods = ("kube-system/*",)
    yield Allowed(pods, (*pods, *PLACES), (ANY,), "no policy; instance metadata answers no pod, by its hop limit")
    yield Allowed(tuple(PLACES), pods, (ANY,), "no policy; groups and routes let nodes and the control plane in")


def _in_cluster() -> Iterator[Allowed]:
    nginx = (f"{NGINX_NAME}/*",)
    yield Allowed(("public-subnets",), nginx, _tcp(NGINX.port), "the load balancer")
    yield Allowed(_PROMETHEUS, nginx, _tcp(NGINX.health_port), "metrics")
    yield Allowed(nginx, _RESOLVER, _DNS, "names")
    yield Allowed(nginx, ("api-server", "private-subnets"), _tcp(HTTPS_PORT), "reads Ingress objects")
    yield Allowed(nginx, ("kube-system/*",), _tcp(HTTPS_PORT), "addresses like the API server's; nobody listens")
    for environment in CLUSTER_ENVIRONMENTS:
        for service in SERVICES.values():
            target = (f"{environment.namespace}/{service.title}",)
            yield Allowed(nginx, target, _tcp(service.port), "requests from outside")
        sentinel = (SENTINEL_PORT,) if IN_CLUSTER_REDIS[environment.name].sentinel else ()
        redis = (f"{environment.namespace}/{REDIS_NAME}",)
        yield Allowed(("keda/*",), redis, _tcp(REDIS_PORT, *sentinel), "reads the queue's length")
