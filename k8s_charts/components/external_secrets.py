"""External Secrets' kinds: stores, each served by a controller of its own, and what is read through them.

With EKS Pod Identity the credentials are those of the pod that asks, and a store cannot lend itself another service
account (`auth.jwt` is IRSA). So each store names its controller, whose pod runs as the store's own service account.
Source: External Secrets documentation, "AWS Access"; its issue 2951.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Construct

from blueprint.secrets import REFRESH_MINUTES, SECRETS
from k8s_charts.folder import CustomResource

API_VERSION = "external-secrets.io/v1"


def store(name: str) -> str:
    """The ClusterSecretStore of an environment, or `shared` or `bootstrap`; its controller's class is the same name.

    >>> store("dev")
    'pingvas-dev'
    """
    return f"pingvas-{name}"


@dataclass(frozen=True, slots=True)
class Remote:
    """One key of a secret in Secrets Manager; `secret` is its name or ARN."""

    secret: str
    key: str

    @classmethod
    def of(cls, path: str) -> "Remote":
        """The generated value of a secret of `blueprint.secrets`, or its only key.

        >>> Remote.of("pingvas/dev/db-app")
        Remote(secret='pingvas/dev/db-app', key='password')

        Raises:
            ValueError: the secret has several keys, and none is generated.
        """
        secret = SECRETS[path]
        key = secret.generated_key or (secret.keys[0] if len(secret.keys) == 1 else None)
        if key is None:
            raise ValueError(f"{path} has the keys {', '.join(secret.keys)}: say which")
        return cls(path, key)


class ClusterSecretStore(CustomResource):
    """A store in Secrets Manager that ExternalSecrets of `namespaces`, and of no other, may read through."""

    def __init__(self, scope: Construct, name: str, *, region: str, namespaces: Sequence[str]) -> None:
        super().__init__(
            scope,
            name,
            api_version=API_VERSION,
            kind="ClusterSecretStore",
            spec={
                "controller": name,
                "conditions": [{"namespaces": list(namespaces)}],
                "provider": {"aws": {"service": "SecretsManager", "region": region}},
            },
        )


class ExternalSecret(CustomResource):
    """A Secret of the same name, kept like its secrets in Secrets Manager.

    `data` is where each of its keys comes from. `template` adds keys made of them (Go templates); a key that only a
    template needs stays out of the Secret when it is in `only_for_template`. `outlived`: the Secret stays when this
    object goes, as a hook does before every sync.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        store: str,
        data: Mapping[str, Remote],
        template: Mapping[str, str] | None = None,
        only_for_template: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        namespace: str | None = None,
        outlived: bool = False,
    ) -> None:
        policy = "Orphan" if outlived else "Owner"
        target: dict[str, Any] = {"name": name, "creationPolicy": policy, "deletionPolicy": "Retain"}
        if template:
            kept = {key: _value(key) for key in data if key not in only_for_template}
            target["template"] = {"engineVersion": "v2", "mergePolicy": "Replace", "data": {**kept, **template}}
        super().__init__(
            scope,
            f"{name}-secret",
            api_version=API_VERSION,
            kind="ExternalSecret",
            name=name,
            namespace=namespace,
            labels=labels,
            annotations=annotations,
            spec={
                "refreshInterval": f"{REFRESH_MINUTES}m",
                "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
                "target": target,
                "data": [
                    {"secretKey": key, "remoteRef": {"key": remote.secret, "property": remote.key}}
                    for key, remote in data.items()
                ],
            },
        )


def _value(key: str) -> str:
    """A key's value in a Go template.

    >>> _value("token"), _value("db-app")
    ('{{ .token }}', '{{ index . "db-app" }}')
    """
    return f"{{{{ .{key} }}}}" if key.isidentifier() else f'{{{{ index . "{key}" }}}}'
