"""Who did what in the account: CloudTrail with its own bucket and key, GuardDuty, IAM Access Analyzer."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_accessanalyzer as accessanalyzer
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_guardduty as guardduty
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from blueprint.buckets import Bucket
from blueprint.security import AUDIT, GUARDDUTY_FEATURES, GUARDDUTY_FREQUENCY
from stacks.components.buckets import admit, private_bucket
from stacks.components.excuse import excuse
from stacks.components.names import account_of, bucket_arn, bucket_name
from stacks.components.statements import allow, document
from stacks.settings import Settings

SERVICE = "cloudtrail.amazonaws.com"


def trail_arn(settings: Settings) -> str:
    """By its name, since its bucket and key have to admit it before it exists."""
    return f"arn:aws:cloudtrail:{settings.region}:{account_of(settings)}:trail/{AUDIT.trail}"


class Trail(Construct):
    """CloudTrail of every region into a bucket that admits nobody else, and into a log group for alarms."""

    def __init__(self, scope: Construct, *, settings: Settings, removal: RemovalPolicy, logs_key: kms.IKey) -> None:
        super().__init__(scope, "Trail")
        self.key = kms.Key(self, "Key", alias="pingvas/audit", enable_key_rotation=True, removal_policy=removal)
        for statement in _of_key(settings):
            self.key.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        self.bucket = self._bucket(settings, removal)
        self.log_group = logs.CfnLogGroup(
            self,
            "Logs",
            log_group_name=AUDIT.log_group,
            retention_in_days=AUDIT.log_group_days,
            kms_key_id=logs_key.key_arn,
        )
        self.log_group.apply_removal_policy(removal)
        self.trail = self._trail(settings)

    def _bucket(self, settings: Settings, removal: RemovalPolicy) -> s3.Bucket:
        bucket = private_bucket(
            self,
            Bucket(AUDIT.bucket, delete_after=AUDIT.kept_days, delete_old_after=1),
            name=bucket_name(AUDIT.bucket, settings),
            removal=removal,
            key=self.key,
            locked_days=AUDIT.kept_days if settings.protected else None,
        )
        ours = {"aws:SourceArn": trail_arn(settings)}
        path = f"/AWSLogs/{account_of(settings)}/*"
        written = {"StringEquals": {**ours, "s3:x-amz-acl": "bucket-owner-full-control"}}
        checked = {"StringEquals": ours}
        admit(bucket, SERVICE, sid="TrailChecks", action="s3:GetBucketAcl", path="", condition=checked)
        admit(bucket, SERVICE, sid="TrailWrites", action="s3:PutObject", path=path, condition=written)
        reason = "the trail itself records who reads this bucket, and its policy admits no other writer"
        excuse(bucket, "AwsSolutions-S1", reason)
        excuse(bucket, "CKV_AWS_18", reason)
        return bucket

    def _trail(self, settings: Settings) -> cloudtrail.CfnTrail:
        streams = f"arn:aws:logs:{settings.region}:{account_of(settings)}:log-group:{AUDIT.log_group}:log-stream:*"
        role = iam.CfnRole(
            self,
            "LogsRole",
            assume_role_policy_document=document(
                allow(
                    "sts:AssumeRole",
                    None,
                    {"StringEquals": {"aws:SourceArn": trail_arn(settings)}},
                    Principal={"Service": SERVICE},
                )
            ),
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="write",
                    policy_document=document(allow(["logs:CreateLogStream", "logs:PutLogEvents"], streams)),
                )
            ],
        )
        account = settings.account or "<AWS::AccountId>"
        excuse(
            role,
            f"AwsSolutions-IAM5[Resource::arn:aws:logs:{settings.region}:{account}:log-group:{AUDIT.log_group}:log-stream:*]",
            "CloudTrail names its log streams itself, within the one log group",
        )
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            trail_name=AUDIT.trail,
            s3_bucket_name=self.bucket.bucket_name,
            kms_key_id=self.key.key_arn,
            is_logging=True,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            cloud_watch_logs_log_group_arn=self.log_group.attr_arn,
            cloud_watch_logs_role_arn=role.attr_arn,
            advanced_event_selectors=_selectors(settings),
        )
        if self.bucket.policy:
            trail.node.add_dependency(self.bucket.policy)
        excuse(trail, "CKV_AWS_252", "alarms read the log group; a notice of every delivered file would tell nothing")
        return trail


def _selectors(settings: Settings) -> list[cloudtrail.CfnTrail.AdvancedEventSelectorProperty]:
    def selector(name: str, **fields: list[str]) -> cloudtrail.CfnTrail.AdvancedEventSelectorProperty:
        chosen = [
            cloudtrail.CfnTrail.AdvancedFieldSelectorProperty(
                field=field.replace("_", "."),
                **{("starts_with" if field == "resources_ARN" else "equal_to"): values},
            )
            for field, values in fields.items()
        ]
        return cloudtrail.CfnTrail.AdvancedEventSelectorProperty(name=name, field_selectors=chosen)

    objects = [f"{bucket_arn(name, settings)}/" for name in AUDIT.data_event_buckets]
    data = {"eventCategory": ["Data"], "resources_type": ["AWS::S3::Object"]}
    return [
        selector("management", eventCategory=["Management"]),
        selector("changes of pictures and models", **data, readOnly=["false"], resources_ARN=objects),
        selector(
            "reads of the audit itself",  # writes are CloudTrail's own, and recording them would never end
            **data,
            readOnly=["true"],
            resources_ARN=[f"{bucket_arn(AUDIT.bucket, settings)}/"],
        ),
    ]


def _of_key(settings: Settings) -> list[dict[str, object]]:
    """CloudTrail user guide, "Configure AWS KMS key policies for CloudTrail"."""
    source = {"aws:SourceArn": trail_arn(settings)}
    context = f"arn:aws:cloudtrail:*:{account_of(settings)}:trail/*"
    return [
        allow(
            "kms:GenerateDataKey*",
            "*",
            {"StringEquals": source, "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": context}},
            Sid="TrailEncrypts",
            Principal={"Service": SERVICE},
        ),
        allow("kms:DescribeKey", "*", {"StringEquals": source}, Sid="TrailLooks", Principal={"Service": SERVICE}),
    ]


def watch(scope: Construct, *, settings: Settings) -> None:
    """GuardDuty and IAM Access Analyzer, of which an account has one a region: made here, or reused by setting."""
    if settings.make_guardduty_detector:
        guardduty.CfnDetector(
            scope,
            "Detector",
            enable=True,
            finding_publishing_frequency=GUARDDUTY_FREQUENCY,
            features=[
                guardduty.CfnDetector.CFNFeatureConfigurationProperty(name=name, status="ENABLED" if on else "DISABLED")
                for name, on in GUARDDUTY_FEATURES.items()
            ],
        )
    if settings.make_access_analyzer:
        accessanalyzer.CfnAnalyzer(scope, "Analyzer", type="ACCOUNT", analyzer_name="pingvas")
