"""The data stack as a whole, Aurora, and the rotation of its roles' passwords."""

import inspect
import re
from math import ceil

import pytest
from cryptography import x509

from blueprint.connections import CONNECTIONS
from blueprint.contract import SETTINGS
from blueprint.data import AURORA, CACHES, EFS, ROTATION, authority
from blueprint.environments import CLUSTER_ENVIRONMENTS, DATABASE
from blueprint.regions import REGIONS
from blueprint.rules import RuleError
from blueprint.secrets import DATABASE_KEYS, SECRETS
from blueprint.services import SERVICES
from services.kernel.db import sync_engine
from tests.support.data import group, key, named, one, tier
from tests.support.iam import Request, evaluate
from tests.support.policies import ACCOUNT, Policies
from tests.support.templates import PROJECT, Templates, synthesize

DATABASE_SECRETS = [secret for secret in SECRETS.values() if secret.username]
ATTACHED = ("engine", "host", "port", "dbname")
"""What an attachment to an Aurora cluster writes into a secret (Secrets Manager's guide, JSON structure of secrets),
beside the cluster's identifier."""


@pytest.fixture(scope="module")
def policies(templates: Templates, region: str) -> Policies:
    return Policies(templates, region=region)


@pytest.fixture(scope="module")
def trial() -> Templates:
    return synthesize(region="us-east-1", protected=False, aurora_min_acu=0, aurora_auto_pause=True)


