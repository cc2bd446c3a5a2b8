"""Secrets Manager: every secret by name, who fills it, who reads it, how often it rotates. Days.

The values are never in Git or in a template: AWS generates them, `./pingvas deploy` does, or a person enters them.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from blueprint.environments import CLUSTER_ENVIRONMENTS, ROLES, EnvironmentName

PREFIX = "pingvas"


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret, a JSON object with `keys`.

    `filled_by`: `generated` (a random value under `generated_key`, made by Secrets Manager), `deploy` (by
    `./pingvas deploy`) or `person` (made with empty values; the runbook says where they come from).
    """

    name: str
    keys: tuple[str, ...]
    filled_by: Literal["generated", "deploy", "person"]
    generated_key: str | None = None
    rotation_days: int | None = None
    environment: EnvironmentName | None = None
    username: str | None = None

    @property
    def path(self) -> str:
        """The name in Secrets Manager.

        >>> SECRETS["pingvas/dev/jwt-secret"].path
        'pingvas/dev/jwt-secret'
        """
        return f"{PREFIX}/{self.environment or 'shared'}/{self.name}"


DATABASE_KEYS = ("username", "password", "engine", "host", "port", "dbname")


def _of(environment: EnvironmentName) -> tuple[Secret, ...]:
    databases = tuple(
        Secret(
            f"db-{role}",
            DATABASE_KEYS,
            "generated",
            "password",
            rotation_days=30,
            environment=environment,
            username=f"{PREFIX}_{environment}_{role}",
        )
        for role in ROLES
    )
    redis = (Secret("redis-auth", ("token",), "generated", "token", environment=environment),)
    return (
        *databases,
        *(redis if environment == "prod" else ()),
        Secret("jwt-secret", ("secret",), "generated", "secret", environment=environment),
        Secret("lemon-squeezy", ("api_key", "webhook_secret", "store_id"), "person", environment=environment),
        Secret(
            "oauth-credentials",
            ("google_client_id", "google_client_secret", "discord_client_id", "discord_client_secret"),
            "person",
            environment=environment,
        ),
        Secret("cdn-signing-key", ("private_key", "public_key_id"), "deploy", environment=environment),
        Secret("origin-header", ("value",), "generated", "value", rotation_days=30, environment=environment),
    )


_ALL = (
    *(secret for one in CLUSTER_ENVIRONMENTS for secret in _of(one.name)),
    Secret("pagerduty", ("integration_key",), "person"),
)
SECRETS: MappingProxyType[str, Secret] = MappingProxyType({secret.path: secret for secret in _ALL})
