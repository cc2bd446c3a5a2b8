"""What Redis as pods is told: the servers' settings and the pods' scripts as files, and what the scripts read."""

from pathlib import Path

from blueprint.environments import Environment
from blueprint.in_cluster import (
    IN_CLUSTER_REDIS,
    SENTINEL_SERVICE,
    InClusterRedis,
    redis_host,
    sentinel_addresses,
)
from blueprint.network import REDIS_PORT
from k8s_charts.components import pods

SCRIPTS = Path(__file__).parents[1] / "redis"
SETTINGS, DATA, RUN = "/etc/valkey", "/data", "/run/valkey"
TOKEN_FILE = f"{pods.SECRETS_MOUNT}/token"


def settings(one: InClusterRedis) -> dict[str, str]:
    """The ConfigMap's files: the servers' own settings and the pods' scripts."""
    made = {"valkey.conf": _valkey(one), "ready.sh": (SCRIPTS / "ready.sh").read_text(encoding="utf-8")}
    if one.sentinel:
        made["sentinel.conf"] = _sentinel(one)
        for name in ("configure.sh", "leave.sh"):
            made[name] = (SCRIPTS / name).read_text(encoding="utf-8")
    return made


def environment_variables(environment: Environment) -> dict[str, str]:
    """What the scripts read beside NODE, the pod's name."""
    one = IN_CLUSTER_REDIS[environment.name]
    nodes = (f"{redis_host(environment, node)}:{REDIS_PORT}" for node in range(one.nodes))
    return {
        "NODES": " ".join(nodes),
        "SENTINELS": " ".join(sentinel_addresses(environment)),
        "SERVICE": SENTINEL_SERVICE,
        "QUORUM": str(one.quorum),
        "PATIENCE": str(int(one.failover_timeout)),
        "SETTINGS": SETTINGS,
        "DATA": DATA,
        "RUN": RUN,
        "TOKEN_FILE": TOKEN_FILE,
    }


def _valkey(one: InClusterRedis) -> str:
    lines = [
        "bind * -::*",
        "protected-mode no",
        "# A full server refuses new work instead of forgetting old; cache keys end by their TTL.",
        f"maxmemory {one.maxmemory_mib}mb",
        "maxmemory-policy noeviction",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "tcp-keepalive 60",
    ]
    if one.sentinel:
        lines += [
            "# A primary that no replica follows takes no writes, which a failover elsewhere would lose.",
            "min-replicas-to-write 1",
            "min-replicas-max-lag 10",
        ]
    else:
        lines += [f"port {REDIS_PORT}", f"dir {DATA}"]
    return "\n".join(lines) + "\n"


def _sentinel(one: InClusterRedis) -> str:
    lines = [
        "bind * -::*",
        "protected-mode no",
        "sentinel resolve-hostnames yes",
        "sentinel announce-hostnames yes",
        f"sentinel down-after-milliseconds {SENTINEL_SERVICE} {int(one.down_after * 1000)}",
        f"sentinel failover-timeout {SENTINEL_SERVICE} {int(one.failover_timeout * 1000)}",
        f"sentinel parallel-syncs {SENTINEL_SERVICE} 1",
    ]
    return "\n".join(lines) + "\n"
