"""What manifests name exists in the AWS layer or in the services' settings, and the other way round."""

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from blueprint.addons import ADDONS
from blueprint.cluster import INTERRUPTION_QUEUE, KARPENTER_NODE_ROLE, NAME
from blueprint.contract import OUTPUTS, SETTINGS
from blueprint.data import EFS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.network import POSTGRES_PORT
from blueprint.secrets import SECRETS
from blueprint.services import SERVICES
from blueprint.workloads import WORKLOADS
from k8s_charts.facts import NEEDED
from k8s_charts.folder import GitOps
from k8s_charts.main import files
from services.kernel.redis import RedisAddress
from services.kernel.settings import URLS, Settings
from tests.support.manifests import Manifests
from tests.support.pods import config, mounted, variables, workloads
from tests.support.templates import Templates

ENVIRONMENTS = [one.name for one in CLUSTER_ENVIRONMENTS]
OF_AWS = {"origin-header", "vpn-saml", "pagerduty"}
"""Secrets that the AWS layer reads itself: the distributions' header, the VPN's metadata, the key of the topics."""
OF_LATER = {"oauth-credentials", "lemon-squeezy"}
"""Secrets of sign-in and payments, for which no service has a setting."""


def test_every_process_starts_with_the_environment_its_pod_gets(manifests: Manifests) -> None:
    checked = 0
    for workload in workloads(manifests, *ENVIRONMENTS):
        assert workload.pod is not None
        for container in workload.pod["spec"]["containers"]:
            given = variables(manifests, workload, container)
            ours = {key: value for key, value in given.items() if key.startswith("PINGVAS_")}
            if not ours:
                continue
            names = {key.removeprefix("PINGVAS_").lower(): value for key, value in ours.items()}
            strange = set(names) - set(Settings.model_fields)
            assert not strange, f"{workload} sets {strange}, which no setting reads"
            settings = Settings.model_validate(names)
            assert settings.env == workload.namespace
            assert settings.schema_name == f"{workload.namespace}_pingvas"
            for url in URLS:
                value = getattr(settings, url)
                if isinstance(value, SecretStr) and "passwordfile=" in value.get_secret_value():
                    file = value.get_secret_value().partition("passwordfile=")[2].partition("&")[0]
                    assert file in mounted(manifests, workload, container), f"{workload}: nothing mounts {file}"
            checked += 1
    assert checked == len(ENVIRONMENTS) * (len(SERVICES) + 2)


def test_every_pod_talks_to_what_the_facts_name(manifests: Manifests) -> None:
    facts = manifests.app.facts
    for workload in workloads(manifests, *ENVIRONMENTS):
        assert workload.pod is not None
        env = str(workload.namespace)
        other = next(one for one in ENVIRONMENTS if one != env)
        for container in workload.pod["spec"]["containers"]:
            given = variables(manifests, workload, container)
            text = json.dumps(given)
            assert other not in re.findall(r"pingvas[-_](dev|prod)", text), f"{workload} names {other}"
            if url := given.get("PINGVAS_DATABASE_URL"):
                assert f"@{facts['aurora/writer-endpoint']}:{POSTGRES_PORT}/pingvas_saas" in url
                assert "sslmode=verify-full" in url
            if url := given.get("PINGVAS_DATABASE_READER_URL"):
                assert f"@{facts['aurora/reader-endpoint']}:" in url
            if url := given.get("PINGVAS_REDIS_URL"):
                assert url.startswith("rediss://")
                assert facts[f"redis/{env}/primary-endpoint"] in RedisAddress.parse(url).url
                assert ("@" in url) == next(one.redis_auth for one in CLUSTER_ENVIRONMENTS if one.name == env)
            if url := given.get("PINGVAS_STORAGE_URL"):
                assert url == f"s3://{facts[f'buckets/pingvas-{env}-images']}"


def test_every_setting_of_the_contract_is_set_somewhere(manifests: Manifests) -> None:
    for env in ENVIRONMENTS:
        given: set[str] = set()
        for workload in workloads(manifests, env):
            assert workload.pod is not None
            for container in workload.pod["spec"]["containers"]:
                given |= set(variables(manifests, workload, container))
        assert set(SETTINGS) <= given, env


def test_only_who_needs_a_database_role_has_its_password(manifests: Manifests) -> None:
    owners, workers = set(), set()
    for workload in workloads(manifests, *ENVIRONMENTS):
        assert workload.pod is not None
        for container in workload.pod["spec"]["containers"]:
            given = mounted(manifests, workload, container)
            owners |= {workload.name for file in given if file.endswith("/db-owner")}
            workers |= {workload.name for file in given if file.endswith("/db-worker")}
    assert owners == {"migrations"}
    assert workers <= {"gpu-worker", "generation-service", "model-service", "payment-service", "gallery-service"}
    assert "gpu-worker" in workers


def test_every_secret_that_is_read_exists_and_every_secret_is_read(manifests: Manifests, app: GitOps) -> None:
    read: set[str] = set()
    for one in manifests.of("ExternalSecret"):
        for entry in one.body["spec"].get("data", []):
            remote = entry["remoteRef"]
            if remote["key"] == app.facts["aurora/master-secret-arn"]:
                continue
            assert remote["key"] in SECRETS, f"{one} reads {remote['key']}"
            assert remote["property"] in SECRETS[remote["key"]].keys, f"{one} reads {remote}"
            environment = SECRETS[remote["key"]].environment
            assert one.namespace in (environment, "bootstrap", "monitoring"), str(one)
            read.add(remote["key"])
    for path, secret in SECRETS.items():
        if secret.name not in OF_AWS | OF_LATER:
            assert path in read, f"nobody reads {path}"


