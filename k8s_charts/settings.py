"""What each process of ours is told in an environment: which settings stand in a ConfigMap, which come out of a Secret.

`blueprint.contract.SETTINGS` says where a setting comes from. Passwords of the database are files, which follow a
rotation while the process runs; URLs name them and so are no secrets.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from blueprint.contract import SETTINGS
from blueprint.environments import DATABASE, Environment
from blueprint.in_cluster import IN_CLUSTER_REDIS
from blueprint.network import POSTGRES_PORT
from blueprint.secrets import DATABASE_SECRETS, PREFIX
from k8s_charts.components.external_secrets import Remote
from k8s_charts.components.pods import SECRETS_MOUNT
from k8s_charts.components.redis import redis_url
from k8s_charts.facts import Facts

_REDIS_TOKEN = "token"  # noqa: S105 (a key's name, the one in `components.redis.TOKEN`)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings of one app in one environment.

    Attributes:
        plain: variables whose values anybody may read.
        variables: names of the variables that come out of the app's Secret, under the same key.
        files: keys of the Secret that are mounted, each a file below `SECRETS_MOUNT`.
        remote: where each key of the Secret comes from.
        template: keys of the Secret that are made of others.
    """

    plain: dict[str, str] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    remote: dict[str, Remote] = field(default_factory=dict)
    template: dict[str, str] = field(default_factory=dict)

    @property
    def only_for_template(self) -> tuple[str, ...]:
        """Keys that nothing but a template needs."""
        return tuple(key for key in self.remote if key not in (*self.variables, *self.files))

    @property
    def checksum(self) -> str:
        """Of what is plain: a pod that carries it as an annotation is replaced when a setting changes."""
        text = "\n".join(f"{name}={self.plain[name]}" for name in sorted(self.plain))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def configure(
    variables: Sequence[str],
    environment: Environment,
    facts: Facts,
    *,
    files: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> Configuration:
    """The configuration that consists of these settings, and of `files`: secret and key of each, by the file's name.

    Raises:
        KeyError: `SETTINGS` knows no such variable.
    """
    made = Configuration()
    for variable in variables:
        _one(made, variable, environment, facts)
    for file, (secret, key) in files.items():
        made.files.append(file)
        made.remote[file] = Remote(f"{PREFIX}/{environment.name}/{secret}", key)
    return made


def database_url(role: str, host: str, file: str, *, database: str = DATABASE) -> str:
    """A URL of PostgreSQL whose password stands in a mounted file.

    >>> database_url("pingvas_dev_app", "db.internal", "db-app")
    'postgresql+psycopg://pingvas_dev_app@db.internal:5432/pingvas_saas?sslmode=verify-full&passwordfile=/run/secrets/pingvas/db-app'
    """
    query = f"sslmode=verify-full&passwordfile={SECRETS_MOUNT}/{file}"
    return f"postgresql+psycopg://{role}@{host}:{POSTGRES_PORT}/{database}?{query}"


def redis_mode(environment: Environment, facts: Facts) -> str:
    """What the environment's Redis is: ElastiCache as the environment says, or what runs in the cluster."""
    if not facts.in_cluster:
        return environment.redis_mode
    return "sentinel" if IN_CLUSTER_REDIS[environment.name].sentinel else "standalone"


def _one(made: Configuration, variable: str, environment: Environment, facts: Facts) -> None:
    source = SETTINGS[variable]
    secrets = {name: f"{PREFIX}/{environment.name}/{name}" for name in source.secrets}
    if variable == "PINGVAS_REDIS_URL":
        _redis(made, variable, environment, facts)
    elif secrets and source.outputs:
        ((name, path),), (output,) = secrets.items(), source.outputs
        role = environment.role(name.removeprefix(DATABASE_SECRETS))
        made.plain[variable] = database_url(role, facts[output], name)
        if name not in made.files:
            made.files.append(name)
        made.remote[name] = Remote.of(path)
    elif secrets:
        ((_, path),) = secrets.items()
        made.variables.append(variable)
        made.remote[variable] = Remote.of(path)
    elif source.constant:
        made.plain[variable] = source.constant.format(
            env=environment.name, schema=environment.schema, redis_mode=redis_mode(environment, facts)
        )
    else:
        (output,) = source.outputs
        made.plain[variable] = f"s3://{facts[output.format(env=environment.name)]}"


def _redis(made: Configuration, variable: str, environment: Environment, facts: Facts) -> None:
    url = redis_url(facts, environment)
    if not environment.redis_auth:
        made.plain[variable] = url
        return
    (secret,) = SETTINGS[variable].secrets
    made.variables.append(variable)
    made.remote[_REDIS_TOKEN] = Remote.of(f"{PREFIX}/{environment.name}/{secret}")
    made.template[variable] = url
