"""The data stack: what the platform's table promises of Aurora, the caches, the shared files and the backups."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from blueprint.cluster import KARPENTER_NODE_ROLE, SYSTEM_NODE_ROLE
from blueprint.data import AURORA, BACKUPS, CACHES, EFS, ROTATION, Window, authority
from blueprint.environments import CLUSTER_ENVIRONMENTS, DATABASE
from blueprint.regions import REGIONS
from blueprint.secrets import DATABASE_KEYS, SECRETS
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from tests.support.iam import ANONYMOUS, Request, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, synthesize

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


def one(templates: Templates, kind: str, **properties: Any) -> Resource:
    return templates.one(kind, stack="Data", **properties)


def named(policies: Policies, value: Any) -> Any:
    """What a property refers to, across stacks."""
    return policies.resolve(value, "Data")


def ids(policies: Policies, kind: str, paths: Sequence[str]) -> list[str]:
    """What references to the Network stack's resources of these paths give."""
    found = {resource.path: resource for resource in policies.templates.resources(kind, stack="Network")}
    return [policies.reference(found[path]) for path in paths]


def tier(policies: Policies, name: str) -> list[str]:
    return ids(policies, "AWS::EC2::Subnet", [f"Network/Vpc/{name}Subnet{zone}/Subnet" for zone in (1, 2, 3)])


def group(policies: Policies, name: str) -> list[str]:
    """What GetAtt GroupId of a security group gives."""
    resource = next(
        found
        for found in policies.templates.resources("AWS::EC2::SecurityGroup", stack="Network")
        if found.path == f"Network/{name}/Resource"
    )
    return [policies.resolve({"Fn::GetAtt": [resource.id, "GroupId"]}, "Network")]


def key(policies: Policies, name: str, *, stack: str = "Security") -> str:
    found = next(
        resource
        for resource in policies.templates.resources("AWS::KMS::Key", stack=stack)
        if resource.path == f"{stack}/{name}/Resource"
    )
    return policies.arn(found)


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

    def test_every_region_has_the_authority_that_clients_verify_with(self) -> None:
        from cryptography import x509

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


