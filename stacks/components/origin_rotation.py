"""The rotation of one environment's origin header: its function, what that may do, its schedule."""

from pathlib import Path
from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from blueprint.edge import LOAD_BALANCER, ORIGIN_HEADER, ORIGIN_ROTATION
from blueprint.environments import Environment
from blueprint.secrets import SECRETS
from stacks.components.excuse import excuse
from stacks.components.stack import PlatformStack

_CODE = Path(__file__).parents[1] / "functions" / "rotate_origin_header"
_FUNCTION_EXCUSES = {
    "CKV_AWS_115": "A new account has ten concurrent executions and can reserve none; this one runs once a month",
    "CKV_AWS_116": "Secrets Manager calls it, keeps what failed and tries again; a dead letter would tell nothing more",
    "CKV_AWS_117": "It calls AWS's APIs alone; inside the VPC it would depend on the NAT gateway as well",
    "CKV_AWS_173": "Its environment holds names, ARNs and numbers; the secret's value never enters it",
    "CKV_AWS_272": "Its code is an asset of this repository, put there by who deploys the template that names it",
}


class OriginHeaderRotation(Construct):
    """`function` and `schedule`: `blueprint.secrets` says how often, `stacks/functions/rotate_origin_header` how.

    One function an environment, so that dev's cannot touch prod's distribution or secret.
    """

    def __init__(
        self,
        stack: PlatformStack,
        construct_id: str,
        *,
        environment: Environment,
        secret: secretsmanager.ISecret,
        secrets_key: kms.IKey,
        logs_key: kms.IKey,
        listener: str,
        distribution: str,
        web_acl: str,
    ) -> None:
        super().__init__(stack, construct_id)
        name = f"pingvas-{environment.name}-rotate-origin-header"
        log = logs.CfnLogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{name}",
            retention_in_days=ORIGIN_ROTATION.log_days,
            kms_key_id=logs_key.key_arn,
        )
        place = f"{stack.region}:{stack.account}"
        rules = f"arn:{stack.partition}:elasticloadbalancing:{place}:listener-rule/app/{LOAD_BALANCER.name}/*"
        streams = f"arn:{stack.partition}:logs:{place}:log-group:{log.ref}:log-stream:*"
        role = self._role(
            _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], streams),
            _allow(
                "Secret",
                [
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                secret.secret_arn,
            ),
            _allow(
                "SecretsKey",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                secrets_key.key_arn,
                {"StringEquals": {"kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com"}},
            ),
            _allow("ReadRulesWhichElbLimitsToNoResource", ["elasticloadbalancing:DescribeRules"], "*"),
            _allow("Rules", ["elasticloadbalancing:ModifyRule"], rules),
            _allow(
                "Distribution",
                ["cloudfront:GetDistribution", "cloudfront:UpdateDistribution"],
                f"arn:{stack.partition}:cloudfront::{stack.account}:distribution/{distribution}",
            ),
            _allow("WebAclThatAnUpdateNamesAgain", ["wafv2:GetWebACL"], web_acl),
        )
        for resource, reason in (
            ("*", "elasticloadbalancing:DescribeRules takes no resource; it reads"),
            (
                f"arn:<AWS::Partition>:elasticloadbalancing:{_printed(stack)}:listener-rule/app/{LOAD_BALANCER.name}/*",
                "The rules of the platform's own load balancer, whose ids ELB makes",
            ),
            (
                f"arn:<AWS::Partition>:logs:{_printed(stack)}:log-group:<{stack.get_logical_id(log)}>:log-stream:*",
                "The streams of its own log group, whose names Lambda makes",
            ),
        ):
            excuse(role, f"AwsSolutions-IAM5[Resource::{resource}]", reason)
        self.function = self._function(
            name,
            role,
            {
                "SECRET_ARN": secret.secret_arn,
                "SECRET_KEY": ORIGIN_HEADER.key,
                "LENGTH": str(ORIGIN_HEADER.length),
                "LISTENER_ARN": listener,
                "HOST": environment.host,
                "HEADER": ORIGIN_HEADER.name,
                "DISTRIBUTION_ID": distribution,
                "POLL_SECONDS": str(ORIGIN_ROTATION.poll_seconds),
                "SETTLE_SECONDS": str(ORIGIN_ROTATION.settle_seconds),
                "RESERVE_SECONDS": str(ORIGIN_ROTATION.reserve_seconds),
            },
        )
        self.function.add_resource_dependency(log)
        self.schedule = self._schedule(stack, ORIGIN_HEADER.secret(environment.name), secret.secret_arn)

    def _role(self, *statements: dict[str, Any]) -> iam.CfnRole:
        return iam.CfnRole(
            self,
            "Role",
            assume_role_policy_document={
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="rotate-origin-header",
                    policy_document={"Version": "2012-10-17", "Statement": list(statements)},
                )
            ],
        )

    def _function(self, name: str, role: iam.CfnRole, environment: dict[str, str]) -> lambda_.CfnFunction:
        asset = lambda_.Code.from_asset(str(_CODE), exclude=["__pycache__"]).bind(self).s3_location
        assert asset is not None  # noqa: S101 (an asset lies in S3)
        function = lambda_.CfnFunction(
            self,
            "Function",
            function_name=name,
            description="Rotates the header by which the load balancer knows CloudFront",
            runtime="python3.13",
            architectures=["arm64"],
            handler="handler.handler",
            code={"s3Bucket": asset.bucket_name, "s3Key": asset.object_key},
            timeout=ORIGIN_ROTATION.timeout_seconds,
            memory_size=ORIGIN_ROTATION.memory_mib,
            role=role.attr_arn,
            environment={"variables": environment},
            logging_config={"logFormat": "JSON", "applicationLogLevel": "INFO", "systemLogLevel": "WARN"},
        )
        for rule, reason in _FUNCTION_EXCUSES.items():
            excuse(function, rule, reason)
        return function

    def _schedule(self, stack: PlatformStack, path: str, secret: str) -> secretsmanager.CfnRotationSchedule:
        permission = lambda_.CfnPermission(
            self,
            "MayBeCalled",
            action="lambda:InvokeFunction",
            function_name=self.function.ref,
            principal="secretsmanager.amazonaws.com",
            source_account=stack.account,
            source_arn=secret,
        )
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Schedule",
            secret_id=secret,
            rotation_lambda_arn=self.function.attr_arn,
            rotate_immediately_on_update=False,
            rotation_rules={
                "scheduleExpression": f"rate({SECRETS[path].rotation_days} days)",
                "duration": f"{ORIGIN_ROTATION.window_hours}h",
            },
        )
        schedule.add_resource_dependency(permission)
        return schedule


def _allow(sid: str, actions: list[str], resource: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def _printed(stack: PlatformStack) -> str:
    """Region and account as cdk-nag prints them."""
    return f"{stack.settings.region}:{stack.settings.account or '<AWS::AccountId>'}"
