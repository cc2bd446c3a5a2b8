"""Redis inside the cluster, proved by running it: the very settings and scripts of the manifests, as processes."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis as redis_library

from blueprint.environments import DEV, PROD
from blueprint.in_cluster import IN_CLUSTER_REDIS
from k8s_charts.components.redis import redis_url
from k8s_charts.facts import placeholders
from services.kernel.redis import client
from studio.processes import LOOPBACK, free_port
from studio.valkey import Valkey
from tests.support.manifests import Manifests
from tests.support.valkey_pods import Pods

TOKEN = "0123456789abcdef0123456789abcdef"
CHOSEN = replace(placeholders(), edge_and_cache="in-cluster")


def eventually(asked: Callable[[], bool], *, seconds: float = 30) -> float:
    """Waits until something is so; returns how long that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            if asked():
                return time.monotonic() - begun
        except redis_library.RedisError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s")


@pytest.fixture(scope="module")
def started(chosen: Manifests, place: Path) -> Iterator[Pods]:
    stateful = chosen.one("StatefulSet", "redis", namespace="prod").body
    settings = chosen.one("ConfigMap", "redis", namespace="prod").body
    folder = place / "redis-pods"
    folder.mkdir()
    made = Pods(folder, stateful, settings, token=TOKEN)
    for pod in made.all:
        pod.begin()
    yield made
    for pod in made.all:
        pod.kill()


@pytest.fixture
def pods(started: Pods) -> Pods:
    """All of them, knowing each other, whatever the test before has done."""
    for pod in started.all:
        if not pod.alive:
            pod.begin()
    eventually(lambda: _settled(started), seconds=60)
    return started


def _settled(pods: Pods) -> bool:
    states = [pod.sentinel().sentinel_master("pingvas") for pod in pods.all]
    return all(one["num-other-sentinels"] == 2 and one["num-slaves"] == 2 for one in states)


def _url(pods: Pods) -> str:
    return pods.here(redis_url(CHOSEN, PROD, token=TOKEN))


@pytest.mark.slow
def test_services_follow_when_the_primary_is_lost_and_comes_back_as_a_replica(pods: Pods) -> None:
    services = client(_url(pods))
    services.set("before", "1")
    assert services.wait(2, 10_000) == 2
    lost = pods.primary()
    lost.kill()

    def writes() -> bool:
        services.set("after", "1")
        return True

    eventually(writes)
    primary = pods.primary()
    assert primary is not lost
    assert primary.client().get("before") == "1"
    assert f"the primary is localhost:{primary.port}" in lost.begin()
    eventually(lambda: lost.client().get("after") == "1")
    assert lost.client().role()[0] == "slave"
    eventually(lambda: _settled(pods))
    services.close()


@pytest.mark.slow
def test_a_primary_that_ends_hands_over_and_nothing_that_was_acknowledged_is_lost(pods: Pods) -> None:
    """An uncoordinated failover refused writes for ten seconds, and lost those of the first."""
    services = client(_url(pods))
    eventually(lambda: bool(services.set("before", "1")) and services.wait(2, 1000) == 2, seconds=60)
    services.delete("written")
    ended, written, refused = threading.Event(), list[int](), list[float]()

    def write() -> None:
        number = 0
        while not ended.is_set():
            begun = time.monotonic()
            try:
                services.rpush("written", number)
                written.append(number)
            except redis_library.RedisError:
                refused.append(begun)
            number += 1
            time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.5)
    leaving = pods.primary()
    leaving.end()
    time.sleep(1)
    ended.set()
    writer.join()
    assert len(written) > 20
    assert {int(each) for each in services.lrange("written", 0, -1)} >= set(written)
    assert not refused or refused[-1] - refused[0] < IN_CLUSTER_REDIS["prod"].down_after
    assert pods.primary() is not leaving
    services.close()