class TestCaches:
    @pytest.fixture
    def groups(self, templates: Templates) -> dict[str, Resource]:
        return {
            name: one(templates, "AWS::ElastiCache::ReplicationGroup", ReplicationGroupId=cache.name)
            for name, cache in CACHES.items()
        }

    def test_dev_is_one_node_without_auth(self, groups: dict[str, Resource]) -> None:
        dev = groups["dev"].properties
        assert dev["CacheNodeType"] == "cache.t4g.medium"
        assert dev["NumCacheClusters"] == 1
        assert dev["AutomaticFailoverEnabled"] is dev["MultiAZEnabled"] is False
        assert "AuthToken" not in dev

    def test_prod_is_a_primary_and_two_replicas_in_three_zones(self, groups: dict[str, Resource], region: str) -> None:
        prod = groups["prod"].properties
        assert prod["CacheNodeType"] == "cache.r6g.large"
        assert prod["NumCacheClusters"] == 3
        assert prod["PreferredCacheClusterAZs"] == list(REGIONS[region].zones)
        assert prod["AutomaticFailoverEnabled"] is prod["MultiAZEnabled"] is True
        assert prod["SnapshotRetentionLimit"] == 7
        assert prod["SnapshotWindow"] == "16:00-17:00"

    def test_the_token_is_a_reference_to_the_secret(self, groups: dict[str, Resource], templates: Templates) -> None:
        token = groups["prod"].properties["AuthToken"]
        assert token == "{{resolve:secretsmanager:pingvas/prod/redis-auth:SecretString:token}}"
        assert templates.one("AWS::SecretsManager::Secret", Name="pingvas/prod/redis-auth")

    def test_auth_is_where_the_environments_say(self) -> None:
        for one_ in CLUSTER_ENVIRONMENTS:
            cache = CACHES[one_.name]
            assert cache.auth == one_.redis_auth == (f"pingvas/{one_.name}/redis-auth" in SECRETS)
            assert (cache.replicas > 0) == (one_.redis_mode == "replication")

    @pytest.mark.parametrize("environment", CACHES)
    def test_both_are_encrypted_private_and_without_cluster_mode(
        self, groups: dict[str, Resource], policies: Policies, environment: str
    ) -> None:
        cache = groups[environment].properties
        assert cache["TransitEncryptionEnabled"] is True
        assert cache["TransitEncryptionMode"] == "required"
        assert cache["AtRestEncryptionEnabled"] is True
        assert named(policies, cache["KmsKeyId"]) == key(policies, "DataKey")
        assert named(policies, cache["SecurityGroupIds"]) == group(policies, f"Redis-{environment}Group")
        assert cache["ClusterMode"] == "disabled"
        assert not {"NumNodeGroups", "ReplicasPerNodeGroup", "NodeGroupConfiguration"} & set(cache)
        assert cache["AutoMinorVersionUpgrade"] is True
        assert cache["Port"] == 6379

    def test_they_stand_in_the_data_subnets_and_never_evict(self, templates: Templates, policies: Policies) -> None:
        subnets = one(templates, "AWS::ElastiCache::SubnetGroup")
        assert named(policies, subnets.properties["SubnetIds"]) == tier(policies, "data")
        parameters = one(templates, "AWS::ElastiCache::ParameterGroup")
        assert parameters.properties["Properties"] == {"maxmemory-policy": "noeviction"}
        for cache in templates.resources("AWS::ElastiCache::ReplicationGroup"):
            assert cache.properties["CacheSubnetGroupName"] == {"Ref": subnets.id}
            assert cache.properties["CacheParameterGroupName"] == {"Ref": parameters.id}
            assert parameters.properties["CacheParameterGroupFamily"] == (
                cache.properties["Engine"] + cache.properties["EngineVersion"].split(".")[0]
            )

    def test_their_logs_are_kept(self, templates: Templates, groups: dict[str, Resource]) -> None:
        logs = {one.id: one for one in templates.resources("AWS::Logs::LogGroup", stack="Data")}
        for name, cache in groups.items():
            deliveries = {one["LogType"]: one for one in cache.properties["LogDeliveryConfigurations"]}
            assert set(deliveries) == {"slow-log", "engine-log"}
            for kind, delivery in deliveries.items():
                target = delivery["DestinationDetails"]["CloudWatchLogsDetails"]["LogGroup"]["Ref"]
                assert logs[target].properties["LogGroupName"] == f"/aws/elasticache/pingvas-{name}-redis/{kind}"

    def test_there_is_no_cache_but_these(self, templates: Templates) -> None:
        kinds = {one.type for one in templates.resources("AWS::ElastiCache::")}
        assert kinds == {f"AWS::ElastiCache::{kind}" for kind in ("ReplicationGroup", "SubnetGroup", "ParameterGroup")}


