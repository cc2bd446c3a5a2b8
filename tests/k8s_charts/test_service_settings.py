"""What the five services are told: settings in Git, secrets from outside of it, each only what it reads."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.secrets import SECRETS
from blueprint.services import SERVICES, Service
from blueprint.worker import WORKER
from k8s_charts import services
from k8s_charts.components.service_shape import CHECKSUM
from k8s_charts.facts import placeholders
from services.kernel.settings import Settings
from tests.support.manifests import Manifests
from tests.support.services import CASES, Case, built, container, pod


def environment_of(manifests: Manifests, case: Case) -> dict[str, str]:
    """The variables of the process, with stand-ins for what the Secret holds."""
    made = built(manifests, case)
    variables: dict[str, str] = dict(made["ConfigMap"]["data"])
    given = container(manifests, case)
    assert given["envFrom"] == [{"configMapRef": {"name": case[1].title}}]
    template = made["ExternalSecret"]["spec"]["target"].get("template", {}).get("data", {})
    for one in given["env"]:
        reference = one["valueFrom"]["secretKeyRef"]
        assert (reference["name"], reference["key"]) == (case[1].title, one["name"])
        filled = template.get(one["name"], "").replace("{{ .token }}", "Tk9" * 16)
        variables[one["name"]] = filled if filled and "{{" not in filled else "k7Qp" * 12
    return variables


@pytest.mark.parametrize("case", CASES)
def test_the_process_starts_with_what_the_manifests_tell_it(
    manifests: Manifests, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, service = case
    for name, value in environment_of(manifests, case).items():
        assert name.removeprefix("PINGVAS_").lower() in Settings.model_fields, f"{name} is read by nobody"
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.environment == environment
    assert settings.schema_name == environment.schema
    for name in ("database_url", "jwt_secret", *needed(service)):
        settings.require(name)
    assert settings.redis_url.get_secret_value().startswith("rediss://")
    assert (":Tk9" in settings.redis_url.get_secret_value()) == environment.redis_auth
    if service.name == "model":
        assert str(settings.models_dir) == WORKER.models_mount
    assert settings.storage_url.startswith("s3://") == (service.name in ("generation", "gallery"))


def needed(service: Service) -> Iterator[str]:
    """What the service's own code opens beside what all of them do."""
    code = "".join(one.read_text() for one in Path(services.__file__).parents[1].glob(f"services/{service.name}/*.py"))
    if 'role="worker"' in code:
        yield "database_worker_url"


@pytest.mark.parametrize("case", CASES)
def test_a_service_gets_the_passwords_that_its_urls_name_and_no_other(manifests: Manifests, case: Case) -> None:
    _, service = case
    made = built(manifests, case)
    urls = [value for name, value in made["ConfigMap"]["data"].items() if "passwordfile=" in value]
    named = {value.partition("passwordfile=/run/secrets/pingvas/")[2] for value in urls}
    (volume,) = [one["secret"] for one in pod(manifests, case)["volumes"] if one["name"] == "secrets"]
    keys = {"cdn-private-key", "cdn-public-key-id"} if service.name == "gallery" else set()
    assert {item["path"] for item in volume["items"]} == {item["key"] for item in volume["items"]} == named | keys
    assert named == ({"db-app", "db-worker"} if list(needed(service)) else {"db-app"})
    assert volume["defaultMode"] == 0o440


@pytest.mark.parametrize("case", CASES)
def test_every_secret_is_one_of_the_environment_s_own_and_nothing_secret_is_written_down(
    manifests: Manifests, case: Case
) -> None:
    environment, _ = case
    made = built(manifests, case)
    spec = made["ExternalSecret"]["spec"]
    assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": f"pingvas-{environment.name}"}
    for one in spec["data"]:
        secret = SECRETS[one["remoteRef"]["key"]]
        assert secret.environment == environment.name
        assert one["remoteRef"]["property"] in secret.keys
    for name, value in made["ConfigMap"]["data"].items():
        assert "{{" not in value, name
        login = value.partition("://")[2].rpartition("@")[0]
        assert ":" not in login, f"{name} has a password in it"


@pytest.mark.parametrize("case", CASES)
def test_the_secret_holds_what_the_pod_reads_and_no_more(manifests: Manifests, case: Case) -> None:
    spec = built(manifests, case)["ExternalSecret"]["spec"]
    keys = set(spec["target"].get("template", {}).get("data", {})) or {one["secretKey"] for one in spec["data"]}
    (volume,) = [one["secret"] for one in pod(manifests, case)["volumes"] if one["name"] == "secrets"]
    read = {item["key"] for item in volume["items"]} | {one["name"] for one in container(manifests, case)["env"]}
    assert keys == read


@pytest.mark.parametrize("case", CASES)
def test_documents_settings_are_visible_in_the_config_map(manifests: Manifests, case: Case) -> None:
    environment, _ = case
    data = built(manifests, case)["ConfigMap"]["data"]
    assert data["PINGVAS_DATABASE_SCHEMA"] == {"dev": "dev_pingvas", "prod": "prod_pingvas"}[environment.name]
    assert data["PINGVAS_REDIS_MODE"] == {"dev": "standalone", "prod": "replication"}[environment.name]


def test_a_changed_setting_replaces_the_pods_and_an_unchanged_one_does_not(manifests: Manifests) -> None:
    facts = placeholders()
    service, (dev, _) = SERVICES["user"], CLUSTER_ENVIRONMENTS
    before = services.configuration(service, dev, facts).checksum
    other = replace(facts, outputs={**facts.outputs, "aurora/writer-endpoint": "elsewhere.internal"})
    assert services.configuration(service, dev, other).checksum != before
    assert services.configuration(service, dev, placeholders()).checksum == before
    annotations = built(manifests, (dev, service))["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations[CHECKSUM] == before