class TestAurora:
    def test_it_is_the_documents_cluster(self, templates: Templates) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster").properties
        assert cluster["DBClusterIdentifier"] == "pingvas-shared-aurora"
        assert cluster["Engine"] == "aurora-postgresql"
        major, minor = map(int, cluster["EngineVersion"].split("."))
        assert major == 17
        assert minor >= 4
        assert cluster["DatabaseName"] == DATABASE == "pingvas_saas"
        assert cluster["Port"] == 5432
        assert cluster["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"

    def test_a_writer_and_a_reader_of_half_to_four_units_in_different_zones(self, templates: Templates) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster")
        assert cluster.properties["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 4}
        instances = list(templates.resources("AWS::RDS::DBInstance", stack="Data"))
        assert len(instances) == 2
        for instance in instances:
            assert instance.properties["DBInstanceClass"] == "db.serverless"
            assert instance.properties["DBClusterIdentifier"] == {"Ref": cluster.id}
        assert len({instance.properties["AvailabilityZone"] for instance in instances}) == 2
        writer, reader = instances
        assert writer.id in reader.body["DependsOn"], "the first instance that is there becomes the writer"
        assert [one.properties["PromotionTier"] for one in instances] == [0, 1]

    def test_nobody_outside_reaches_it(self, templates: Templates, policies: Policies) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster").properties
        subnets = one(templates, "AWS::RDS::DBSubnetGroup").properties["SubnetIds"]
        assert named(policies, subnets) == tier(policies, "data")
        assert named(policies, cluster["VpcSecurityGroupIds"]) == group(policies, "AuroraGroup")
        for instance in templates.resources("AWS::RDS::DBInstance"):
            assert instance.properties["PubliclyAccessible"] is False

    def test_everything_of_it_is_encrypted(self, templates: Templates, policies: Policies) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster").properties
        data = key(policies, "DataKey")
        assert cluster["StorageEncrypted"] is True
        assert named(policies, cluster["KmsKeyId"]) == data
        assert named(policies, cluster["PerformanceInsightsKmsKeyId"]) == data
        for instance in templates.resources("AWS::RDS::DBInstance"):
            assert named(policies, instance.properties["PerformanceInsightsKMSKeyId"]) == data

    def test_tls_and_scram_are_forced(self, templates: Templates) -> None:
        group = one(templates, "AWS::RDS::DBClusterParameterGroup")
        cluster = one(templates, "AWS::RDS::DBCluster").properties
        assert cluster["DBClusterParameterGroupName"] == {"Ref": group.id}
        assert group.properties["Family"] == f"aurora-postgresql{AURORA.postgres.split('.')[0]}"
        parameters = group.properties["Parameters"]
        assert parameters["rds.force_ssl"] == "1"
        assert parameters["ssl_min_protocol_version"] == "TLSv1.2"
        assert parameters["rds.accepted_password_auth_method"] == "scram"
        for instance in templates.resources("AWS::RDS::DBInstance"):
            assert instance.properties["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"

    def test_its_parameters_tell_of_slow_statements_and_end_forgotten_transactions(self, templates: Templates) -> None:
        parameters = one(templates, "AWS::RDS::DBClusterParameterGroup").properties["Parameters"]
        assert "pg_stat_statements" in parameters["shared_preload_libraries"]
        assert parameters["log_min_duration_statement"] == "1000"
        assert parameters["idle_in_transaction_session_timeout"] == "60000"
        assert parameters["log_statement"] == "none", "role statements would be logged with their verifiers"

    def test_the_masters_password_is_nobodys_to_know(self, templates: Templates, policies: Policies) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster").properties
        assert cluster["ManageMasterUserPassword"] is True
        assert "MasterUserPassword" not in cluster
        assert named(policies, cluster["MasterUserSecret"]["KmsKeyId"]) == key(policies, "SecretsKey")
        assert cluster["EnableIAMDatabaseAuthentication"] is True

    def test_backups_of_seven_days_and_no_deletion(self, templates: Templates) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster")
        assert cluster.properties["BackupRetentionPeriod"] == 7
        assert cluster.properties["PreferredBackupWindow"] == str(AURORA.backup)
        assert cluster.properties["CopyTagsToSnapshot"] is True
        assert cluster.properties["DeletionProtection"] is True
        assert cluster.properties["DeleteAutomatedBackups"] is False
        for resource in (cluster, *templates.resources("AWS::RDS::DBInstance")):
            assert resource.body["DeletionPolicy"] == resource.body["UpdateReplacePolicy"] == "Retain"

    def test_it_is_watched(self, templates: Templates, policies: Policies) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster")
        assert cluster.properties["EnableCloudwatchLogsExports"] == ["postgresql"]
        log = one(templates, "AWS::Logs::LogGroup", LogGroupName="/aws/rds/cluster/pingvas-shared-aurora/postgresql")
        assert log.id in cluster.body["DependsOn"], "RDS would make it first, unencrypted and for ever"
        assert cluster.properties["DatabaseInsightsMode"] == "standard"
        role = policies.arn(policies.role("pingvas-aurora-monitoring"))
        for instance in templates.resources("AWS::RDS::DBInstance"):
            assert instance.properties["EnablePerformanceInsights"] is True
            assert instance.properties["MonitoringInterval"] == 60
            assert named(policies, instance.properties["MonitoringRoleArn"]) == role
            assert instance.properties["AutoMinorVersionUpgrade"] is True

    def test_writer_and_reader_are_never_maintained_together(self, templates: Templates) -> None:
        windows = [one.properties["PreferredMaintenanceWindow"] for one in templates.resources("AWS::RDS::DBInstance")]
        assert windows == [str(window) for window in AURORA.instance_maintenance]

    def test_a_cluster_that_may_pause_does(self, trial: Templates) -> None:
        assert one(trial, "AWS::RDS::DBCluster").properties["ServerlessV2ScalingConfiguration"] == {
            "MinCapacity": 0,
            "MaxCapacity": 4,
            "SecondsUntilAutoPause": AURORA.auto_pause_seconds,
        }
        assert 300 <= AURORA.auto_pause_seconds <= 86_400

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"aurora_min_acu": 8}, "aurora_min_acu = 8.0: must not be above aurora_max_acu, which is 4"),
            ({"aurora_min_acu": 0}, "aurora_min_acu = 0.0: must be 0.5 or more, or 0 with aurora_auto_pause"),
        ],
    )
    def test_a_capacity_that_cannot_be_is_refused(self, wrong: dict[str, float], message: str) -> None:
        with pytest.raises(RuleError, match=re.escape(message)):
            synthesize(region="us-east-1", **wrong)

    def test_it_takes_the_connections_of_both_environments_at_their_maxima(self) -> None:
        """A rollout's surge of a quarter included; the reader gets less, since the worker's role never asks it."""
        services = [path for path in (PROJECT / "services").iterdir() if path.name in SERVICES]
        as_worker = [
            path for path in services if any('role="worker"' in code.read_text() for code in path.glob("*.py"))
        ]
        assert len(services) == 5
        assert len(as_worker) == 3
        pool = int(SETTINGS["PINGVAS_DATABASE_POOL"].constant)
        worker = inspect.signature(sync_engine).parameters["pool"].default + 2
        wanted = sum(
            ceil(one.replicas.maximum * 1.25) * (len(services) + len(as_worker)) * pool + one.workers.maximum * worker
            for one in CLUSTER_ENVIRONMENTS
        )
        assert 500 < wanted <= min(CONNECTIONS[AURORA.maximum_acu], 2000) - 20, "the last ones are AWS's own"

    def test_every_region_has_the_authority_that_clients_verify_with(self) -> None:
        for name in REGIONS:
            root = x509.load_pem_x509_certificate(authority(name).encode())
            root.verify_directly_issued_by(root)
            common = root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
            kind = AURORA.certificate.removeprefix("rds-ca-").removesuffix("-g1").upper()
            assert common == f"Amazon RDS {name} Root CA {kind} G1"
            assert root.not_valid_after_utc.year >= 2061


