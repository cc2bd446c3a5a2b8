"""The rotation of one environment's origin header: its function, what that may do, its schedule."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from blueprint.edge import LOAD_BALANCER, ORIGIN_HEADER, ORIGIN_ROTATION
from blueprint.environments import Environment
from blueprint.secrets import SECRETS
from stacks.components.excuse import excuse
from stacks.components.policies import Allow, Here, role, service_trust
from stacks.components.stack import PlatformStack

_CODE = Path(__file__).parents[1] / "functions" / "rotate_origin_header"
_EXCUSES = {
    "AwsSolutions-L1": "Python 3.13 is the version that the function's tests and all functions of the platform share",
    "CKV_AWS_115": "A new account has ten concurrent executions and can reserve none; this one runs once a month",
    "CKV_AWS_116": "Secrets Manager repeats a rotation that failed, and tells of it by an event; a queue adds nothing",
    "CKV_AWS_117": "It calls AWS's APIs alone; inside the VPC it would depend on the NAT gateway as well",
    "CKV_AWS_173": "Its environment holds names, ARNs and numbers; the secret's value never enters it",
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
        secret: str,
        secrets_key: kms.IKey,
        logs_key: kms.IKey,
        listener: str,
        distribution: str,
        web_acl: str,
    ) -> None:
        super().__init__(stack, construct_id)
        self.name = f"pingvas-{environment.name}-rotate-origin-header"
        log = logs.CfnLogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{self.name}",
            retention_in_days=ORIGIN_ROTATION.log_days,
            kms_key_id=logs_key.key_arn,
        )
        own = role(
            self,
            "Role",
            name=self.name,
            description=f"Rotates the header by which the load balancer knows {environment.name}'s distribution",
            trust=service_trust("lambda.amazonaws.com"),
            allows=self._allows(
                Here.of(stack),
                log=log.attr_arn,
                secret=secret,
                secrets_key=secrets_key.key_arn,
                distribution=distribution,
                web_acl=web_acl,
            ),
        )
        self.function = self._function(
            log,
            own.attr_arn,
            {
                "SECRET_ARN": secret,
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
        self.schedule = self._schedule(stack, ORIGIN_HEADER.secret(environment.name), secret)

    def _allows(
        self, here: Here, *, log: str, secret: str, secrets_key: str, distribution: str, web_acl: str
    ) -> list[Allow]:
        return [
            Allow(sid="ItsLog", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log]),
            Allow(
                sid="ItsSecret",
                actions=[
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                resources=[secret],
            ),
            Allow(
                sid="ItsSecretsKey",
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=[secrets_key],
                conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{here.region}.amazonaws.com"}},
            ),
            Allow(
                sid="ReadRules",
                actions=["elasticloadbalancing:DescribeRules"],
                resources=["*"],
                because="elasticloadbalancing:DescribeRules has no resource level; it reads",
            ),
            Allow(
                sid="ChangeRules",
                actions=["elasticloadbalancing:ModifyRule"],
                resources=[here.arn("elasticloadbalancing", f"listener-rule/app/{LOAD_BALANCER.name}/*")],
                because="The rules of the platform's own load balancer, whose ids ELB makes",
            ),
            Allow(
                sid="ItsDistribution",
                actions=["cloudfront:GetDistribution", "cloudfront:UpdateDistribution"],
                resources=[here.arn("cloudfront", f"distribution/{distribution}", region="")],
            ),
            Allow(sid="TheWebAclThatAnUpdateNamesAgain", actions=["wafv2:GetWebACL"], resources=[web_acl]),
        ]

    def _function(self, log: logs.CfnLogGroup, own: str, environment: Mapping[str, str]) -> lambda_.CfnFunction:
        code = lambda_.Code.from_asset(str(_CODE), exclude=["__pycache__", "*.pyc"]).bind(self).s3_location
        if code is None:
            raise ValueError(f"{_CODE} is no folder of code")
        function = lambda_.CfnFunction(
            self,
            "Function",
            function_name=self.name,
            description="Rotates the header by which the load balancer knows CloudFront: Secrets Manager calls it",
            runtime="python3.13",
            architectures=["arm64"],
            handler="handler.handler",
            code={"s3Bucket": code.bucket_name, "s3Key": code.object_key},
            role=own,
            timeout=ORIGIN_ROTATION.timeout_seconds,
            memory_size=ORIGIN_ROTATION.memory_mib,
            environment={"variables": dict(environment)},
            logging_config={"logGroup": log.ref, "logFormat": "JSON", "applicationLogLevel": "INFO"},
        )
        for rule, reason in _EXCUSES.items():
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
                "automaticallyAfterDays": SECRETS[path].rotation_days,
                "duration": f"{ORIGIN_ROTATION.window_hours}h",
            },
        )
        schedule.add_resource_dependency(permission)
        return schedule
