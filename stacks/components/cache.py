"""ElastiCache: one replication group an environment, cluster mode off."""

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_logs as logs
from constructs import Construct

from blueprint.data import CACHE_ENGINE, CACHES, LOG_DAYS, Cache
from blueprint.network import REDIS_PORT
from blueprint.secrets import SECRETS
from stacks.components.excuse import excuse

LOGS = ("slow-log", "engine-log")


class Caches(Construct):
    """`groups`: the replication group of each environment."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        zones: Sequence[str],
        subnets: Sequence[str],
        security_groups: Mapping[str, str],
        data_key: str,
        logs_key: str,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        self._zones = zones
        self._data_key = data_key
        self._logs_key = logs_key
        self._removal = removal
        self._subnets = elasticache.CfnSubnetGroup(
            self, "Subnets", description="Data subnets, one a zone", subnet_ids=list(subnets)
        )
        self._parameters = elasticache.CfnParameterGroup(
            self,
            "Parameters",
            cache_parameter_group_family=CACHE_ENGINE.family,
            description="Nothing is evicted: a queue must not forget",
            properties={"maxmemory-policy": CACHE_ENGINE.eviction},
        )
        self.groups = {
            environment: self._group(environment, cache, security_groups[environment])
            for environment, cache in CACHES.items()
        }

    def _group(self, environment: str, cache: Cache, security_group: str) -> elasticache.CfnReplicationGroup:
        several = cache.nodes > 1
        group = elasticache.CfnReplicationGroup(
            self,
            environment,
            replication_group_id=cache.name,
            replication_group_description=f"Redis of {environment}: sessions, cache, queue, events",
            engine=CACHE_ENGINE.name,
            engine_version=CACHE_ENGINE.version,
            cache_node_type=cache.node_type,
            cluster_mode="disabled",
            num_cache_clusters=cache.nodes,
            preferred_cache_cluster_a_zs=[self._zones[number % len(self._zones)] for number in range(cache.nodes)],
            automatic_failover_enabled=several,
            multi_az_enabled=several,
            port=REDIS_PORT,
            cache_subnet_group_name=self._subnets.ref,
            security_group_ids=[security_group],
            cache_parameter_group_name=self._parameters.ref,
            at_rest_encryption_enabled=True,
            kms_key_id=self._data_key,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=_token(environment) if cache.auth else None,
            snapshot_retention_limit=cache.snapshot_days,
            snapshot_window=str(cache.snapshot) if cache.snapshot else None,
            preferred_maintenance_window=str(cache.maintenance),
            auto_minor_version_upgrade=True,
            log_delivery_configurations=[self._delivery(environment, kind) for kind in LOGS],
        )
        group.apply_removal_policy(self._removal)
        self._excuses(group, environment, cache)
        return group

    def _delivery(
        self, environment: str, kind: str
    ) -> elasticache.CfnReplicationGroup.LogDeliveryConfigurationRequestProperty:
        log = logs.CfnLogGroup(
            self,
            f"{environment}-{kind}",
            log_group_name=f"/aws/elasticache/{CACHES[environment].name}/{kind}",
            retention_in_days=LOG_DAYS,
            kms_key_id=self._logs_key,
        )
        log.apply_removal_policy(self._removal)
        request = elasticache.CfnReplicationGroup
        return request.LogDeliveryConfigurationRequestProperty(
            destination_type="cloudwatch-logs",
            destination_details=request.DestinationDetailsProperty(
                cloud_watch_logs_details=request.CloudWatchLogsDestinationDetailsProperty(log_group=log.ref)
            ),
            log_format="json",
            log_type=kind,
        )

    def _excuses(self, group: elasticache.CfnReplicationGroup, environment: str, cache: Cache) -> None:
        excuse(
            group,
            "AwsSolutions-AEC5",
            "the port is no secret: security groups, NACLs and network policies all name 6379, and TLS is required",
        )
        if not cache.auth:
            reason = f"{environment}'s Redis has no AUTH by design; only nodes reach it, and it holds test data"
            excuse(group, "AwsSolutions-AEC6", reason)
            excuse(group, "CKV_AWS_31", reason)
        if cache.nodes == 1:
            reason = f"{environment} is one node by design: it may lose its queue, which the database fills again"
            excuse(group, "AwsSolutions-AEC4", reason)


def _token(environment: str) -> str:
    """The AUTH token as a reference that CloudFormation resolves; the template holds its name alone."""
    secret = SECRETS[f"pingvas/{environment}/redis-auth"]
    return f"{{{{resolve:secretsmanager:{secret.path}:SecretString:{secret.generated_key}}}}}"
