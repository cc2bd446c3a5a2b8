"""Karpenter's half in AWS: the role of its nodes, what its controller may do, and the queue that warns it."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from blueprint.cluster import (
    INTERRUPTION_EVENTS,
    INTERRUPTION_QUEUE,
    INTERRUPTION_RETENTION_SECONDS,
    KARPENTER_NODE_ROLE,
    NAME,
    OWNED_TAG,
)
from stacks.components.excuse import excuse
from stacks.components.nodes import node_role
from stacks.components.policies import Allow, Here
from stacks.components.statements import document

POOL_TAG = "karpenter.sh/nodepool"
CLASS_TAG = "karpenter.k8s.aws/ec2nodeclass"
CLAIM_TAG = "karpenter.sh/nodeclaim"
NAME_TAG = "eks:eks-cluster-name"


class Karpenter(Construct):
    """`node_role` and `queue`. The controller's own role is a workload's, with `controller` as its policy."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 (CDK's own word)
        super().__init__(scope, id)
        self.node_role: iam.CfnRole = node_role(
            self, "NodeRole", name=KARPENTER_NODE_ROLE, description="Nodes that Karpenter starts"
        )
        self.queue = sqs.CfnQueue(
            self,
            "Interruptions",
            queue_name=INTERRUPTION_QUEUE,
            message_retention_period=INTERRUPTION_RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
        )
        excuse(
            self.queue,
            "AwsSolutions-SQS3",
            "a notice that Karpenter could not read is worthless five minutes later: the instance is gone",
        )
        excuse(
            self.queue,
            "CKV_AWS_27",
            "encrypted with SQS's own keys: under a key of ours EventBridge would need a way into its policy, for ids "
            "of instances that are public to the account anyway",
        )
        rules = [
            events.CfnRule(
                self,
                event,
                description=f"{kind} to Karpenter",
                event_pattern={"source": [source], "detail-type": [kind]},
                targets=[{"id": "karpenter", "arn": self.queue.attr_arn}],
            )
            for event, (source, kind) in INTERRUPTION_EVENTS.items()
        ]
        sqs.CfnQueuePolicy(
            self,
            "InterruptionsPolicy",
            queues=[self.queue.ref],
            policy_document=document(
                {
                    "Sid": "RulesSend",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": self.queue.attr_arn,
                    "Condition": {
                        "ArnEquals": {"aws:SourceArn": [rule.attr_arn for rule in rules]},
                        "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                    },
                },
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": "sqs:*",
                    "Resource": self.queue.attr_arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
        )

    def controller(self, *, subnets: Sequence[str], security_groups: Sequence[str], key: str) -> list[Allow]:
        """What the controller may do: Karpenter's own policy (its CloudFormation reference, v1), made narrower where
        this cluster is known: launches go into `subnets` and `security_groups` alone, volumes under `key`.
        """
        here = Here.of(self)
        arn = here.arn
        made = [arn("ec2", f"{kind}/*") for kind in ("fleet", "instance", "volume", "network-interface")]
        made += [arn("ec2", f"{kind}/*") for kind in ("launch-template", "spot-instances-request")]
        by_tag = "their ids are made at launch; the tags of this cluster in the condition take their place"
        profiles = [arn("iam", "instance-profile/*", region="")]
        by_class = "Karpenter makes their names; the tags of this cluster in the condition take their place"
        launch = ["ec2:RunInstances", "ec2:CreateFleet"]
        region = here.region
        return [
            Allow(
                sid="LaunchFromImages",
                actions=launch,
                resources=[arn("ec2", f"{kind}/*", account="") for kind in ("image", "snapshot")],
                because="AWS publishes a new image each week; it is read, and what is launched is bound below",
            ),
            Allow(
                sid="LaunchIntoThisNetwork",
                actions=launch,
                resources=[
                    *(arn("ec2", f"subnet/{one}") for one in subnets),
                    *(arn("ec2", f"security-group/{one}") for one in security_groups),
                ],
            ),
            Allow(
                sid="LaunchByOwnTemplates",
                actions=launch,
                resources=[arn("ec2", "launch-template/*")],
                conditions=_owned("aws:ResourceTag", POOL_TAG),
                because=by_tag,
            ),
            Allow(
                sid="LaunchWithTags",
                actions=[*launch, "ec2:CreateLaunchTemplate"],
                resources=made,
                conditions=_owned("aws:RequestTag", POOL_TAG, {f"aws:RequestTag/{NAME_TAG}": NAME}),
                because=by_tag,
            ),
            Allow(
                sid="TagAtLaunch",
                actions=["ec2:CreateTags"],
                resources=made,
                conditions=_owned(
                    "aws:RequestTag",
                    POOL_TAG,
                    {
                        f"aws:RequestTag/{NAME_TAG}": NAME,
                        "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                    },
                ),
                because=by_tag,
            ),
            Allow(
                sid="TagOwnInstances",
                actions=["ec2:CreateTags"],
                resources=[arn("ec2", "instance/*")],
                conditions={
                    **_owned("aws:ResourceTag", POOL_TAG),
                    "StringEqualsIfExists": {f"aws:RequestTag/{NAME_TAG}": NAME},
                    "ForAllValues:StringEquals": {"aws:TagKeys": [NAME_TAG, CLAIM_TAG, "Name"]},
                },
                because=by_tag,
            ),
            Allow(
                sid="EndOwn",
                actions=["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
                resources=[arn("ec2", "instance/*"), arn("ec2", "launch-template/*")],
                conditions=_owned("aws:ResourceTag", POOL_TAG),
                because=by_tag,
            ),
            Allow(
                sid="LookAround",
                actions=[
                    "ec2:DescribeCapacityReservations",
                    "ec2:DescribeImages",
                    "ec2:DescribeInstances",
                    "ec2:DescribeInstanceStatus",
                    "ec2:DescribeInstanceTypeOfferings",
                    "ec2:DescribeInstanceTypes",
                    "ec2:DescribeLaunchTemplates",
                    "ec2:DescribePlacementGroups",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSpotPriceHistory",
                    "ec2:DescribeSubnets",
                ],
                resources=["*"],
                conditions={"StringEquals": {"aws:RequestedRegion": region}},
                because="EC2's Describe calls know no resources",
            ),
            Allow(
                sid="ReadPricesAndProfiles",
                actions=["pricing:GetProducts", "iam:ListInstanceProfiles"],
                resources=["*"],
                because="GetProducts and ListInstanceProfiles know no resources",
            ),
            Allow(
                sid="ReadImageIds",
                actions=["ssm:GetParameter"],
                resources=[arn("ssm", "parameter/aws/service/*", account="")],
                because="public parameters in which AWS publishes its images, a tree by version and architecture",
            ),
            Allow(
                sid="ReadInterruptions",
                actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
                resources=[self.queue.attr_arn],
            ),
            Allow(
                sid="PassNodeRole",
                actions=["iam:PassRole"],
                resources=[self.node_role.attr_arn],
                conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            ),
            Allow(
                sid="MakeOwnProfiles",
                actions=["iam:CreateInstanceProfile"],
                resources=profiles,
                conditions=_class("aws:RequestTag", region),
                because=by_class,
            ),
            Allow(
                sid="TagOwnProfiles",
                actions=["iam:TagInstanceProfile"],
                resources=profiles,
                conditions=_both(_class("aws:ResourceTag", region, named=False), _class("aws:RequestTag", region)),
                because=by_class,
            ),
            Allow(
                sid="ChangeOwnProfiles",
                actions=[
                    "iam:AddRoleToInstanceProfile",
                    "iam:RemoveRoleFromInstanceProfile",
                    "iam:DeleteInstanceProfile",
                ],
                resources=profiles,
                conditions=_class("aws:ResourceTag", region, named=False),
                because=by_class,
            ),
            Allow(
                sid="ReadProfiles",
                actions=["iam:GetInstanceProfile"],
                resources=profiles,
                because=by_class,
            ),
            Allow(sid="FindCluster", actions=["eks:DescribeCluster"], resources=[arn("eks", f"cluster/{NAME}")]),
            *volumes_under(key, region),
        ]


def volumes_under(key: str, region: str) -> list[Allow]:
    """Use of the key by EC2 for volumes and snapshots, and in no other way (EBS guide, "permissions for IAM users")."""
    by_ec2 = {"kms:ViaService": f"ec2.{region}.amazonaws.com"}
    return [
        Allow(
            sid="EncryptVolumes",
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=[key],
            conditions={"StringEquals": by_ec2},
        ),
        Allow(
            sid="LendKeyToVolumes",
            actions=["kms:CreateGrant"],
            resources=[key],
            conditions={"StringEquals": by_ec2, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    ]


def _owned(kind: str, tag: str, further: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Conditions on `aws:ResourceTag` or `aws:RequestTag`: this cluster's, and made for some NodePool or node class."""
    return {
        "StringEquals": {f"{kind}/{OWNED_TAG}": "owned", **(further or {})},
        "StringLike": {f"{kind}/{tag}": "*"},
    }


def _class(kind: str, region: str, *, named: bool = True) -> dict[str, dict[str, Any]]:
    further = {f"{kind}/topology.kubernetes.io/region": region}
    return _owned(kind, CLASS_TAG, further | ({f"{kind}/{NAME_TAG}": NAME} if named else {}))


def _both(*conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        operator: {key: value for one in conditions for key, value in one[operator].items()}
        for operator in conditions[0]
    }
