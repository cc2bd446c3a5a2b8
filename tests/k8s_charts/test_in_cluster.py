"""The alternative inside the cluster: off by default, whole when it is chosen."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from blueprint.contract import redis_endpoint
from blueprint.edge import HEALTH_PATH, routes
from blueprint.environments import CLUSTER_ENVIRONMENTS, DEV, PROD
from blueprint.in_cluster import IN_CLUSTER_REDIS, InClusterRedis, check
from blueprint.rules import RuleError
from blueprint.services import SERVICES
from k8s_charts import in_cluster
from k8s_charts.components.redis import keda_address, keda_type, redis_trigger, redis_url
from k8s_charts.facts import FILE, load, placeholders
from k8s_charts.folder import GitOps
from services.kernel.redis import RedisAddress
from studio.cloud.manifests.hardening import judge
from studio.cloud.manifests.validation import validate
from tests.support.manifests import Manifests

TOKEN = "0123456789abcdef0123456789abcdef"
CHOSEN = replace(placeholders(), edge_and_cache="in-cluster")


def test_the_default_has_nothing_of_it(app: GitOps) -> None:
    assert [path for path in app.files() if "in-cluster" in path or "nginx" in path] == []


def test_the_choice_stands_in_one_line_of_the_facts(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(placeholders().text().replace("edge_and_cache: aws", "edge_and_cache: in-cluster"))
    assert load(tmp_path).in_cluster
    (tmp_path / FILE).write_text(placeholders().text().replace("edge_and_cache: aws\n", ""))
    assert not load(tmp_path).in_cluster
    (tmp_path / FILE).write_text(placeholders().text().replace("edge_and_cache: aws", "edge_and_cache: mars"))
    with pytest.raises(RuleError, match=r"facts\.edge_and_cache = mars: must be one of aws, in-cluster"):
        load(tmp_path)


def test_every_folder_of_both_modes_builds(manifests: Manifests, chosen: Manifests) -> None:
    for mode in (manifests, chosen):
        assert all(mode.built(path) for path in mode.folders())


def test_what_is_chosen_passes_the_judges_that_synthesis_asks(chosen: Manifests) -> None:
    """`./pingvas synth` refused it once, and nobody had chosen it in a test that asks them."""
    objects = [one.body for one in chosen.all()]
    assert {"StatefulSet", "Ingress"} <= {body["kind"] for body in objects}
    assert [str(one) for one in (*validate(objects), *judge(objects))] == []


def test_both_modes_differ_only_where_they_must(manifests: Manifests, chosen: Manifests) -> None:
    before, after = manifests.app.files(), chosen.app.files()
    gone = {path for path in before if path not in after}
    assert gone, "the services of the load balancer have bindings of their own"
    assert all("targetgroupbinding" in path for path in gone), gone


# The edge


def test_nginx_sends_each_path_of_the_load_balancer_to_the_same_service(chosen: Manifests) -> None:
    found = {
        (rule["host"], path["path"]): (one.namespace, path["backend"]["service"])
        for one in chosen.of("Ingress")
        for rule in one.body["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert found == {
        (route.host, route.path): (
            route.environment,
            {"name": f"{route.service}-service", "port": {"number": SERVICES[route.service].port}},
        )
        for route in routes()
    }
    assert {one.body["spec"]["ingressClassName"] for one in chosen.of("Ingress")} == {"nginx"}


def test_the_controller_listens_where_the_load_balancer_may_and_answers_its_health_checks() -> None:
    controller = in_cluster.nginx_values(in_cluster.NGINX)["controller"]
    assert controller["containerPort"]["http"] in {one.port for one in SERVICES.values()}
    assert controller["extraArgs"]["http-port"] == str(controller["containerPort"]["http"])
    assert controller["healthCheckPath"] == HEALTH_PATH
    assert {controller[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")} == {HEALTH_PATH}
    assert controller["service"]["type"] == "ClusterIP"
    assert controller["allowSnippetAnnotations"] is False


def test_a_pod_of_nginx_outlives_its_deregistration_and_its_last_answer() -> None:
    controller = in_cluster.nginx_values(in_cluster.NGINX)["controller"]
    settle = int(controller["extraArgs"]["shutdown-grace-period"])
    drain = int(controller["config"]["worker-shutdown-timeout"].removesuffix("s"))
    assert settle + drain < controller["terminationGracePeriodSeconds"]
    assert drain >= int(controller["config"]["proxy-read-timeout"])


def test_the_load_balancers_target_groups_get_nginx_instead_of_the_services(
    manifests: Manifests, chosen: Manifests
) -> None:
    def groups(mode: Manifests) -> dict[str, str | None]:
        return {one.body["spec"]["targetGroupName"]: one.namespace for one in mode.of("TargetGroupBinding")}

    assert set(groups(manifests)) == set(groups(chosen))
    assert set(groups(manifests).values()) == {"dev", "prod"}
    assert set(groups(chosen).values()) == {"ingress-nginx"}
    references = {str(one.body["spec"]["serviceRef"]) for one in chosen.of("TargetGroupBinding")}
    assert references == {"{'name': 'ingress-nginx-controller', 'port': 80}"}


def test_nginx_takes_the_place_of_the_load_balancer_in_the_policies(manifests: Manifests, chosen: Manifests) -> None:
    def sources(mode: Manifests, namespace: str) -> set[str]:
        """Who may come in on the services' ports, beside the scraper."""
        ports = {one.port for one in SERVICES.values()}
        return {
            peer["ipBlock"]["cidr"] if "ipBlock" in peer else str(peer["namespaceSelector"]["matchLabels"])
            for one in mode.of("NetworkPolicy", namespace=namespace)
            for rule in one.body["spec"].get("ingress", [])
            for peer in rule.get("from", [])
            if ports & {port["port"] for port in rule.get("ports", [])} and "monitoring" not in str(peer)
        }

    nginx = {str({"kubernetes.io/metadata.name": "ingress-nginx"})}
    public = {"10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"}
    for environment in ("dev", "prod"):
        assert sources(manifests, environment) == public
        assert sources(chosen, environment) == nginx
    assert sources(chosen, "ingress-nginx") == public


