"""What the platform's own pods and their secrets' readers may do in AWS: their work, and nothing of anybody else's."""

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.secrets import SECRETS
from blueprint.workloads import WORKLOADS
from tests.support.workloads import Asked

APPLICATIONS = [
    f"{one.name}-{name}"
    for one in CLUSTER_ENVIRONMENTS
    for name in ("generation-service", "gallery-service", "model-service", "gpu-worker")
]
OTHER = {"dev": "prod", "prod": "dev"}


@pytest.fixture(params=[one.name for one in CLUSTER_ENVIRONMENTS])
def environment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_workers_write_pictures_and_read_inputs_and_models(asked: Asked, environment: str) -> None:
    worker, images = f"{environment}-gpu-worker", asked.bucket(f"pingvas-{environment}-images")
    models = asked.bucket("pingvas-models-shared")
    assert asked.may(worker, "s3:PutObject", f"{images}/images/1/1/0.png")
    assert asked.may(worker, "s3:DeleteObject", f"{images}/images/1/1/0.png"), "what a cancelled attempt wrote"
    assert asked.may(worker, "s3:GetObject", f"{images}/inputs/1.png")
    assert asked.may(worker, "s3:GetObject", f"{models}/sdxl/base/unet/model.safetensors")
    assert not asked.may(worker, "s3:PutObject", f"{models}/sdxl/base/unet/model.safetensors")
    assert not asked.may(worker, "s3:PutObject", f"{images}/inputs/1.png")
    assert not asked.may(worker, "s3:PutObject", f"{images}/index.html"), "nothing beside the two folders"
    assert not asked.may(worker, "s3:PutBucketPolicy", images)


def test_services_have_their_own_folder_of_the_image_bucket(asked: Asked, environment: str) -> None:
    images = asked.bucket(f"pingvas-{environment}-images")
    generation, gallery = f"{environment}-generation-service", f"{environment}-gallery-service"
    for action in ("s3:GetObject", "s3:PutObject"):
        assert asked.may(generation, action, f"{images}/inputs/1.png")
        assert not asked.may(generation, action, f"{images}/images/1/1/0.png")
        assert asked.may(gallery, action, f"{images}/images/1/1/0.webp")
        assert not asked.may(gallery, action, f"{images}/inputs/1.png")
    assert asked.may(gallery, "s3:DeleteObject", f"{images}/images/1/1/0.png")
    assert not asked.may(generation, "s3:DeleteObject", f"{images}/inputs/1.png")
    for workload in (generation, gallery, f"{environment}-gpu-worker"):
        assert asked.may(workload, "s3:ListBucket", images), "or what is not there answers 403"


def test_the_model_service_keeps_the_models_and_nothing_else(asked: Asked, environment: str) -> None:
    service, models = f"{environment}-model-service", asked.bucket("pingvas-models-shared")
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert asked.may(service, action, f"{models}/lora/1.safetensors")
        assert not asked.may(service, action, f"{asked.bucket(f'pingvas-{environment}-images')}/images/1/1/0.png")


@pytest.mark.parametrize("workload", APPLICATIONS)
def test_no_application_reaches_the_other_environments_pictures(asked: Asked, workload: str) -> None:
    other = asked.bucket(f"pingvas-{OTHER[workload.split('-', maxsplit=1)[0]]}-images")
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion"):
        for key in ("images/1/1/0.png", "inputs/1.png"):
            assert not asked.may(workload, action, f"{other}/{key}")
    assert not asked.may(workload, "s3:ListBucket", other)


@pytest.mark.parametrize("workload", APPLICATIONS)
def test_the_storage_key_opens_an_applications_own_buckets_only(asked: Asked, workload: str) -> None:
    environment = workload.split("-", maxsplit=1)[0]
    own = "pingvas-models-shared" if workload.endswith("model-service") else f"pingvas-{environment}-images"
    s3 = f"s3.{asked.region}.amazonaws.com"

    def opens(bucket: str, via: str = s3, key: str = "storage", action: str = "kms:Decrypt") -> bool:
        return asked.decrypts(
            workload, key, action, **{"kms:ViaService": via, "kms:EncryptionContext:aws:s3:arn": asked.bucket(bucket)}
        )

    assert opens(own)
    assert opens(own, action="kms:GenerateDataKey")
    assert opens(f"{own}") is not opens(f"pingvas-{OTHER[environment]}-images")
    assert not opens("pingvas-backups")
    assert not opens(own, via=f"ec2.{asked.region}.amazonaws.com")
    for key in ("secrets", "data", "cluster"):
        assert not opens(own, key=key)
    assert not asked.decrypts(workload, "storage"), "never by itself, past S3"


def reads(asked: Asked, role: str, path: str) -> bool:
    """Whether a role gets a secret; its key is open to it then, and to nobody else."""
    opened = asked.decrypts(
        role,
        "secrets",
        **{
            "kms:ViaService": f"secretsmanager.{asked.region}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": asked.secret(path),
        },
    )
    assert asked.may(role, "secretsmanager:GetSecretValue", asked.secret(path)) is opened, path
    return opened


def test_external_secrets_read_their_environments_path_and_no_other(asked: Asked, environment: str) -> None:
    role = f"{environment}-external-secrets"
    for path, secret in SECRETS.items():
        own = secret.environment == environment
        assert reads(asked, role, path) is own, path
        assert not asked.may(role, "secretsmanager:PutSecretValue", asked.secret(path))
    assert not asked.may(role, "secretsmanager:GetSecretValue", asked.secret(f"pingvas/{environment}ish/jwt-secret"))
    assert not asked.may(role, "secretsmanager:GetSecretValue", asked.secret("rds!cluster-1"))


def test_shared_secrets_and_the_masters_have_readers_of_their_own(asked: Asked) -> None:
    published = asked.templates.one("AWS::SSM::Parameter", Name="/pingvas/aurora/master-secret-arn")
    assert asked.policies.resolve(published.properties["Value"], "Data") == asked.master
    readers = [name for name in WORKLOADS if asked.may(name, "secretsmanager:GetSecretValue", asked.master)]
    assert readers == ["bootstrap-external-secrets"]
    shared = asked.secret("pingvas/shared/pagerduty")
    readers = [name for name in WORKLOADS if asked.may(name, "secretsmanager:GetSecretValue", shared)]
    assert readers == ["shared-external-secrets"]


def test_the_bootstrap_reads_what_it_sets_and_no_other_secret(asked: Asked) -> None:
    """The passwords of each environment's database roles, which it gives the roles."""
    role = "bootstrap-external-secrets"
    for path, secret in SECRETS.items():
        wanted = secret.name in ("db-owner", "db-app", "db-worker", "db-backup")
        assert reads(asked, role, path) is wanted, path
        assert not asked.may(role, "secretsmanager:PutSecretValue", asked.secret(path))


def test_no_application_reads_a_secret_by_itself(asked: Asked) -> None:
    for workload in APPLICATIONS:
        for path in SECRETS:
            assert not asked.may(workload, "secretsmanager:GetSecretValue", asked.secret(path))