@pytest.mark.slow
def test_a_replica_has_nothing_to_hand_over(pods: Pods) -> None:
    primary = pods.primary()
    next(pod for pod in pods.all if pod is not primary).script("leave.sh")
    assert pods.primary() is primary
    assert primary.client().role()[0] == "master"


@pytest.mark.slow
def test_a_replica_is_ready_once_it_is_in_step_with_its_primary(pods: Pods) -> None:
    """A rollout goes on to the next node when one is ready: to the primary, while nobody had its data yet."""
    replica = next(pod for pod in pods.all if pod is not pods.primary())
    replica.script("ready.sh", str(replica.port))
    replica.client().replicaof(LOOPBACK, free_port())
    with pytest.raises(AssertionError, match=r"ready\.sh"):
        replica.script("ready.sh", str(replica.port))
    replica.client().replicaof("localhost", pods.primary().port)
    eventually(lambda: replica.client().role()[3] == "connected")
    replica.script("ready.sh", str(replica.port))
    replica.script("ready.sh", str(replica.sentinel_port), token=False)


@pytest.mark.slow
def test_after_the_loss_of_all_nodes_the_last_primary_is_one_again(pods: Pods) -> None:
    leaving = pods.primary()
    leaving.script("leave.sh")
    eventually(lambda: pods.primary() is not leaving and _settled(pods), seconds=60)
    last = pods.primary()
    eventually(lambda: bool(last.client().set("kept", "1")))
    assert last.client().wait(1, 10_000) >= 1
    time.sleep(1.1)  # what appendfsync everysec may lose
    identity = last.sentinel().execute_command("SENTINEL", "MYID")
    for pod in pods.all:
        pod.kill()
    for pod in pods.all:
        assert f"the primary is localhost:{last.port}" in pod.begin()
    eventually(lambda: pods.primary() is last and _settled(pods))
    assert last.client().get("kept") == "1"
    assert last.sentinel().execute_command("SENTINEL", "MYID") == identity


@pytest.mark.slow
def test_nobody_gets_in_without_the_token_and_probes_tell_the_truth(pods: Pods) -> None:
    with pytest.raises(redis_library.AuthenticationError):
        redis_library.Redis(port=pods.all[0].port).get("a")
    pod = pods.all[0]
    pod.script("ready.sh", str(pod.port))
    config = pod.client().config_get("maxmemory*")
    assert config["maxmemory-policy"] == "noeviction"
    assert int(config["maxmemory"]) == IN_CLUSTER_REDIS["prod"].maxmemory_mib * 2**20
    pod.kill()
    with pytest.raises(AssertionError, match=r"ready\.sh"):
        pod.script("ready.sh", str(pod.port))


@pytest.mark.slow
def test_a_primary_that_no_replica_follows_takes_no_writes(pods: Pods) -> None:
    primary = pods.primary()
    eventually(lambda: bool(primary.client().set("a", "1")))
    for pod in pods.all:
        if pod is not primary:
            pod.kill()

    def refused() -> bool:
        try:
            primary.client().set("a", "2")
        except redis_library.ResponseError as error:
            return "NOREPLICAS" in str(error)
        return False

    eventually(refused)


def test_the_one_node_of_dev_runs_with_its_settings(chosen: Manifests, place: Path) -> None:
    text = chosen.one("ConfigMap", "redis", namespace="dev").body["data"]["valkey.conf"]
    settings = dict(line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    folder = place / "alone"
    folder.mkdir()
    settings["bind"] = LOOPBACK
    port = int(settings.pop("port"))
    assert settings.pop("dir") == "/data"
    server = Valkey(folder, port=free_port(), password="", log=folder / "log", settings=settings)
    server.start()
    try:
        connected = client(
            redis_url(CHOSEN, DEV).replace(f"redis.dev.svc.cluster.local:{port}", f"{LOOPBACK}:{server.port}")
        )
        connected.set("a", "1")
        assert connected.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        server.stop()
        server.start()
        assert connected.get("a") == b"1"
        connected.close()
    finally:
        server.stop()