def test_only_the_services_of_both_environments_are_within_reach_of_nginx(chosen: Manifests) -> None:
    rules = chosen.one("NetworkPolicy", "controller", namespace="ingress-nginx").body["spec"]["egress"]
    there = [rule for rule in rules if {port["port"] for port in rule["ports"]} & {8001, 8002, 8003, 8004, 8005}]
    assert {str(peer["namespaceSelector"]) for rule in there for peer in rule["to"]} == {
        str({"matchLabels": {"kubernetes.io/metadata.name": name}}) for name in ("dev", "prod")
    }
    assert all(peer["podSelector"]["matchExpressions"] for rule in there for peer in rule["to"])


# Redis


def test_urls_are_ones_that_the_kernel_reads() -> None:
    assert RedisAddress.parse(redis_url(CHOSEN, DEV)) == RedisAddress("redis://redis.dev.svc.cluster.local:6379/0")
    address = RedisAddress.parse(redis_url(CHOSEN, PROD, token=TOKEN))
    assert address.password == TOKEN
    assert address.service == "pingvas"
    assert address.sentinels[2] == ("redis-2.redis.prod.svc.cluster.local", 26379)
    assert len(address.sentinels) == 3
    for one in CLUSTER_ENVIRONMENTS:
        assert redis_url(placeholders(), one).startswith("rediss://")
        assert ("{{ .token }}" in redis_url(placeholders(), one)) == one.redis_auth


def test_keda_is_sent_to_the_same_redis() -> None:
    assert (keda_type(CHOSEN, DEV), keda_type(CHOSEN, PROD)) == ("redis", "redis-sentinel")
    assert keda_address(CHOSEN, PROD)["addresses"].split(",") == [
        f"{host}:{port}" for host, port in RedisAddress.parse(redis_url(CHOSEN, PROD)).sentinels
    ]
    assert keda_address(CHOSEN, PROD)["sentinelMaster"] == "pingvas"
    assert redis_trigger(placeholders(), PROD, key="q", length=1) == {
        "type": "redis",
        "metadata": {
            "address": f"{placeholders()[redis_endpoint('prod')]}:6379",
            "enableTLS": "true",
            "listName": "q",
            "listLength": "1",
        },
    }


