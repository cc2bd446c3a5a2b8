"""The shared Aurora PostgreSQL cluster."""

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from blueprint.data import AURORA, LOG_DAYS
from blueprint.environments import DATABASE
from blueprint.network import POSTGRES_PORT
from stacks.components.excuse import excuse
from stacks.components.policies import role, service_trust
from stacks.settings import Settings

ENGINE = "aurora-postgresql"
CLUSTER_PARAMETERS: Mapping[str, str] = {
    "rds.force_ssl": "1",
    "ssl_min_protocol_version": "TLSv1.2",
    # Passwords are kept as SCRAM verifiers by the family's own default; this refuses the older kind.
    "rds.accepted_password_auth_method": "scram",
    "shared_preload_libraries": "pg_stat_statements",
    "idle_in_transaction_session_timeout": str(AURORA.idle_transaction_ms),
    "log_min_duration_statement": str(AURORA.slow_statement_ms),
    # `none`: statements of the bootstrap would bring password verifiers into the log.
    "log_statement": "none",
    "log_lock_waits": "1",
    "log_temp_files": "10240",
    "track_io_timing": "1",
}


class AuroraCluster(Construct):
    """`cluster`, a writer and the blueprint's readers (`instances`), each in a zone of its own."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        subnets: Sequence[str],
        security_group: str,
        data_key: str,
        secrets_key: str,
        logs_key: str,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        subnet_group = rds.CfnDBSubnetGroup(
            self, "Subnets", db_subnet_group_description="Data subnets, one a zone", subnet_ids=list(subnets)
        )
        parameters = rds.CfnDBClusterParameterGroup(
            self,
            "Parameters",
            family=AURORA.family,
            description="TLS and SCRAM only, statements counted, slow ones logged",
            parameters=dict(CLUSTER_PARAMETERS),
        )
        log_group = logs.CfnLogGroup(
            self, "Log", log_group_name=AURORA.log_group, retention_in_days=LOG_DAYS, kms_key_id=logs_key
        )
        log_group.apply_removal_policy(removal)
        self.cluster = rds.CfnDBCluster(
            self,
            "Cluster",
            db_cluster_identifier=AURORA.cluster,
            engine=ENGINE,
            engine_version=AURORA.postgres,
            # Paid support of versions past their end is a decision, not a default.
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            database_name=DATABASE,
            port=POSTGRES_PORT,
            master_username=AURORA.master,
            manage_master_user_password=True,
            master_user_secret=rds.CfnDBCluster.MasterUserSecretProperty(kms_key_id=secrets_key),
            enable_iam_database_authentication=True,
            db_subnet_group_name=subnet_group.ref,
            vpc_security_group_ids=[security_group],
            db_cluster_parameter_group_name=parameters.ref,
            serverless_v2_scaling_configuration=_capacity(settings),
            storage_encrypted=True,
            kms_key_id=data_key,
            backup_retention_period=AURORA.backup_days,
            preferred_backup_window=str(AURORA.backup),
            preferred_maintenance_window=str(AURORA.maintenance),
            copy_tags_to_snapshot=True,
            delete_automated_backups=not settings.protected,
            deletion_protection=settings.protected,
            database_insights_mode="standard",
            performance_insights_enabled=True,
            performance_insights_kms_key_id=data_key,
            performance_insights_retention_period=AURORA.insights_days,
            enable_cloudwatch_logs_exports=["postgresql"],
        )
        self.cluster.apply_removal_policy(removal)
        self.cluster.add_resource_dependency(log_group)
        monitoring = role(
            self,
            "Monitoring",
            name=AURORA.monitoring_role,
            description="Enhanced monitoring of Aurora's instances",
            trust=service_trust("monitoring.rds.amazonaws.com"),
            managed={
                "service-role/AmazonRDSEnhancedMonitoringRole": "AWS's own policy for enhanced monitoring; it may "
                "write the log group RDSOSMetrics and nothing else"
            },
        )
        self.instances = [
            self._instance(number, settings=settings, monitoring=monitoring.attr_arn, key=data_key, removal=removal)
            for number in range(len(AURORA.instances))
        ]
        for reader in self.instances[1:]:
            # The first instance that is there becomes the writer.
            reader.add_resource_dependency(self.instances[0])
        self._excuses(protected=settings.protected)

    def _instance(
        self, number: int, *, settings: Settings, monitoring: str, key: str, removal: RemovalPolicy
    ) -> rds.CfnDBInstance:
        windows = AURORA.instance_maintenance
        instance = rds.CfnDBInstance(
            self,
            f"Instance{number + 1}",
            db_instance_identifier=AURORA.instances[number],
            db_cluster_identifier=self.cluster.ref,
            db_instance_class="db.serverless",
            engine=ENGINE,
            availability_zone=settings.zones[number % len(settings.zones)],
            promotion_tier=0 if number == 0 else AURORA.reader_tier,
            publicly_accessible=False,
            auto_minor_version_upgrade=True,
            ca_certificate_identifier=AURORA.certificate,
            preferred_maintenance_window=str(windows[min(number, len(windows) - 1)]),
            monitoring_interval=AURORA.monitoring_seconds,
            monitoring_role_arn=monitoring,
            enable_performance_insights=True,
            performance_insights_kms_key_id=key,
            performance_insights_retention_period=AURORA.insights_days,
        )
        instance.apply_removal_policy(removal)
        excuse(
            instance,
            "W3010",
            "zones are a setting of the deployment; writer and reader must stand in different ones",
        )
        return instance

    def _excuses(self, *, protected: bool) -> None:
        excuse(
            self.cluster,
            "AwsSolutions-RDS11",
            "the port is no secret: security groups, NACLs and network policies all name 5432, and TLS is forced",
        )
        if not protected:
            excuse(
                self.cluster,
                "AwsSolutions-RDS10",
                "the setting protected=false asks for a trial whose stacks can be deleted again",
            )


def _capacity(settings: Settings) -> rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty:
    pauses = settings.aurora_min_acu == 0
    return rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
        min_capacity=settings.aurora_min_acu,
        max_capacity=settings.aurora_max_acu,
        seconds_until_auto_pause=AURORA.auto_pause_seconds if pauses else None,
    )
