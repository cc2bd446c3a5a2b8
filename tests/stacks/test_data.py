"""The data stack as a whole, Aurora, and the rotation of its roles' passwords."""

from blueprint.data import CACHES, EFS, ROTATION, authority
from blueprint.secrets import DATABASE_KEYS, SECRETS
from tests.support.data import group, key, named, one, tier
from tests.support.iam import Request, evaluate
from tests.support.policies import ACCOUNT, Policies
from tests.support.templates import Templates

DATABASE_SECRETS = [secret for secret in SECRETS.values() if secret.username]
ATTACHED = ("engine", "host", "port", "dbname")
"""What an attachment to an Aurora cluster writes into a secret (Secrets Manager's guide, JSON structure of secrets),
beside the cluster's identifier."""


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
