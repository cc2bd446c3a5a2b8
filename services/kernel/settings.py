"""Settings of every process: environment variables that start with `PINGVAS_`, and nothing else.

Built once, in `create_app` or `main`, never at import.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from blueprint.environments import ENVIRONMENTS, Environment, EnvironmentName
from blueprint.jobs import JOBS, JobProtocol
from blueprint.security import SECURITY
from blueprint.worker import DEFAULT_MODEL, WORKER

URLS = (
    "database_url",
    "database_reader_url",
    "database_worker_url",
    "database_owner_url",
    "database_admin_url",
    "redis_url",
)
PLACEHOLDERS = ("change-me", "changeme", "placeholder", "secret", "password", "example")


class Settings(BaseSettings):
    """What a process needs to know of the world around it.

    A secret that is missing, too short or plainly a placeholder stops the start outside `local`.
    """

    model_config = SettingsConfigDict(env_prefix="PINGVAS_", extra="ignore", frozen=True, hide_input_in_errors=True)

    env: EnvironmentName = "local"
    database_url: SecretStr = SecretStr("")
    """Role `app`: row-level security shows it one tenant a transaction."""
    database_reader_url: SecretStr | None = None
    database_worker_url: SecretStr | None = None
    """Role `worker`: sees every tenant's jobs; the dispatcher, the catalogue and the GPU worker use it."""
    database_owner_url: SecretStr | None = None
    """Role `owner`: migrations only."""
    database_admin_url: SecretStr | None = None
    """A role with CREATEDB and CREATEROLE, Aurora's master: `python -m services.kernel.bootstrap` only."""
    database_schema: str = ""
    database_pool: Annotated[int, Field(ge=1, le=100)] = 10
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    redis_mode: Literal["standalone", "replication", "sentinel"] | None = None
    """What the deployment says that Redis is; a URL that is of another kind stops the start."""
    storage_url: str = ""
    """`file:///folder` or `s3://bucket`; S3 takes the usual AWS_* variables for endpoint and credentials."""
    models_dir: Path = Path(WORKER.models_mount)
    default_model: str = DEFAULT_MODEL
    """What a request without a model gets."""
    jwt_secret: SecretStr = SecretStr("")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    """Processor threads that a picture is computed with; 0 chooses."""
    model_memory_gib: Annotated[float, Field(ge=0)] = 0
    """How much memory loaded models may keep; 0 chooses from what the device has."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where the GPU worker shows /metrics; 0 is nowhere. Services show theirs on their own port."""
    pod_name: str = ""
    """The GPU worker's own pod, by the downward API; empty outside a cluster."""
    lease_seconds: Annotated[float, Field(gt=0)] = JOBS.lease
    renew_seconds: Annotated[float, Field(gt=0)] = JOBS.renew
    sweep_seconds: Annotated[float, Field(gt=0)] = JOBS.sweep
    republish_seconds: Annotated[float, Field(ge=0)] = JOBS.republish_after
    reap_seconds: Annotated[float, Field(ge=0)] = JOBS.reap_after

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.renew_seconds * 3 > self.lease_seconds:
            raise ValueError("PINGVAS_RENEW_SECONDS must be at most a third of PINGVAS_LEASE_SECONDS")
        scheme = self.redis_url.get_secret_value().partition("://")[0]
        if self.redis_mode and (self.redis_mode == "sentinel") != (scheme == "sentinel"):
            raise ValueError(f"PINGVAS_REDIS_MODE is {self.redis_mode}, and PINGVAS_REDIS_URL begins with {scheme}://")
        if self.environment.reserved:
            weak = ["jwt_secret"] if self.jwt_secret.get_secret_value() and not _strong(self.jwt_secret) else []
            weak += [name for name in URLS if _is_placeholder(_password(getattr(self, name)))]
            if weak:
                names = ", ".join(f"PINGVAS_{name.upper()}" for name in weak)
                raise ValueError(
                    f"{names}: the secret is a placeholder or shorter than {SECURITY.secret_bytes_minimum} "
                    f"bytes; {self.env} does not start without a real one"
                )
        return self

    @cached_property
    def environment(self) -> Environment:
        return ENVIRONMENTS[self.env]

    @property
    def schema_name(self) -> str:
        return self.database_schema or self.environment.schema

    @cached_property
    def jobs(self) -> JobProtocol:
        """The job protocol with this process's own timing."""
        return JobProtocol(
            lease=self.lease_seconds,
            renew=self.renew_seconds,
            sweep=self.sweep_seconds,
            republish_after=self.republish_seconds,
            reap_after=self.reap_seconds,
        )

    def require(self, name: str) -> SecretStr:
        """A setting that only some processes need.

        Raises:
            SettingMissingError: it is not set; the message names the variable.
        """
        value = getattr(self, name)
        if not isinstance(value, SecretStr) or not value.get_secret_value():
            raise SettingMissingError(f"PINGVAS_{name.upper()} is not set, and this process cannot run without it")
        return value


class SettingMissingError(RuntimeError):
    """A setting that this process needs is not there."""


def _strong(secret: SecretStr) -> bool:
    value = secret.get_secret_value()
    return len(value.encode()) >= SECURITY.secret_bytes_minimum and not _is_placeholder(value)


def _is_placeholder(value: str) -> bool:
    return any(word in value.lower() for word in PLACEHOLDERS)


def _password(url: SecretStr | None) -> str:
    authority = url.get_secret_value().partition("://")[2].partition("/")[0] if url else ""
    return unquote(authority.rpartition("@")[0].partition(":")[2])
