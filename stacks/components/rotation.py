"""Rotation of the database roles' passwords: one function for all of them, a schedule each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from blueprint.data import LOG_DAYS, ROTATION, authority
from blueprint.secrets import SECRETS
from stacks.components.excuse import excuse
from stacks.components.policies import Allow, role, service_trust
from stacks.components.statements import document

CODE = Path(__file__).parents[1] / "functions" / "rotation"
SERVICE = "secretsmanager.amazonaws.com"
INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


class DatabaseRotation(Construct):
    """Attaches the secrets of database roles to the cluster, which writes host, port and database into them, and
    rotates each. The first rotation is not at once: the bootstrap Job makes the roles after this stack is there.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        cluster: rds.CfnDBCluster,
        instances: Sequence[rds.CfnDBInstance],
        secrets: Mapping[str, str],
        secrets_key: str,
        logs_key: str,
        subnets: Sequence[str],
        security_group: str,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        group = logs.CfnLogGroup(
            self, "Log", log_group_name=ROTATION.log_group, retention_in_days=LOG_DAYS, kms_key_id=logs_key
        )
        group.apply_removal_policy(removal)
        self.function = self._function(group, secrets, secrets_key, subnets, security_group)
        allowed = lambda_.CfnPermission(
            self,
            "SecretsManager",
            action="lambda:InvokeFunction",
            function_name=self.function.ref,
            principal=SERVICE,
            source_account=Aws.ACCOUNT_ID,
        )
        for path, arn in secrets.items():
            attachment = secretsmanager.CfnSecretTargetAttachment(
                self, f"Attachment-{path}", secret_id=arn, target_id=cluster.ref, target_type="AWS::RDS::DBCluster"
            )
            schedule = secretsmanager.CfnRotationSchedule(
                self,
                f"Schedule-{path}",
                secret_id=attachment.ref,
                rotation_lambda_arn=self.function.attr_arn,
                rotate_immediately_on_update=False,
                rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                    automatically_after_days=SECRETS[path].rotation_days, duration=f"{ROTATION.window_hours}h"
                ),
            )
            for needed in (allowed, *instances):
                schedule.add_resource_dependency(needed)

    def _function(
        self,
        group: logs.CfnLogGroup,
        secrets: Mapping[str, str],
        secrets_key: str,
        subnets: Sequence[str],
        security_group: str,
    ) -> lambda_.CfnFunction:
        own = role(
            self,
            "Role",
            name=ROTATION.role,
            description="Rotates the passwords of the database roles",
            trust=service_trust("lambda.amazonaws.com"),
            allows=[
                Allow(
                    sid="ItsSecrets",
                    actions=[
                        "secretsmanager:DescribeSecret",
                        "secretsmanager:GetSecretValue",
                        "secretsmanager:PutSecretValue",
                        "secretsmanager:UpdateSecretVersionStage",
                    ],
                    resources=list(secrets.values()),
                ),
                Allow(
                    sid="TheirKey",
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=[secrets_key],
                    conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{Aws.REGION}.amazonaws.com"}},
                ),
                Allow(sid="ItsLog", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.attr_arn]),
                Allow(
                    sid="ItsPlaceInTheNetwork",
                    actions=INTERFACES,
                    resources=["*"],
                    because="Lambda makes the function's network interface with the function's role, before it has an "
                    "id to name; the code itself is denied these calls",
                ),
            ],
        )
        own.add_property_override(
            "Policies.1",
            {
                "PolicyName": "not-by-the-code",
                "PolicyDocument": document(
                    {
                        "Sid": "LambdaAloneTouchesInterfaces",
                        "Effect": "Deny",
                        "Action": list(INTERFACES),
                        "Resource": "*",
                        "Condition": {
                            "ArnEquals": {
                                "lambda:SourceFunctionArn": f"arn:{Aws.PARTITION}:lambda:{Aws.REGION}:{Aws.ACCOUNT_ID}"
                                f":function:{ROTATION.function}"
                            }
                        },
                    }
                ),
            },
        )
        excuse(
            own,
            "CKV_AWS_111",
            "the interface calls know no narrower resource before the interface exists; the code is denied them",
        )
        code = lambda_.Code.from_asset(str(CODE), exclude=["__pycache__", "*.pyc"]).bind(self).s3_location
        if code is None:
            raise ValueError(f"{CODE} is no folder of code")
        function = lambda_.CfnFunction(
            self,
            "Function",
            function_name=ROTATION.function,
            description="Rotates the password of a database role: Secrets Manager calls it",
            runtime="python3.13",
            architectures=["arm64"],
            handler="handler.handler",
            code={"s3Bucket": code.bucket_name, "s3Key": code.object_key},
            role=own.attr_arn,
            timeout=ROTATION.timeout_seconds,
            memory_size=ROTATION.memory_mib,
            environment={"variables": {"CA": authority(Stack.of(self).region)}},
            logging_config={"logGroup": group.ref, "logFormat": "JSON", "applicationLogLevel": "INFO"},
            vpc_config={"subnetIds": list(subnets), "securityGroupIds": [security_group]},
        )
        self._excuses(function)
        return function

    def _excuses(self, function: lambda_.CfnFunction) -> None:
        excuse(
            function,
            "AwsSolutions-L1",
            "Python 3.13 is supported by Lambda until 2029, and the platform's functions share one version",
        )
        excuse(
            function,
            "CKV_AWS_115",
            "Secrets Manager makes one call a secret and step; a reserve would not fit a new account's limit of ten",
        )
        excuse(
            function,
            "CKV_AWS_116",
            "Secrets Manager itself repeats a rotation that failed, and tells of it by an event; a queue would only "
            "keep its calls",
        )
        for rule in ("CKV_AWS_45", "CKV_AWS_173"):
            excuse(function, rule, "its one variable is the certificate of RDS's authority, which is public")