def test_nodes_keep_their_data_apart_from_each_other(chosen: Manifests) -> None:
    prod = chosen.one("StatefulSet", "redis", namespace="prod").body["spec"]
    assert prod["replicas"] == 3
    terms = prod["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert [term["topologyKey"] for term in terms] == ["topology.kubernetes.io/zone"]
    assert chosen.one("PodDisruptionBudget", "redis", namespace="prod").body["spec"]["maxUnavailable"] == 1
    for name in ("dev", "prod"):
        body = chosen.one("StatefulSet", "redis", namespace=name).body["spec"]
        assert [one["metadata"]["name"] for one in body["volumeClaimTemplates"]] == ["data"]
        assert body["template"]["spec"]["priorityClassName"] == {"dev": "dev-low", "prod": "prod-high"}[name]


def test_the_token_comes_from_the_secret_that_elasticache_uses(chosen: Manifests) -> None:
    secret = chosen.one("ExternalSecret", "redis-token", namespace="prod").body["spec"]
    assert secret["data"] == [
        {"secretKey": "token", "remoteRef": {"key": "pingvas/prod/redis-auth", "property": "token"}}
    ]
    volumes = chosen.one("StatefulSet", "redis", namespace="prod").body["spec"]["template"]["spec"]["volumes"]
    assert "redis-token" in [one["secret"]["secretName"] for one in volumes if "secret" in one]
    assert chosen.of("ExternalSecret", namespace="dev", name="redis-token") == []


def test_a_change_of_settings_starts_the_pods_anew(chosen: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(app: GitOps) -> str:
        bodies = [body for one in app.folders() if one.path == "in-cluster/dev" for body in one.objects()]
        stateful = next(body for body in bodies if body["kind"] == "StatefulSet")
        return str(stateful["spec"]["template"]["metadata"]["annotations"]["pingvas.com/settings"])

    before = digest(chosen.app)
    changed = MappingProxyType({**IN_CLUSTER_REDIS, "dev": replace(IN_CLUSTER_REDIS["dev"], data_share=0.5)})
    monkeypatch.setattr("k8s_charts.components.redis_pods.IN_CLUSTER_REDIS", changed)
    made = GitOps(CHOSEN)
    in_cluster.add(made)
    assert digest(made) != before


@pytest.mark.parametrize(
    ("environment", "change", "said"),
    [
        ("prod", {"quorum": 1}, "in_cluster.redis.prod.quorum = 1: must be a majority of 3"),
        ("prod", {"nodes": 2}, "in_cluster.redis.prod.nodes = 2: a majority needs an odd 3 or more"),
        ("prod", {"grace": 10}, "ends a primary before its failover can be over"),
        ("prod", {"cpu": 1.9}, "smallest general node's 2 cores"),
        ("prod", {"memory_mib": 7000}, "smallest general node's 8 GiB"),
        ("dev", {"nodes": 2}, "must be 1 without sentinels"),
        ("dev", {"data_share": 0.9}, "must leave a rewrite room"),
        ("dev", {"memory_mib": 4096}, "more than the quota of dev leaves"),
    ],
)
def test_numbers_that_cannot_be_stop_synthesis(environment: str, change: dict[str, Any], said: str) -> None:
    redis: MappingProxyType[str, InClusterRedis] = MappingProxyType(
        {**IN_CLUSTER_REDIS, environment: replace(IN_CLUSTER_REDIS[environment], **change)}
    )
    with pytest.raises(RuleError, match=said) as raised:
        check(redis=redis)
    assert "\n" not in str(raised.value)
    assert f"in_cluster.redis.{environment}" in str(raised.value)