def test_every_workload_with_a_role_has_its_service_account(manifests: Manifests, app: GitOps) -> None:
    made = {(one.namespace, one.name) for one in manifests.of("ServiceAccount")}
    values = {
        name.split("/")[1]: yaml.safe_load(text) for name, text in files(app).items() if name.endswith("values.yaml")
    }
    addons = {addon.workload for addon in ADDONS}
    text = json.dumps(values)
    for name, workload in WORKLOADS.items():
        if name in addons or (workload.namespace, workload.service_account) in made:
            continue
        assert f'"name": "{workload.service_account}"' in text, f"nothing makes {workload.service_account}"


def test_pods_use_the_account_of_their_workload(manifests: Manifests) -> None:
    bound = {(one.namespace, one.service_account) for one in WORKLOADS.values()}
    for env in ENVIRONMENTS:
        for workload in workloads(manifests, env):
            assert workload.pod is not None
            account = workload.pod["spec"]["serviceAccountName"]
            assert account == workload.name
            assert ((env, account) in bound) == (f"{env}-{account}" in WORKLOADS)


def test_every_fact_is_used_and_none_is_made_up(app: GitOps) -> None:
    text = "\n".join(body for name, body in files(app).items() if name != "facts.yaml")
    unused = [name for name in NEEDED if app.facts[name] not in text]
    assert unused == []


def test_every_output_is_used_by_a_manifest_or_is_for_somebody_else(app: GitOps) -> None:
    text = "\n".join(body for name, body in files(app).items() if name != "facts.yaml")
    for name, output in OUTPUTS.items():
        ways = (name in NEEDED, bool(output.known_as), bool(output.read_by))
        assert sum(ways) == 1, f"{name}: copied, known by its name, or for somebody else: {ways}"
        if output.known_as:
            assert re.search(rf"(?<![\w-]){re.escape(output.known_as)}(?![\w-])", text), f"no manifest names {name}"


def test_names_that_the_aws_layer_fixes_are_named_so(manifests: Manifests, templates: Templates, app: GitOps) -> None:
    roles = {one.properties.get("RoleName") for one in templates.resources("AWS::IAM::Role")}
    groups = {one.properties["Name"] for one in templates.resources("AWS::ElasticLoadBalancingV2::TargetGroup")}
    queues = {one.properties.get("QueueName") for one in templates.resources("AWS::SQS::Queue")}
    users = [one.properties["PosixUser"] for one in templates.resources("AWS::EFS::AccessPoint")]
    assert KARPENTER_NODE_ROLE in roles
    assert {one.body["spec"]["role"] for one in manifests.of("EC2NodeClass")} == {KARPENTER_NODE_ROLE}
    bound = {one.body["spec"]["targetGroupName"] for one in manifests.of("TargetGroupBinding")}
    assert bound == groups
    assert INTERRUPTION_QUEUE in queues
    karpenter = yaml.safe_load(files(app)["addons/karpenter/values.yaml"])
    assert karpenter["settings"]["interruptionQueue"] == INTERRUPTION_QUEUE
    assert karpenter["settings"]["clusterName"] == NAME
    for uid in (EFS.writer_uid, EFS.reader_uid):
        assert {"Gid": str(EFS.gid), "Uid": str(uid)} in users


def test_ports_are_the_target_groups_and_the_services_own(manifests: Manifests, templates: Templates) -> None:
    ports = {
        one.properties["Name"]: one.properties["Port"]
        for one in templates.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
    }
    for one in manifests.of("TargetGroupBinding"):
        reference = one.body["spec"]["serviceRef"]
        service = manifests.one("Service", reference["name"], namespace=one.namespace)
        numbers = [
            port["port"] for port in service.body["spec"]["ports"] if reference["port"] in (port["port"], port["name"])
        ]
        assert numbers == [ports[one.body["spec"]["targetGroupName"]]], str(one)
        deployment = manifests.one("Deployment", reference["name"], namespace=one.namespace)
        assert deployment.pod is not None
        container = deployment.pod["spec"]["containers"][0]
        assert [port["containerPort"] for port in container["ports"]] == numbers


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_uids_are_those_of_the_access_points(manifests: Manifests, env: str) -> None:
    for name, uid in (("model-service", EFS.writer_uid), ("gpu-worker", EFS.reader_uid)):
        deployment = manifests.one("Deployment", name, namespace=env)
        assert deployment.pod is not None
        security = deployment.pod["spec"]["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"]) == (uid, EFS.gid)


def test_redis_and_schema_can_be_read_off_the_overlay(manifests: Manifests) -> None:
    for one in CLUSTER_ENVIRONMENTS:
        for service in SERVICES.values():
            data = config(manifests, one.name, service.title)
            assert one.schema in data.values(), f"{one.name} {service.title} does not name its schema"


def test_cli_config_names_the_app(tmp_path: Path) -> None:
    settings = yaml.safe_load((Path(__file__).parents[2] / "cdk8s.yaml").read_text())
    assert settings["language"] == "python"
    assert settings["app"].endswith("-m k8s_charts.main")
    assert settings["output"] != "gitops", "cdk8s empties its output before it runs the app"
