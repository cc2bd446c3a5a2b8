"""A small Lambda function: its code, its role, its log group."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.components.excuse import excuse
from stacks.components.logs import log_group
from stacks.components.statements import Statement, allow, document

FUNCTIONS = Path(__file__).parents[1] / "functions"
LOG_DAYS = 30
MEMORY_MIB = 256


class SmallFunction(Construct):
    """`pingvas-<name>`, from `stacks/functions/<code>/handler.py`; standard library and boto3 only.

    `may` are the statements of its role beside writing its own log. Asynchronous events that fail three times go to
    `dead_letters`.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        code: str,
        description: str,
        seconds: int,
        environment: Mapping[str, str],
        may: Sequence[Statement],
        dead_letters: str,
        logs_key: kms.IKey,
    ) -> None:
        super().__init__(scope, id_)
        physical = f"pingvas-{name}"
        log = log_group(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{physical}",
            days=LOG_DAYS,
            key=logs_key,
            removal=RemovalPolicy.DESTROY,
        )
        group = f"log-group:/aws/lambda/{physical}:log-stream:*"
        streams = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:{group}"
        work = document(
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], streams), allow("sqs:SendMessage", dead_letters), *may
        )
        self.role = iam.CfnRole(
            self,
            "Role",
            assume_role_policy_document=document(
                allow("sts:AssumeRole", None, Principal={"Service": "lambda.amazonaws.com"})
            ),
            policies=[iam.CfnRole.PolicyProperty(policy_name="Work", policy_document=work)],
        )
        excuse(
            self.role,
            f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:{group}]",
            "the streams of its own log group, whose names Lambda makes",
        )
        asset = lambda_.Code.from_asset(str(FUNCTIONS / code), exclude=["__pycache__"]).bind(self)
        location = asset.s3_location
        assert location is not None  # noqa: S101 (an asset is always in S3)
        self.function = lambda_.CfnFunction(
            self,
            "Function",
            function_name=physical,
            description=description,
            runtime="python3.13",
            architectures=["arm64"],
            handler="handler.handler",
            code=lambda_.CfnFunction.CodeProperty(s3_bucket=location.bucket_name, s3_key=location.object_key),
            timeout=seconds,
            memory_size=MEMORY_MIB,
            role=self.role.attr_arn,
            environment=lambda_.CfnFunction.EnvironmentProperty(variables=dict(environment)),
            dead_letter_config=lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=dead_letters),
        )
        self.function.node.add_dependency(log)
        for rule, reason in _EXCUSES.items():
            excuse(self.function, rule, reason)


_EXCUSES = {
    "AwsSolutions-L1": "Python 3.13 is supported by Lambda until 2029, and the platform's functions share one version",
    "CKV_AWS_115": "a new account has ten concurrent executions, of which none can be reserved; it is called rarely",
    "CKV_AWS_117": "it calls AWS's APIs alone and nothing in the VPC, which would add a NAT gateway to what can fail",
    "CKV_AWS_173": "its environment holds names and numbers; Lambda encrypts it with its own key",
    "CKV_AWS_272": "its code is an asset of this repository, deployed by the role that deploys the template itself",
}