class TestFiles:
    def test_it_is_encrypted_elastic_and_cheap_after_thirty_days(
        self, templates: Templates, policies: Policies
    ) -> None:
        files = one(templates, "AWS::EFS::FileSystem").properties
        assert files["Encrypted"] is True
        assert named(policies, files["KmsKeyId"]) == key(policies, "DataKey")
        assert files["PerformanceMode"] == "generalPurpose"
        assert files["ThroughputMode"] == "elastic"
        assert files["LifecyclePolicies"] == [
            {"TransitionToIA": "AFTER_30_DAYS"},
            {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
        ]
        assert files["BackupPolicy"] == {"Status": "DISABLED"}, "the plan copies it; twice would cost twice"

    def test_it_is_mounted_in_every_data_subnet(self, templates: Templates, policies: Policies) -> None:
        targets = list(templates.resources("AWS::EFS::MountTarget"))
        assert [named(policies, one.properties["SubnetId"]) for one in targets] == tier(policies, "data")
        for target in targets:
            assert named(policies, target.properties["SecurityGroups"]) == group(policies, "EfsGroup")

    def test_access_points_put_their_own_user_in_place_of_the_clients(self, templates: Templates) -> None:
        points = {}
        for point in templates.resources("AWS::EFS::AccessPoint"):
            root = point.properties["RootDirectory"]
            assert root["CreationInfo"] == {
                "OwnerUid": str(EFS.writer_uid),
                "OwnerGid": str(EFS.gid),
                "Permissions": "0750",
            }
            user = point.properties["PosixUser"]
            assert user["Gid"] == str(EFS.gid)
            points[root["Path"], user["Uid"]] = point
        writer, reader = str(EFS.writer_uid), str(EFS.reader_uid)
        assert set(points) == {(path, user) for path in ("/models", "/shared") for user in (writer, reader)}
        assert writer != reader
        assert "0" not in (writer, reader, str(EFS.gid)), "nobody is root"

    def test_the_folders_are_the_workers(self) -> None:
        assert dict(EFS.kinds) == {"models": WORKER.model_kinds, "shared": ("workflows", "styles")}
        assert {f"/{name}" for name, _ in EFS.kinds} == {WORKER.models_mount, WORKER.shared_mount}

    NODE = f"arn:aws:iam::{ACCOUNT}:role/{KARPENTER_NODE_ROLE}"

    @pytest.mark.parametrize(
        ("principal", "change", "decision"),
        [
            (NODE, {}, "allow"),
            (f"arn:aws:iam::{ACCOUNT}:role/{SYSTEM_NODE_ROLE}", {}, "allow"),
            (f"arn:aws:iam::{ACCOUNT}:role/{WORKLOADS['efs-csi'].role}", {}, "allow"),
            (f"arn:aws:iam::{ACCOUNT}:role/pingvas-dev-gallery-service", {}, "none"),
            (f"arn:aws:iam::{OTHER_ACCOUNT}:role/{KARPENTER_NODE_ROLE}", {}, "none"),
            (ANONYMOUS, {}, "none"),
            (NODE, {"aws:SecureTransport": "false"}, "deny"),
            (NODE, {"elasticfilesystem:AccessPointArn": None}, "deny"),
            (NODE, {"elasticfilesystem:AccessedViaMountTarget": "false"}, "none"),
        ],
    )
    @pytest.mark.parametrize("action", ["ClientMount", "ClientWrite"])
    def test_who_mounts_it(
        self, policies: Policies, principal: str, change: dict[str, str | None], decision: str, action: str
    ) -> None:
        assert self.decide(policies, action, principal, change) == decision

    @pytest.mark.parametrize("principal", [NODE, ANONYMOUS])
    def test_nobody_is_root_in_it(self, policies: Policies, principal: str) -> None:
        assert self.decide(policies, "ClientRootAccess", principal, {}) == "deny"

    def decide(self, policies: Policies, action: str, principal: str, change: dict[str, str | None]) -> str:
        files = one(policies.templates, "AWS::EFS::FileSystem")
        point = f"arn:aws:elasticfilesystem:{policies.region}:{ACCOUNT}:access-point/fsap-1"
        context: dict[str, str | None] = {
            "aws:PrincipalArn": principal,
            "aws:SecureTransport": "true",
            "elasticfilesystem:AccessedViaMountTarget": "true",
            "elasticfilesystem:AccessPointArn": point,
        }
        request = Request(
            action=f"elasticfilesystem:{action}",
            resource=policies.arn(files),
            principal=principal,
            context={name: value for name, value in (context | change).items() if value is not None},
        )
        return evaluate(request, resource=policies.of(files))


class TestBackups:
    @pytest.mark.parametrize(
        ("name", "schedule", "days"),
        [("aurora-daily", "cron(0 21 ? * * *)", 7), ("efs-weekly", "cron(0 22 ? * SAT *)", 30)],
    )
    def test_what_is_copied_when_and_for_how_long(
        self, templates: Templates, policies: Policies, name: str, schedule: str, days: int
    ) -> None:
        vault = one(templates, "AWS::Backup::BackupVault")
        plans = {
            one.properties["BackupPlan"]["BackupPlanName"]: one
            for one in templates.resources("AWS::Backup::BackupPlan")
        }
        plan = plans[f"pingvas-{name}"]
        (rule,) = plan.properties["BackupPlan"]["BackupPlanRule"]
        assert rule["ScheduleExpression"] == schedule
        assert rule["ScheduleExpressionTimezone"] == "UTC"
        assert rule["Lifecycle"] == {"DeleteAfterDays": days}
        assert rule["TargetBackupVault"] == {"Ref": vault.id}
        (selection,) = [
            one.properties["BackupSelection"]
            for one in templates.resources("AWS::Backup::BackupSelection")
            if one.properties["BackupPlanId"] == {"Ref": plan.id}
        ]
        cluster, files = one(templates, "AWS::RDS::DBCluster"), one(templates, "AWS::EFS::FileSystem")
        arn = [cluster.id, "DBClusterArn"] if name.startswith("aurora") else [files.id, "Arn"]
        assert selection["Resources"] == [{"Fn::GetAtt": arn}]
        assert named(policies, selection["IamRoleArn"]) == policies.arn(policies.role(BACKUPS.role))

    def test_copies_are_encrypted_and_nobody_deletes_them(self, templates: Templates, policies: Policies) -> None:
        vault = one(templates, "AWS::Backup::BackupVault")
        assert named(policies, vault.properties["EncryptionKeyArn"]) == key(policies, "DataKey")
        assert vault.body["DeletionPolicy"] == vault.body["UpdateReplacePolicy"] == "Retain"
        administrator = f"arn:aws:iam::{ACCOUNT}:role/administrator"
        everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        for action, decision in (
            ("DeleteRecoveryPoint", "deny"),
            ("UpdateRecoveryPointLifecycle", "deny"),
            ("StartRestoreJob", "allow"),
        ):
            request = Request(action=f"backup:{action}", principal=administrator)
            assert evaluate(request, identity=[everything], resource=policies.of(vault)) == decision

    @pytest.mark.parametrize(("role", "policy"), [(BACKUPS.role, "Backup"), (BACKUPS.restore_role, "Restores")])
    def test_its_roles_are_aws_backups_alone(self, policies: Policies, role: str, policy: str) -> None:
        found = policies.role(role)
        (managed,) = found.properties["ManagedPolicyArns"]
        assert named(policies, managed).endswith(f"/AWSBackupServiceRolePolicyFor{policy}")
        (statement,) = policies.trust(found)["Statement"]
        assert statement["Principal"] == {"Service": "backup.amazonaws.com"}

    def test_no_window_meets_another(self) -> None:
        windows: list[Window] = [
            AURORA.backup,
            AURORA.maintenance,
            *AURORA.instance_maintenance,
            *(cache.maintenance for cache in CACHES.values()),
            *(cache.snapshot for cache in CACHES.values() if cache.snapshot),
            BACKUPS.aurora.window,
            BACKUPS.efs.window,
        ]
        for window in windows:
            assert window.hour * 60 + window.minute + window.minutes <= 24 * 60, f"{window} ends on another day"
        meeting = [(a, b) for a, b in itertools.combinations(windows, 2) if a.overlaps(b)]
        assert not meeting, [f"{a} and {b}" for a, b in meeting]

    def test_windows_are_as_long_as_aws_wants(self) -> None:
        for window in (AURORA.backup, AURORA.maintenance, *AURORA.instance_maintenance):
            assert window.minutes >= 30
        for cache in CACHES.values():
            assert cache.maintenance.minutes >= 60
            assert cache.maintenance.day
            assert (cache.snapshot_days > 0) == (cache.snapshot is not None)
        for rule in (BACKUPS.aurora, BACKUPS.efs):
            assert rule.window.minutes >= 60
            assert rule.complete_minutes >= rule.window.minutes + 60


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
            assert outputs[f"redis/{name}/reader-endpoint"] == {"Fn::GetAtt": [made, "ReaderEndPoint.Address"]}
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
