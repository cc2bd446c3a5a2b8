"""Keys, secrets, the developers' role, and the watch over all of it: CloudTrail, GuardDuty."""

from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from blueprint.secrets import SECRETS
from stacks.components.stack import PlatformStack
from stacks.network import NetworkStack
from stacks.settings import Settings


@dataclass(frozen=True, slots=True)
class Keys:
    """Customer-managed KMS keys by what they protect."""

    data: kms.Key
    """Aurora, ElastiCache, EFS, the backup vault."""
    secrets: kms.Key
    storage: kms.Key
    """Buckets, except the logs bucket, which ALB logs need under SSE-S3."""
    cluster: kms.Key
    """Kubernetes secrets in etcd, volumes of nodes."""


class SecurityStack(PlatformStack):
    """Keys, secrets (`secrets`, by their full name), DevOps-AssumeRole, CloudTrail, GuardDuty."""

    def __init__(self, scope: Construct, *, settings: Settings, network: NetworkStack) -> None:
        super().__init__(scope, "Security", settings=settings, description="keys, secrets, audit", stateful=True)
        self.keys = Keys(**{name: self._key(name) for name in ("data", "secrets", "storage", "cluster")})
        self.secrets = {path: self._secret(path) for path in SECRETS}

    def _key(self, name: str) -> kms.Key:
        return kms.Key(
            self, f"{name.title()}Key", alias=f"pingvas/{name}", enable_key_rotation=True, removal_policy=self.removal
        )

    def _secret(self, path: str) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self, f"Secret-{path}", secret_name=path, encryption_key=self.keys.secrets, removal_policy=self.removal
        )
