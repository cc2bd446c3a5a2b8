"""What each workload may do in AWS, but Karpenter, which has a module of its own."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from blueprint.buckets import IMAGE_PREFIX, LOGS_BUCKET, MODELS_BUCKET, image_bucket
from blueprint.cluster import CONTAINER_LOG_GROUP, CONTAINER_LOG_PREFIX
from blueprint.edge import target_group
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.notices import HEARTBEAT_TOPIC, SEVERITIES, TOPICS_KEY_ALIAS, topic
from blueprint.secrets import DATABASE_SECRETS
from blueprint.secrets import PREFIX as SECRETS_PREFIX
from blueprint.services import SERVICES
from blueprint.workloads import INPUT_PREFIX
from stacks.components.bucket_use import DELETE, READ, WRITE, bucket_use, object_use
from stacks.components.karpenter import volumes_under
from stacks.components.policies import Allow
from stacks.components.velero import velero
from stacks.components.workload_resources import Resources

MANAGED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "vpc-cni": {
            "AmazonEKS_CNI_Policy": "AWS's own policy for the add-on that AWS itself updates; it touches network "
            "interfaces, and only pods of aws-node hold it, not nodes"
        },
        "ebs-csi": {
            "service-role/AmazonEBSCSIDriverPolicy": "AWS's own policy for the add-on that AWS itself updates; it "
            "changes and deletes only volumes and snapshots that carry the driver's tags"
        },
    }
)
"""AWS's managed policies by workload, with the reason for each; everybody else has a policy of ours."""


def policies(at: Resources) -> dict[str, list[Allow]]:
    """By workload; none for those whose policy is AWS's own."""
    made: dict[str, list[Allow]] = {
        "shared-external-secrets": _secrets(at, f"{SECRETS_PREFIX}/shared"),
        "bootstrap-external-secrets": _master(at),
        "aws-load-balancer-controller": _targets(at),
        "ebs-csi": volumes_under(at.volume_key, at.here.region),
        "efs-csi": _mounts(at),
        "alertmanager": _alarms(at),
        "cloudwatch-exporter": _metrics(),
        "fluent-bit": _logs(at),
        "velero": velero(at),
    }
    models = at.bucket(MODELS_BUCKET)
    for one in CLUSTER_ENVIRONMENTS:
        images = at.bucket(image_bucket(one.name))
        made |= {
            f"{one.name}-generation-service": [
                *object_use("Inputs", images, (*READ, *WRITE), INPUT_PREFIX),
                *bucket_use(at, "Images", images),
            ],
            f"{one.name}-gallery-service": [
                *object_use("Images", images, (*READ, *WRITE, *DELETE), IMAGE_PREFIX),
                *bucket_use(at, "Images", images),
            ],
            f"{one.name}-model-service": [
                *object_use("Models", models, (*READ, *WRITE, *DELETE)),
                *bucket_use(at, "Models", models),
            ],
            f"{one.name}-gpu-worker": [
                *object_use("Images", images, (*READ, *WRITE, *DELETE), IMAGE_PREFIX),
                *object_use("Inputs", images, READ, INPUT_PREFIX),
                *bucket_use(at, "Images", images),
                *object_use("Models", models, READ),
                *bucket_use(at, "Models", models),
            ],
            f"{one.name}-external-secrets": _secrets(at, f"{SECRETS_PREFIX}/{one.name}"),
        }
    return made


def _secrets(at: Resources, path: str) -> list[Allow]:
    return _secret(at, [at.here.arn("secretsmanager", f"secret:{path}/*")])


def _secret(at: Resources, arns: Sequence[str]) -> list[Allow]:
    return [
        Allow(
            sid="ReadSecrets",
            actions=["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            resources=arns,
            because="paths of secrets, whose ARNs end in six characters that Secrets Manager makes up",
        ),
        Allow(
            sid="DecryptSecrets",
            actions=["kms:Decrypt"],
            resources=[at.secrets_key],
            conditions={
                "StringEquals": {"kms:ViaService": f"secretsmanager.{at.here.region}.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:SecretARN": arns if len(arns) > 1 else arns[0]},
            },
        ),
    ]


def _master(at: Resources) -> list[Allow]:
    """The master's secret, and the passwords that the master gives the roles of each environment."""
    roles = [
        at.here.arn("secretsmanager", f"secret:{SECRETS_PREFIX}/{one.name}/{DATABASE_SECRETS}*")
        for one in CLUSTER_ENVIRONMENTS
    ]
    return _secret(at, [at.master_secret, *roles])


def _targets(at: Resources) -> list[Allow]:
    """A TargetGroupBinding's calls alone: the load balancer, its rules and the security groups are made in CDK."""
    groups = [target_group(one.name, service) for one in CLUSTER_ENVIRONMENTS for service in SERVICES]
    return [
        Allow(
            sid="RegisterPods",
            actions=["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
            resources=[at.here.arn("elasticloadbalancing", f"targetgroup/{name}/*") for name in groups],
            because="a target group's ARN ends in an id that ELB makes up; the names are ours, one by one",
        ),
        Allow(
            sid="LookAround",
            actions=[
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "elasticloadbalancing:DescribeTags",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstances",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            resources=["*"],
            because="Describe calls of ELB and EC2 know no resources",
        ),
    ]


def _mounts(at: Resources) -> list[Allow]:
    """Volumes are static, so the driver makes no access points and needs none of AWS's broad policy for it."""
    return [
        Allow(
            sid="MountThroughAccessPoints",
            actions=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            resources=[at.file_system],
            conditions={"ArnEquals": {"elasticfilesystem:AccessPointArn": list(at.access_points)}},
        ),
        Allow(
            sid="FindMountTargets",
            actions=["elasticfilesystem:DescribeMountTargets", "elasticfilesystem:DescribeFileSystems"],
            resources=[at.file_system],
        ),
        Allow(
            sid="FindZone",
            actions=["ec2:DescribeAvailabilityZones"],
            resources=["*"],
            because="EC2's Describe calls know no resources",
        ),
    ]


def _alarms(at: Resources) -> list[Allow]:
    """The topics and their key are made after the cluster, by a stack that builds on it; their names are fixed."""
    return [
        Allow(
            sid="PublishAlarms",
            actions=["sns:Publish"],
            resources=[at.here.arn("sns", name) for name in (*map(topic, SEVERITIES), HEARTBEAT_TOPIC)],
        ),
        Allow(
            sid="EncryptAlarms",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[at.here.arn("kms", "key/*")],
            conditions={
                "StringEquals": {"kms:ViaService": f"sns.{at.here.region}.amazonaws.com"},
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": TOPICS_KEY_ALIAS},
            },
            because="a key's id is made by KMS; its alias in the condition takes the id's place",
        ),
    ]


def _metrics() -> list[Allow]:
    return [
        Allow(
            sid="ReadMetrics",
            actions=[
                "cloudwatch:GetMetricData",
                "cloudwatch:GetMetricStatistics",
                "cloudwatch:ListMetrics",
                "tag:GetResources",
            ],
            resources=["*"],
            because="CloudWatch's reads and GetResources know no resources",
        )
    ]


def _logs(at: Resources) -> list[Allow]:
    group = at.here.arn("logs", f"log-group:{CONTAINER_LOG_GROUP}")
    return [
        Allow(
            sid="WriteLogGroup",
            actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            resources=[group, f"{group}:log-stream:*"],
            because="streams of one log group, one a pod, made as pods start",
        ),
        *object_use("Logs", at.bucket(LOGS_BUCKET), WRITE, CONTAINER_LOG_PREFIX),
    ]
