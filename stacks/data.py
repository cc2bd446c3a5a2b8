"""Aurora, ElastiCache, EFS and their backups."""

from constructs import Construct

from blueprint.contract import redis_endpoint
from blueprint.data import BACKUPS
from blueprint.secrets import SECRETS
from blueprint.workloads import WORKLOADS
from stacks.components.aurora import AuroraCluster
from stacks.components.backups import Backups
from stacks.components.cache import Caches
from stacks.components.files import SharedFiles
from stacks.components.rotation import DatabaseRotation
from stacks.components.stack import PlatformStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings

MOUNTERS = (WORKLOADS["efs-csi"].role,)
"""Who mounts the shared files, for every pod: the CSI driver. Nodes themselves do not, or any pod could as its node."""


class DataStack(PlatformStack):
    """What the platform remembers: the database, the caches, the shared files, and the copies of them.

    Attributes: `aurora` (the cluster; `attr_endpoint_address` writes, `attr_read_endpoint_address` reads,
    `attr_master_user_secret_secret_arn`), `caches` by environment, `file_system`, `access_points` by name, `vault`.
    """

    def __init__(self, scope: Construct, *, settings: Settings, network: NetworkStack, security: SecurityStack) -> None:
        super().__init__(scope, "Data", settings=settings, description="Aurora, Redis, EFS, backups", stateful=True)
        # Secrets are named, not imported: a reference to their names alone would let this stack come first.
        self.add_stack_dependency(security)
        subnets = [subnet.subnet_id for subnet in network.tier("data")]
        groups = network.groups
        data_key, logs_key = security.keys.data.key_arn, network.logs_key.key_arn
        aurora = AuroraCluster(
            self,
            "Aurora",
            settings=settings,
            subnets=subnets,
            security_group=groups.aurora.security_group_id,
            data_key=data_key,
            secrets_key=security.keys.secrets.key_arn,
            logs_key=logs_key,
            removal=self.removal,
        )
        self.aurora = aurora.cluster
        DatabaseRotation(
            self,
            "Rotation",
            cluster=aurora.cluster,
            instances=aurora.instances,
            secrets={
                path: security.secrets[path].secret_arn
                for path, secret in SECRETS.items()
                if secret.username is not None
            },
            secrets_key=security.keys.secrets.key_arn,
            logs_key=logs_key,
            subnets=[subnet.subnet_id for subnet in network.tier("private")],
            security_group=groups.rotation.security_group_id,
            removal=self.removal,
        )
        self.caches = Caches(
            self,
            "Redis",
            zones=settings.zones,
            subnets=subnets,
            security_groups={name: group.security_group_id for name, group in groups.redis.items()},
            data_key=data_key,
            logs_key=logs_key,
            removal=self.removal,
        ).groups
        for environment, group in self.caches.items():
            self.tag_environment(group, environment)
        files = SharedFiles(
            self,
            "Files",
            subnets=subnets,
            security_group=groups.efs.security_group_id,
            key=data_key,
            mounters=MOUNTERS,
            removal=self.removal,
        )
        self.file_system = files.file_system
        self.access_points = files.access_points
        self.vault = Backups(
            self,
            "Backups",
            resources={
                BACKUPS.aurora.name: self.aurora.attr_db_cluster_arn,
                BACKUPS.efs.name: self.file_system.attr_arn,
            },
            key=data_key,
            protected=settings.protected,
            removal=self.removal,
        ).vault
        self._outputs()

    def _outputs(self) -> None:
        self.publish("aurora/writer-endpoint", self.aurora.attr_endpoint_address)
        self.publish("aurora/reader-endpoint", self.aurora.attr_read_endpoint_address)
        self.publish("aurora/master-secret-arn", self.aurora.attr_master_user_secret_secret_arn)
        for name, cache in self.caches.items():
            self.publish(redis_endpoint(name), cache.attr_primary_end_point_address)
        self.publish("efs/file-system-id", self.file_system.ref)
        for name, point in self.access_points.items():
            self.publish(f"efs/{name}-access-point-id", point.ref)
