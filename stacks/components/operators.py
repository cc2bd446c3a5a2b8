"""DevOps-AssumeRole: what the people who run the platform may do by hand, and what they may never.

It looks at everything, reads logs and dev's secrets, and does what the runbook asks on an ordinary day. It deploys
nothing: `cdk deploy` runs under an administrator's own sign-in. The denials hold whatever is allowed later.
"""

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from blueprint.buckets import ASSETS_BUCKET, BUCKETS, LOGS_BUCKET, image_bucket
from blueprint.cluster import NAME as CLUSTER
from blueprint.contract import PREFIX as PARAMETERS
from blueprint.data import AURORA
from blueprint.delivery import REPOSITORY_PREFIX
from blueprint.network import NETWORK
from blueprint.secrets import PREFIX as SECRETS_PREFIX
from blueprint.secrets import SECRETS
from blueprint.security import AUDIT, OPERATORS
from stacks.components.excuse import excuse
from stacks.components.names import account_of, bucket_arn
from stacks.components.statements import Statement, allow, deny, document
from stacks.settings import Settings

LOOK = (
    "access-analyzer:List*",
    "acm:DescribeCertificate",
    "acm:ListCertificates",
    "application-autoscaling:Describe*",
    "autoscaling:Describe*",
    "backup:Describe*",
    "backup:List*",
    "budgets:ViewBudget",
    "ce:GetCostAndUsage",
    "cloudformation:Describe*",
    "cloudformation:GetTemplate",
    "cloudformation:List*",
    "cloudfront:GetDistribution",
    "cloudfront:List*",
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:LookupEvents",
    "cloudwatch:Describe*",
    "cloudwatch:GetDashboard",
    "cloudwatch:GetMetricData",
    "cloudwatch:List*",
    "ec2:Describe*",
    "ecr:Describe*",
    "ecr:GetAuthorizationToken",
    "ecr:ListImages",
    "eks:Describe*",
    "eks:List*",
    "elasticache:Describe*",
    "elasticfilesystem:Describe*",
    "elasticloadbalancing:Describe*",
    "events:ListRules",
    "guardduty:Get*",
    "guardduty:List*",
    "health:Describe*",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:ListRoles",
    "kms:DescribeKey",
    "kms:ListAliases",
    "logs:Describe*",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "logs:StopQuery",
    "rds:Describe*",
    "route53:GetHostedZone",
    "route53:List*",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecrets",
    "servicequotas:List*",
    "sns:List*",
    "sqs:GetQueueAttributes",
    "ssm:DescribeInstanceInformation",
    "ssm:DescribeSessions",
    "tag:GetResources",
    "wafv2:GetLoggingConfiguration",
    "wafv2:GetSampledRequests",
    "wafv2:GetWebACL",
    "wafv2:List*",
)
"""Reading what exists and how it fares; none of it returns a secret or a customer's picture."""
ESCALATE = (
    *(
        f"iam:{verb}*"
        for verb in (
            *("A", "Change", "Create", "Deactivate", "Delete", "Detach"),
            *("Disable", "Enable", "Pass", "Put", "Reject", "Remove", "Reset", "Resync", "Send", "Set", "Tag", "Untag"),
            *("Update", "Upload"),
        )
    ),
    "account:*",
    "eks:AssociateAccessPolicy",
    "eks:CreateAccessEntry",
    "eks:CreatePodIdentityAssociation",
    "eks:UpdateAccessEntry",
    "eks:UpdatePodIdentityAssociation",
    "organizations:*",
    "sts:AssumeRole*",
)
"""Ways to become more than the role is."""
BLIND = (
    "access-analyzer:DeleteAnalyzer",
    "cloudtrail:Delete*",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:PutInsightSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "ec2:DeleteFlowLogs",
    "guardduty:CreateFilter",
    "guardduty:Delete*",
    "guardduty:Disassociate*",
    "guardduty:StopMonitoringMembers",
    "guardduty:Update*",
    "kms:CreateGrant",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "logs:DeleteLogGroup",
    "logs:DeleteLogStream",
    "logs:DisassociateKmsKey",
    "logs:PutRetentionPolicy",
    "s3:BypassGovernanceRetention",
    "s3:PutBucketLogging",
)
"""Ways to stop the audit, or to make what it wrote unreadable."""
PUBLIC = [str(one) for one in NETWORK.public]
"""Where the VPN stands; the load balancer and NAT beside it ask AWS for nothing."""
READ_SECRETS = ("secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue")