class TestRotation:
    def test_every_secret_of_a_database_role_is_attached_and_rotates(
        self, templates: Templates, policies: Policies
    ) -> None:
        cluster = one(templates, "AWS::RDS::DBCluster")
        attachments = {}
        for one_ in templates.resources("AWS::SecretsManager::SecretTargetAttachment"):
            assert one_.properties["TargetType"] == "AWS::RDS::DBCluster"
            assert one_.properties["TargetId"] == {"Ref": cluster.id}
            attachments[one_.id] = named(policies, one_.properties["SecretId"])
        schedules = {}
        for schedule in templates.resources("AWS::SecretsManager::RotationSchedule", stack="Data"):
            secret = attachments[schedule.properties["SecretId"]["Ref"]]
            schedules[secret.partition(":secret:")[2].rpartition("-")[0]] = schedule
        assert sorted(schedules) == sorted(secret.path for secret in DATABASE_SECRETS)
        assert len(schedules) == 8
        function = one(templates, "AWS::Lambda::Function", FunctionName=ROTATION.function)
        for path, schedule in schedules.items():
            assert schedule.properties["RotationRules"] == {
                "AutomaticallyAfterDays": SECRETS[path].rotation_days,
                "Duration": "1h",
            }
            assert schedule.properties["RotateImmediatelyOnUpdate"] is False, "the roles are not there yet"
            assert schedule.properties["RotationLambdaARN"] == {"Fn::GetAtt": [function.id, "Arn"]}

    def test_an_attached_secret_has_the_keys_that_clients_read(self) -> None:
        generated = ("username", "password")
        for secret in DATABASE_SECRETS:
            assert secret.keys == DATABASE_KEYS == generated + ATTACHED
            assert secret.generated_key == "password"

    def test_every_rotating_secret_of_a_database_is_the_functions_and_no_other(self, policies: Policies) -> None:
        role = policies.role(ROTATION.role)
        identity = policies.identity(role)
        for secret in SECRETS.values():
            arn = f"arn:aws:secretsmanager:{policies.region}:{ACCOUNT}:secret:{secret.path}-a1B2c3"
            request = Request(action="secretsmanager:PutSecretValue", resource=arn, principal=policies.arn(role))
            mine = evaluate(request, identity=identity) == "allow"
            assert mine == (secret.username is not None), secret.path

    def test_the_code_itself_touches_no_network_interface(self, policies: Policies) -> None:
        role = policies.role(ROTATION.role)
        function = f"arn:aws:lambda:{policies.region}:{ACCOUNT}:function:{ROTATION.function}"
        request = Request(action="ec2:DeleteNetworkInterface", principal=policies.arn(role))
        by_code = Request(
            action=request.action, principal=request.principal, context={"lambda:SourceFunctionArn": function}
        )
        assert evaluate(request, identity=policies.identity(role)) == "allow"
        assert evaluate(by_code, identity=policies.identity(role)) == "deny"

    def test_it_runs_in_the_private_subnets_and_verifies_the_server(
        self, templates: Templates, policies: Policies, region: str
    ) -> None:
        function = one(templates, "AWS::Lambda::Function", FunctionName=ROTATION.function).properties
        assert named(policies, function["VpcConfig"]) == {
            "SubnetIds": tier(policies, "private"),
            "SecurityGroupIds": group(policies, "RotationGroup"),
        }
        assert function["Environment"]["Variables"] == {"CA": authority(region)}
        assert function["Runtime"] == "python3.13"
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        permission = one(templates, "AWS::Lambda::Permission").properties
        assert permission["Principal"] == "secretsmanager.amazonaws.com"
        assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


