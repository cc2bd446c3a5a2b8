"""Settings: a placeholder secret stops a start outside `local`, and a missing one says its name."""

import secrets

import pytest
from pydantic import ValidationError

from services.kernel.settings import SettingMissingError, Settings
from services.kernel.tokens import Tokens

GOOD = secrets.token_hex(32)
URL = "postgresql+psycopg://pingvas_prod_app:{password}@aurora.internal:5432/pingvas_saas"


@pytest.mark.parametrize("env", ["dev", "prod"])
@pytest.mark.parametrize("secret", ["short", "change-me-change-me-change-me-change-me", "PLACEHOLDER" * 5])
def test_a_weak_secret_stops_the_start(env: str, secret: str) -> None:
    with pytest.raises(ValidationError, match="PINGVAS_JWT_SECRET"):
        Settings.model_validate({"env": env, "jwt_secret": secret})


def test_a_missing_secret_stops_whoever_signs_and_nobody_else() -> None:
    """A GPU worker and a migration sign nothing, and should hold no key that can."""
    settings = Settings.model_validate({"env": "prod", "jwt_secret": ""})
    with pytest.raises(SettingMissingError, match="PINGVAS_JWT_SECRET"):
        Tokens(settings)


@pytest.mark.parametrize("name", ["database_url", "database_worker_url"])
def test_a_placeholder_in_a_url_stops_the_start(name: str) -> None:
    with pytest.raises(ValidationError, match=f"PINGVAS_{name.upper()}"):
        Settings.model_validate({"env": "prod", "jwt_secret": GOOD, name: URL.format(password="change-me")})
    Settings.model_validate({"env": "prod", "jwt_secret": GOOD, name: URL.format(password="cQ9x%40v")})


def test_a_message_never_repeats_the_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"env": "prod", "jwt_secret": "changeme-7f3a"})
    assert "7f3a" not in str(caught.value)
    assert GOOD not in repr(Settings(jwt_secret=GOOD))


def test_local_starts_with_anything_and_what_is_missing_says_its_name() -> None:
    settings = Settings(env="local")
    assert settings.schema_name == "local_pingvas"
    with pytest.raises(SettingMissingError, match="PINGVAS_DATABASE_WORKER_URL"):
        settings.require("database_worker_url")


def test_the_schema_follows_the_environment() -> None:
    assert Settings(env="dev", jwt_secret=GOOD).schema_name == "dev_pingvas"
    assert Settings(env="prod", jwt_secret=GOOD).schema_name == "prod_pingvas"
    assert Settings(env="prod", jwt_secret=GOOD, database_schema="other").schema_name == "other"


def test_environment_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGVAS_REDIS_URL", "rediss://cache:6379/0")
    monkeypatch.setenv("PINGVAS_LEASE_SECONDS", "6")
    settings = Settings()
    assert settings.redis_url.get_secret_value() == "rediss://cache:6379/0"
    assert settings.jobs.lease == 6


def test_a_renewal_slower_than_a_third_of_the_lease_is_refused() -> None:
    with pytest.raises(ValidationError, match="PINGVAS_RENEW_SECONDS"):
        Settings(lease_seconds=1, renew_seconds=0.5)
