"""The contract between the AWS layer, Kubernetes and the applications: neither side may drift."""

import pytest

from blueprint.contract import OUTPUTS, SETTINGS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.secrets import SECRETS
from blueprint.services import SERVICES
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from services.kernel.settings import Settings
from tests.support.templates import Templates

DEPLOYED = {
    "env",
    "database_url",
    "database_reader_url",
    "database_worker_url",
    "database_owner_url",
    "database_schema",
    "database_pool",
    "redis_url",
    "redis_mode",
    "storage_url",
    "models_dir",
    "jwt_secret",
}
"""Settings of the services that only a deployment knows; the others have defaults that hold everywhere."""


def test_every_output_is_published_once_by_its_stack(templates: Templates) -> None:
    published = {
        (resource.properties["Name"], resource.stack)
        for resource in templates.resources("AWS::SSM::Parameter")
        if resource.properties["Name"].startswith("/pingvas/")
    }
    assert published == {(output.parameter, output.stack) for output in OUTPUTS.values()}


def test_every_output_says_what_it_is() -> None:
    for output in OUTPUTS.values():
        assert output.meaning, output.name
        assert len(output.parameter) <= 1011, "longer than SSM allows"


@pytest.mark.parametrize("variable", SETTINGS)
def test_a_setting_of_the_services_comes_from_what_exists(variable: str) -> None:
    source = SETTINGS[variable]
    assert variable.removeprefix("PINGVAS_").lower() in Settings.model_fields
    assert source.outputs or source.secrets or source.constant
    for one in CLUSTER_ENVIRONMENTS:
        for output in source.outputs:
            assert output.format(env=one.name) in OUTPUTS
        for secret in source.secrets:
            path = f"pingvas/{one.name}/{secret}"
            assert path in SECRETS or (secret == "redis-auth" and not one.redis_auth)


def test_every_deployed_setting_has_a_source() -> None:
    assert {name.removeprefix("PINGVAS_").lower() for name in SETTINGS} == DEPLOYED
    assert SETTINGS["PINGVAS_MODELS_DIR"].constant == WORKER.models_mount
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    told = {name.removeprefix("PINGVAS_").lower() for name, source in SETTINGS.items() if source.secrets}
    assert told <= secret, "a secret would be printed"


def test_every_secret_is_made_under_its_name(templates: Templates) -> None:
    made = [resource.properties["Name"] for resource in templates.resources("AWS::SecretsManager::Secret")]
    assert sorted(made) == sorted(SECRETS)


def test_roles_of_databases_are_those_of_the_bootstrap() -> None:
    for one in CLUSTER_ENVIRONMENTS:
        for purpose in ("owner", "app", "worker", "backup"):
            assert SECRETS[f"pingvas/{one.name}/db-{purpose}"].username == one.role(purpose)


def test_every_workload_has_its_role_and_association(templates: Templates) -> None:
    roles = {resource.properties.get("RoleName") for resource in templates.resources("AWS::IAM::Role")}
    assert {workload.role for workload in WORKLOADS.values()} <= roles
    bound = [
        (one.properties["Namespace"], one.properties["ServiceAccount"])
        for one in templates.resources("AWS::EKS::PodIdentityAssociation")
    ]
    assert sorted(bound) == sorted((one.namespace, one.service_account) for one in WORKLOADS.values())


def test_every_service_has_a_target_group_in_every_environment(templates: Templates) -> None:
    made = {
        one.properties["Name"]: one.properties["Port"]
        for one in templates.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
    }
    wanted = {
        f"{one.name}-{service.title}": service.port for one in CLUSTER_ENVIRONMENTS for service in SERVICES.values()
    }
    assert made == wanted