def operators_role(
    scope: Construct, *, settings: Settings, vpn_address: str, vpc: str, secrets_key: str, storage_key: str
) -> iam.CfnRole:
    """The role. `vpn_address` is the VPN's public IPv4 address, `vpc` the VPC's id, the keys are ARNs.

    With interface endpoints the VPC resolves STS, Secrets Manager and others to addresses of its own, for the VPN's
    users too. AWS then sees no public address: the VPN is whoever asks from this VPC's public subnets.
    """
    account = account_of(settings)
    developers = {"AWS": [f"arn:aws:iam::{account}:user/{name}" for name in settings.developers]}
    second_factor = {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": str(OPERATORS.mfa_age)},
    }
    ways_in: list[dict[str, dict[str, Any]]] = [{"IpAddress": {"aws:SourceIp": f"{vpn_address}/32"}}]
    if settings.interface_endpoints:
        ways_in.append({"StringEquals": {"aws:SourceVpc": vpc}, "IpAddress": {"aws:VpcSourceIp": PUBLIC}})
    role = iam.CfnRole(
        scope,
        "DevOps",
        role_name=OPERATORS.role,
        description="People who run the platform: with MFA, through the VPN",
        max_session_duration=OPERATORS.session,
        assume_role_policy_document=document(
            *(allow("sts:AssumeRole", None, {**second_factor, **way}, Principal=developers) for way in ways_in)
        ),
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="operate", policy_document=document(*_allowed(settings, secrets_key, storage_key))
            ),
            iam.CfnRole.PolicyProperty(
                policy_name="never", policy_document=document(*_denied(settings, vpn_address, vpc))
            ),
        ],
    )
    _excuse(role, settings)
    return role


def _secret(path: str, settings: Settings) -> str:
    return f"arn:aws:secretsmanager:{settings.region}:{account_of(settings)}:secret:{path}-*"


def _denied(settings: Settings, vpn_address: str, vpc: str) -> Sequence[Statement]:
    dev = f"arn:aws:secretsmanager:{settings.region}:{account_of(settings)}:secret:{SECRETS_PREFIX}/dev/*"
    audit = bucket_arn(AUDIT.bucket, settings)
    secrets = deny(READ_SECRETS, None, Sid="OnlySecretsOfDev")
    secrets["NotResource"] = dev
    return (
        deny(ESCALATE, "*", Sid="NeverMore"),
        deny(BLIND, "*", Sid="NeverUnseen"),
        deny(["s3:Delete*", "s3:Put*"], [audit, f"{audit}/*"], Sid="NeverTheTrail"),
        secrets,
        *_from_elsewhere(settings, vpn_address, vpc),
    )


def _from_elsewhere(settings: Settings, vpn_address: str, vpc: str) -> Sequence[Statement]:
    """A session's keys that leave the laptop are worth nothing elsewhere.

    A condition that a request lacks counts as different, so each statement refuses whoever comes neither from the
    VPN's address nor, with interface endpoints, from this VPC and there from the VPN's subnets.
    """
    elsewhere = {"NotIpAddress": {"aws:SourceIp": f"{vpn_address}/32"}, "Bool": {"aws:ViaAWSService": "false"}}
    if not settings.interface_endpoints:
        return (deny("*", "*", elsewhere, Sid="OnlyFromTheVpn"),)
    another_tier = {"aws:SourceIp": f"{vpn_address}/32", "aws:VpcSourceIp": PUBLIC}
    return (
        deny("*", "*", {**elsewhere, "StringNotEquals": {"aws:SourceVpc": vpc}}, Sid="OnlyFromTheVpnOrThisVpc"),
        deny("*", "*", {**elsewhere, "NotIpAddress": another_tier}, Sid="OnlyFromTheVpnsSubnets"),
    )


