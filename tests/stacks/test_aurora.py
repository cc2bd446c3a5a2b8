"""Aurora, as the platform promises it."""

import inspect
import re
from math import ceil

import pytest
from cryptography import x509

from blueprint.connections import CONNECTIONS
from blueprint.contract import SETTINGS
from blueprint.data import AURORA, authority
from blueprint.environments import CLUSTER_ENVIRONMENTS, DATABASE
from blueprint.regions import REGIONS
from blueprint.rules import RuleError
from blueprint.services import SERVICES
from services.kernel.db import sync_engine
from tests.support.data import group, key, named, one, tier
from tests.support.policies import Policies
from tests.support.templates import PROJECT, Templates, synthesize


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
