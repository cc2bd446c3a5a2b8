"""Where an environment's Redis is, for whoever talks to it: the services, the worker, KEDA.

ElastiCache by its endpoint with TLS, or pods of the cluster, alone or with sentinels (`Facts.edge_and_cache`).
"""

from collections.abc import Mapping
from typing import Literal

from blueprint.contract import redis_endpoint
from blueprint.environments import Environment
from blueprint.in_cluster import IN_CLUSTER_REDIS, SENTINEL_SERVICE, redis_host, sentinel_addresses
from blueprint.network import REDIS_PORT
from k8s_charts.facts import Facts

TOKEN = "{{ .token }}"  # noqa: S105 (where External Secrets puts the token)
"""The AUTH token in a template of an ExternalSecret: key `token` of `pingvas/<env>/redis-auth`."""


def redis_url(facts: Facts, environment: Environment, *, token: str = TOKEN) -> str:
    """PINGVAS_REDIS_URL; where the environment's Redis wants AUTH, with `token` in it, so only for an ExternalSecret.

    >>> from blueprint.environments import DEV, PROD
    >>> from k8s_charts.facts import placeholders
    >>> redis_url(placeholders(), DEV)
    'rediss://redis-dev.placeholder.invalid:6379/0?ssl_cert_reqs=required'
    >>> redis_url(placeholders(), PROD)
    'rediss://:{{ .token }}@redis-prod.placeholder.invalid:6379/0?ssl_cert_reqs=required'
    """
    login = f":{token}@" if environment.redis_auth else ""
    if not facts.in_cluster:
        host = facts[redis_endpoint(environment.name)]
        return f"rediss://{login}{host}:{REDIS_PORT}/0?ssl_cert_reqs=required"
    if IN_CLUSTER_REDIS[environment.name].sentinel:
        return f"sentinel://{login}{','.join(sentinel_addresses(environment))}/0?service={SENTINEL_SERVICE}"
    return f"redis://{login}{redis_host(environment)}:{REDIS_PORT}/0"


def keda_type(facts: Facts, environment: Environment) -> Literal["redis", "redis-sentinel"]:
    """The scaler's type: KEDA has one of its own for Sentinel."""
    sentinel = facts.in_cluster and IN_CLUSTER_REDIS[environment.name].sentinel
    return "redis-sentinel" if sentinel else "redis"


def keda_address(facts: Facts, environment: Environment) -> Mapping[str, str]:
    """The part of a trigger's metadata that says where Redis is. AUTH is `password` of a TriggerAuthentication in each
    case, and only where `environment.redis_auth`; sentinels have no password of their own.
    """
    if not facts.in_cluster:
        return {"address": f"{facts[redis_endpoint(environment.name)]}:{REDIS_PORT}", "enableTLS": "true"}
    if IN_CLUSTER_REDIS[environment.name].sentinel:
        return {
            "addresses": ",".join(sentinel_addresses(environment)),
            "sentinelMaster": SENTINEL_SERVICE,
            "enableTLS": "false",
        }
    return {"address": f"{redis_host(environment)}:{REDIS_PORT}", "enableTLS": "false"}


def redis_trigger(facts: Facts, environment: Environment, *, key: str, length: int) -> dict[str, object]:
    """`type` and `metadata` of a trigger that counts a list's or a hash's entries, `length` of them a replica."""
    return {
        "type": keda_type(facts, environment),
        "metadata": {**keda_address(facts, environment), "listName": key, "listLength": str(length)},
    }
