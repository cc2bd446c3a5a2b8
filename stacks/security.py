"""Keys, secrets, the developers' role, and the watch over all of it: CloudTrail, GuardDuty."""

from dataclasses import dataclass
from json import dumps

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from blueprint.secrets import GENERATED_CHARACTERS, SECRETS, Secret
from stacks.components.audit import Trail, watch
from stacks.components.excuse import excuse
from stacks.components.names import account_of, distributions
from stacks.components.operators import operators_role
from stacks.components.stack import PlatformStack
from stacks.components.statements import Statement, allow
from stacks.network import NetworkStack
from stacks.settings import Settings

PLACEHOLDER_KEY = "_placeholder"
"""Secrets Manager makes a value only together with a generated part; nobody reads it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Customer-managed KMS keys by what they protect.

    Their policies leave IAM to decide who uses them, so that no stack has to reach into them; what is added is for
    AWS services, which have no IAM policies of ours.
    """

    data: kms.Key
    """Aurora, ElastiCache, EFS, the backup vault."""
    secrets: kms.Key
    storage: kms.Key
    """Buckets, except the logs bucket, which ALB logs need under SSE-S3; images in ECR."""
    cluster: kms.Key
    """Kubernetes secrets in etcd, volumes of nodes."""


class SecurityStack(PlatformStack):
    """Keys, secrets (by their full name), DevOps-AssumeRole (`operators`), CloudTrail (`audit`), GuardDuty."""

    def __init__(self, scope: Construct, *, settings: Settings, network: NetworkStack) -> None:
        super().__init__(scope, "Security", settings=settings, description="keys, secrets, audit", stateful=True)
        self.keys = Keys(**{name: self._key(name) for name in ("data", "secrets", "storage", "cluster")})
        for key, statement in self._services():
            key.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        excuse(
            self.keys.cluster,
            "CKV_AWS_33",
            "anybody of this account who is one of the two service-linked roles in the condition",
        )
        self.secrets = {path: self._secret(path, secret) for path, secret in SECRETS.items()}
        for path, secret in SECRETS.items():
            if secret.environment:
                self.tag_environment(self.secrets[path], secret.environment)
        self.operators = operators_role(
            self,
            settings=settings,
            vpn_address=network.vpn_address.attr_public_ip,
            vpc=network.vpc.vpc_id,
            secrets_key=self.keys.secrets.key_arn,
            storage_key=self.keys.storage.key_arn,
        )
        self.audit = Trail(self, settings=settings, removal=self.removal, logs_key=network.logs_key)
        watch(self, settings=settings)
        if settings.make_spot_service_linked_role:
            iam.CfnServiceLinkedRole(self, "SpotRole", aws_service_name="spot.amazonaws.com")

    def _key(self, name: str) -> kms.Key:
        return kms.Key(
            self, f"{name.title()}Key", alias=f"pingvas/{name}", enable_key_rotation=True, removal_policy=self.removal
        )

    def _services(self) -> list[tuple[kms.Key, Statement]]:
        account = account_of(self.settings)
        nodes = {
            "aws:PrincipalArn": [
                f"arn:aws:iam::{account}:role/aws-service-role/{service}.amazonaws.com/AWSServiceRoleFor{name}"
                for service, name in (("autoscaling", "AutoScaling"), ("spot", "EC2Spot"))
            ]
        }
        use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        # The two roles start nodes with encrypted volumes. They are named in the condition and not as principals,
        # because a key policy that names a role which does not exist yet is refused.
        anybody = {"AWS": "*"}
        return [
            (
                self.keys.storage,
                allow(
                    ["kms:Decrypt", "kms:GenerateDataKey*"],
                    "*",
                    {"ArnLike": {"aws:SourceArn": distributions(self.settings)}},
                    Sid="CloudFrontReads",
                    Principal={"Service": "cloudfront.amazonaws.com"},
                ),
            ),
            (
                self.keys.cluster,
                allow(
                    use,
                    "*",
                    {"StringEquals": {"kms:CallerAccount": account}, "ArnEquals": nodes},
                    Sid="NodesUse",
                    Principal=anybody,
                ),
            ),
            (
                self.keys.cluster,
                allow(
                    "kms:CreateGrant",
                    "*",
                    {
                        "StringEquals": {"kms:CallerAccount": account},
                        "ArnEquals": nodes,
                        "Bool": {"kms:GrantIsForAWSResource": "true"},
                    },
                    Sid="NodesGrant",
                    Principal=anybody,
                ),
            ),
        ]

    def _secret(self, path: str, secret: Secret) -> secretsmanager.Secret:
        """The secret with its generated value, or with placeholders until a person fills it.

        Changing what is asked of the generator later makes a new value of every secret: passwords must not depend on
        it after the first deployment.
        """
        made = secretsmanager.Secret(
            self,
            f"Secret-{path}",
            secret_name=path,
            encryption_key=self.keys.secrets,
            removal_policy=self.removal,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=dumps(secret.template),
                generate_string_key=secret.generated_key or PLACEHOLDER_KEY,
                password_length=GENERATED_CHARACTERS,
                exclude_punctuation=True,
                include_space=False,
            ),
        )
        reason = secret.kept_because or (
            f"rotated every {secret.rotation_days} days by a schedule of the stack {secret.rotated_by}, "
            "beside the function that does it"
        )
        excuse(made, "AwsSolutions-SMG4", reason)
        return made