def _resources(settings: Settings) -> dict[str, list[str]]:
    """What each kind of work may touch, where its API takes a pattern."""
    region, account = settings.region, account_of(settings)
    return {
        "sessions": [f"arn:aws:ssm:{region}:{account}:session/${{aws:userid}}-*"],
        "instances": [f"arn:aws:ec2:{region}:{account}:instance/*"],
        "parameters": [f"arn:aws:ssm:{region}:{account}:parameter{PARAMETERS}/*"],
        "aurora": [
            f"arn:aws:rds:{region}:{account}:cluster:{AURORA.cluster}",
            f"arn:aws:rds:{region}:{account}:cluster-snapshot:{AURORA.cluster}-*",
        ],
        "redis": [
            f"arn:aws:elasticache:{region}:{account}:replicationgroup:pingvas-*",
            f"arn:aws:elasticache:{region}:{account}:snapshot:pingvas-*",
        ],
        "nodegroups": [
            f"arn:aws:eks:{region}:{account}:cluster/{CLUSTER}",
            f"arn:aws:eks:{region}:{account}:nodegroup/{CLUSTER}/*/*",
        ],
        "images": [f"arn:aws:ecr:{region}:{account}:repository/{REPOSITORY_PREFIX}/*"],
        "distributions": [f"arn:aws:cloudfront::{account}:distribution/*"],
        "alarms": [f"arn:aws:cloudwatch:{region}:{account}:alarm:*"],
        "findings": [f"arn:aws:guardduty:{region}:{account}:detector/*"],
        "rotated": [_secret(path, settings) for path, one in SECRETS.items() if one.rotation_days],
        "entered": [_secret(path, settings) for path, one in SECRETS.items() if one.filled_by == "person"],
        "dev": [f"arn:aws:secretsmanager:{region}:{account}:secret:{SECRETS_PREFIX}/dev/*"],
        "objects": [f"{bucket_arn(name, settings)}/*" for name in (image_bucket("dev"), LOGS_BUCKET, ASSETS_BUCKET)],
    }


def _allowed(settings: Settings, secrets_key: str, storage_key: str) -> Sequence[Statement]:
    of = _resources(settings)
    services = [f"{service}.{settings.region}.amazonaws.com" for service in ("secretsmanager", "s3")]
    return (
        allow(LOOK, "*", Sid="Look"),
        allow(
            "ssm:StartSession", of["instances"], {"StringEquals": {"aws:ResourceTag/stack": "Vpn"}}, Sid="EnterTheVpn"
        ),
        allow(["ssm:ResumeSession", "ssm:TerminateSession"], of["sessions"], Sid="OwnSessions"),
        allow(["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"], of["parameters"], Sid="Outputs"),
        allow(
            ["rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:FailoverDBCluster"],
            of["aurora"],
            Sid="SaveAurora",
        ),
        allow(["elasticache:CreateSnapshot", "elasticache:TestFailover"], of["redis"], Sid="SaveRedis"),
        allow(["eks:AccessKubernetesApi", "eks:UpdateNodegroupConfig"], of["nodegroups"], Sid="Cluster"),
        allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            of["images"],
            Sid="PullImages",
        ),
        allow("cloudfront:CreateInvalidation", of["distributions"], Sid="RefreshTheEdge"),
        allow("cloudwatch:SetAlarmState", of["alarms"], Sid="TryAlarms"),
        allow(["guardduty:ArchiveFindings", "guardduty:UnarchiveFindings"], of["findings"], Sid="SortFindings"),
        allow("secretsmanager:RotateSecret", of["rotated"], Sid="RotateSecrets"),
        allow("secretsmanager:PutSecretValue", of["entered"], Sid="EnterSecrets"),
        allow(READ_SECRETS[1], of["dev"], Sid="ReadSecretsOfDev"),
        allow("s3:ListBucket", [bucket_arn(one.name, settings) for one in BUCKETS], Sid="ListBuckets"),
        allow("s3:GetObject", of["objects"], Sid="ReadLogsAndDev"),
        allow(
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [secrets_key, storage_key],
            {"StringEquals": {"kms:ViaService": services}},
            Sid="ThroughTheServices",
        ),
    )


def _excuse(role: iam.CfnRole, settings: Settings) -> None:
    looking = "reading only; these calls list, so they know no single resource or are needed for all of them"
    pattern = "ids are known after a deployment only; the prefix or the tag in the condition keeps to the platform"
    patterns = [one for group in _resources(settings).values() for one in group if "*" in one]
    shown = [one if settings.account else one.replace(account_of(settings), "<AWS::AccountId>") for one in patterns]
    for action in (one for one in LOOK if "*" in one):
        excuse(role, f"AwsSolutions-IAM5[Action::{action}]", looking)
    excuse(role, "AwsSolutions-IAM5[Resource::*]", looking)
    for resource in (one.replace("${aws:userid}", "<aws:userid>") for one in shown):
        excuse(role, f"AwsSolutions-IAM5[Resource::{resource}]", pattern)
