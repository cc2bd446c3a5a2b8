"""Secrets Manager: every secret by name, who fills it, who reads it, how often it rotates. Days.

The values are never in Git or in a template: AWS generates them, `./pingvas deploy` does, or a person enters them.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from blueprint.environments import CLUSTER_ENVIRONMENTS, DATABASE, ENVIRONMENTS, ROLES, EnvironmentName
from blueprint.network import POSTGRES_PORT

PREFIX = "pingvas"
GENERATED_CHARACTERS = 48
"""Letters and digits only, so that a value needs no escape in a URL; 285 bits, and within ElastiCache's 16-128."""
REFRESH_MINUTES = 1
"""How often External Secrets reads a secret again: a password that has rotated opens no new connection until then."""
PLACEHOLDER = "change-me"
"""What a person or `./pingvas deploy` replaces; the services refuse to start with it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret, a JSON object with `keys`.

    `filled_by`: `generated` (a random value under `generated_key`, made by Secrets Manager), `deploy` (by
    `./pingvas deploy`) or `person` (made with PLACEHOLDER in every key; the runbook says where the values come from).
    Either `rotation_days` with `rotated_by`, the stack whose schedule rotates it, or `kept_because`: why AWS cannot.
    """

    name: str
    keys: tuple[str, ...]
    filled_by: Literal["generated", "deploy", "person"]
    generated_key: str | None = None
    rotation_days: int | None = None
    environment: EnvironmentName | None = None
    username: str | None = None
    rotated_by: str = ""
    kept_because: str = ""

    @property
    def template(self) -> dict[str, str | int]:
        """What the secret holds beside its generated value when it is made.

        >>> SECRETS["pingvas/dev/lemon-squeezy"].template["api_key"]
        'change-me'
        """
        if self.username:
            known: dict[str, str | int] = {
                "username": self.username,
                "engine": "postgres",
                "port": POSTGRES_PORT,
                "dbname": DATABASE,
            }
            return {key: known[key] for key in self.keys if key in known}
        return {key: PLACEHOLDER for key in self.keys if key != self.generated_key}

    @property
    def path(self) -> str:
        """The name in Secrets Manager.

        >>> SECRETS["pingvas/dev/jwt-secret"].path
        'pingvas/dev/jwt-secret'
        """
        return f"{PREFIX}/{self.environment or 'shared'}/{self.name}"


DATABASE_SECRETS = "db-"
"""How the secrets of database roles begin."""
DATABASE_KEYS = ("username", "password", "engine", "host", "port", "dbname")


def _of(environment: EnvironmentName) -> tuple[Secret, ...]:
    databases = tuple(
        Secret(
            f"{DATABASE_SECRETS}{role}",
            DATABASE_KEYS,
            "generated",
            "password",
            rotation_days=30,
            environment=environment,
            username=f"{PREFIX}_{environment}_{role}",
            rotated_by="Data",
        )
        for role in ROLES
    )
    redis = Secret(
        "redis-auth",
        ("token",),
        "generated",
        "token",
        environment=environment,
        kept_because="ElastiCache takes a new AUTH token beside the old one by a command; the runbook says when",
    )
    return (
        *databases,
        *((redis,) if ENVIRONMENTS[environment].redis_auth else ()),
        Secret(
            "jwt-secret",
            ("secret",),
            "generated",
            "secret",
            environment=environment,
            kept_because="a new key ends every session at once, so a person chooses the hour",
        ),
        Secret(
            "lemon-squeezy",
            ("api_key", "webhook_secret", "store_id"),
            "person",
            environment=environment,
            kept_because="Lemon Squeezy issues it, in its own console only",
        ),
        Secret(
            "oauth-credentials",
            ("google_client_id", "google_client_secret", "discord_client_id", "discord_client_secret"),
            "person",
            environment=environment,
            kept_because="Google and Discord issue them, in their own consoles only",
        ),
        Secret(
            "cdn-signing-key",
            ("private_key", "public_key_id"),
            "deploy",
            environment=environment,
            kept_because="its public half is a setting: `./pingvas deploy` rotates both through two slots",
        ),
        Secret(
            "origin-header",
            ("value",),
            "generated",
            "value",
            rotation_days=30,
            environment=environment,
            rotated_by="Edge",
        ),
    )


_ALL = (
    *(secret for one in CLUSTER_ENVIRONMENTS for secret in _of(one.name)),
    Secret("pagerduty", ("integration_key",), "person", kept_because="PagerDuty issues it, in its own console only"),
    Secret(
        "grafana",
        ("password",),
        "generated",
        "password",
        kept_because="Grafana takes its administrator's password when it starts; the runbook says how to change it",
    ),
    Secret(
        "vpn-saml", ("metadata",), "person", kept_because="Identity Center issues it; it holds its public certificate"
    ),
)
SECRETS: MappingProxyType[str, Secret] = MappingProxyType({secret.path: secret for secret in _ALL})