class TestStack:
    def test_logs_are_encrypted_and_end(self, templates: Templates, policies: Policies) -> None:
        logs = list(templates.resources("AWS::Logs::LogGroup", stack="Data"))
        assert len(logs) == 6
        for log in logs:
            assert named(policies, log.properties["KmsKeyId"]) == key(policies, "LogsKey", stack="Network")
            assert log.properties["RetentionInDays"] == 90

    def test_what_it_publishes_is_what_it_made(self, templates: Templates) -> None:
        outputs = {
            one.properties["Name"].removeprefix("/pingvas/"): one.properties["Value"]
            for one in templates.resources("AWS::SSM::Parameter", stack="Data")
        }
        cluster = one(templates, "AWS::RDS::DBCluster").id
        assert outputs["aurora/writer-endpoint"] == {"Fn::GetAtt": [cluster, "Endpoint.Address"]}
        assert outputs["aurora/reader-endpoint"] == {"Fn::GetAtt": [cluster, "ReadEndpoint.Address"]}
        assert outputs["aurora/master-secret-arn"] == {"Fn::GetAtt": [cluster, "MasterUserSecret.SecretArn"]}
        for name, cache in CACHES.items():
            made = one(templates, "AWS::ElastiCache::ReplicationGroup", ReplicationGroupId=cache.name).id
            assert outputs[f"redis/{name}/primary-endpoint"] == {"Fn::GetAtt": [made, "PrimaryEndPoint.Address"]}
        points = {one.id: one.properties for one in templates.resources("AWS::EFS::AccessPoint")}
        for name, uid in (("models", EFS.writer_uid), ("models-readonly", EFS.reader_uid)):
            point = points[outputs[f"efs/{name}-access-point-id"]["Ref"]]
            assert point["PosixUser"]["Uid"] == str(uid)
            assert point["RootDirectory"]["Path"] == "/models"

    def test_a_trial_can_be_deleted(self, trial: Templates) -> None:
        cluster = one(trial, "AWS::RDS::DBCluster")
        assert cluster.properties["DeletionProtection"] is False
        assert cluster.properties["DeleteAutomatedBackups"] is True
        stateful = [
            resource
            for resource in trial.resources(stack="Data")
            if resource.type
            in (
                "AWS::RDS::DBCluster",
                "AWS::RDS::DBInstance",
                "AWS::ElastiCache::ReplicationGroup",
                "AWS::EFS::FileSystem",
                "AWS::EFS::AccessPoint",
                "AWS::Backup::BackupVault",
                "AWS::Logs::LogGroup",
            )
        ]
        assert len(stateful) == 1 + 2 + 2 + 1 + 4 + 1 + 6
        for resource in stateful:
            assert resource.body["DeletionPolicy"] == resource.body["UpdateReplacePolicy"] == "Delete", resource.path
        assert "AccessPolicy" not in one(trial, "AWS::Backup::BackupVault").properties

    def test_what_holds_something_stays(self, templates: Templates) -> None:
        for kind in ("ElastiCache::ReplicationGroup", "EFS::FileSystem", "EFS::AccessPoint", "Backup::BackupVault"):
            for resource in templates.resources(f"AWS::{kind}"):
                assert resource.body["DeletionPolicy"] == "Retain", resource.path

    def test_no_resource_of_it_needs_a_function_to_be_made(self, templates: Templates) -> None:
        kinds = {resource.type for resource in templates.resources(stack="Data")}
        assert not [kind for kind in kinds if kind.startswith("Custom::") or kind.endswith("::CustomResource")]
        assert "Transform" not in templates["Data"]
