"""The data stack's caches, shared files and backups."""

import itertools

import pytest

from blueprint.cluster import KARPENTER_NODE_ROLE, SYSTEM_NODE_ROLE
from blueprint.data import AURORA, BACKUPS, CACHES, EFS, Window
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.regions import REGIONS
from blueprint.secrets import SECRETS
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from tests.support.data import group, key, named, one, tier
from tests.support.iam import ANONYMOUS, Request, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates


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

    DRIVER = f"arn:aws:iam::{ACCOUNT}:role/{WORKLOADS['efs-csi'].role}"

    @pytest.mark.parametrize(
        ("principal", "change", "decision"),
        [
            (DRIVER, {}, "allow"),
            (f"arn:aws:iam::{ACCOUNT}:role/{SYSTEM_NODE_ROLE}", {}, "none"),
            (f"arn:aws:iam::{ACCOUNT}:role/{KARPENTER_NODE_ROLE}", {}, "none"),
            (f"arn:aws:iam::{ACCOUNT}:role/pingvas-dev-gallery-service", {}, "none"),
            (f"arn:aws:iam::{OTHER_ACCOUNT}:role/{WORKLOADS['efs-csi'].role}", {}, "none"),
            (ANONYMOUS, {}, "none"),
            (DRIVER, {"aws:SecureTransport": "false"}, "deny"),
            (DRIVER, {"elasticfilesystem:AccessPointArn": None}, "deny"),
            (DRIVER, {"elasticfilesystem:AccessedViaMountTarget": "false"}, "none"),
        ],
    )
    @pytest.mark.parametrize("action", ["ClientMount", "ClientWrite"])
    def test_who_mounts_it(
        self, policies: Policies, principal: str, change: dict[str, str | None], decision: str, action: str
    ) -> None:
        assert self.decide(policies, action, principal, change) == decision

    @pytest.mark.parametrize("principal", [DRIVER, ANONYMOUS])
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
