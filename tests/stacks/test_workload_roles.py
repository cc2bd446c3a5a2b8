"""What each workload may do in AWS, asked of IAM's own evaluation: its work, and nothing of anybody else's."""

import json

import pytest

from blueprint.cluster import NAME, OWNED_TAG
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.notices import HEARTBEAT_TOPIC, SEVERITIES, TOPICS_KEY_ALIAS, topic
from blueprint.services import SERVICES
from blueprint.workloads import WORKLOADS, Workload
from tests.support.iam import Request, allowed, statements
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT
from tests.support.templates import Templates
from tests.support.workloads import Asked

POD_IDENTITY = "pods.eks.amazonaws.com"


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda one: one.name)
def test_a_role_is_for_the_pods_of_one_service_account_of_this_cluster(asked: Asked, workload: Workload) -> None:
    trust = asked.policies.trust(asked.policies.role(workload.role))
    cluster = f"arn:aws:eks:{asked.region}:{ACCOUNT}:cluster/{NAME}"

    def takes(
        principal: str = POD_IDENTITY,
        *,
        at: str = cluster,
        namespace: str = workload.namespace,
        account: str = workload.service_account,
        tags: bool = True,
    ) -> bool:
        context = {
            "aws:RequestTag/eks-cluster-arn": at,
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": account,
        }
        return all(
            allowed(
                Request(action=action, principal=principal, context=context if tags else {}),
                resource=[trust],
                governed=True,
            )
            for action in ("sts:AssumeRole", "sts:TagSession")
        )

    assert takes()
    assert not takes(namespace="default")
    assert not takes(account="default")
    assert not takes(at=cluster.replace(NAME, "other"))
    assert not takes(at=cluster.replace(ACCOUNT, OTHER_ACCOUNT))
    assert not takes(tags=False)
    assert not takes("ec2.amazonaws.com")
    assert not takes(f"arn:aws:iam::{ACCOUNT}:user/Developer-A")


def test_no_two_workloads_share_a_role_or_a_service_account() -> None:
    bound = [(one.namespace, one.service_account) for one in WORKLOADS.values()]
    assert len(set(bound)) == len(bound) == len({one.role for one in WORKLOADS.values()})


def test_no_policy_of_a_workload_has_a_wildcard_for_what_it_does(asked: Asked) -> None:
    for workload in WORKLOADS.values():
        role = asked.policies.role(workload.role)
        for policy in role.properties.get("Policies", []):
            for statement in statements(policy["PolicyDocument"]):
                assert statement["Effect"] == "Allow"
                assert not [one for one in statement["Action"] if "*" in one], (workload.name, statement["Sid"])


def test_no_policy_is_longer_than_iam_takes(asked: Asked) -> None:
    for workload in WORKLOADS.values():
        role = asked.policies.role(workload.role)
        text = json.dumps(
            asked.policies.resolve(role.properties.get("Policies", []), role.stack), separators=(",", ":")
        )
        assert len(text) <= 10_240, f"{workload.name}: IAM counts the inline policies of a role together"


def test_the_load_balancer_controller_registers_with_our_ten_target_groups_and_changes_nothing(asked: Asked) -> None:
    def group(name: str) -> str:
        return f"arn:aws:elasticloadbalancing:{asked.region}:{ACCOUNT}:targetgroup/{name}/0123456789abcdef"

    made = [
        str(one.properties["Name"]) for one in asked.templates.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
    ]
    assert len(made) == len(CLUSTER_ENVIRONMENTS) * len(SERVICES) == 10
    controller = "aws-load-balancer-controller"
    for action in ("elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"):
        assert all(asked.may(controller, action, group(name)) for name in made)
        assert not asked.may(controller, action, group("somebody-elses"))
        assert not asked.may(controller, action, group(f"{made[0]}-2"))
    assert asked.may(controller, "elasticloadbalancing:DescribeTargetHealth", "*")
    for action in ("CreateLoadBalancer", "ModifyRule", "DeleteTargetGroup", "ModifyTargetGroup"):
        assert not asked.may(controller, f"elasticloadbalancing:{action}", group(made[0]))
    for action in ("ec2:AuthorizeSecurityGroupIngress", "ec2:CreateSecurityGroup"):
        assert not asked.may(controller, action, asked.ec2("security-group/sg-1"))


def test_the_efs_driver_mounts_our_access_points_and_makes_none(asked: Asked, templates: Templates) -> None:
    (files,) = templates.resources("AWS::EFS::FileSystem")
    points = [asked.policies.arn(one) for one in templates.resources("AWS::EFS::AccessPoint")]
    system = asked.policies.arn(files)
    assert len(points) >= 2
    for point in points:
        assert asked.may(
            "efs-csi", "elasticfilesystem:ClientMount", system, **{"elasticfilesystem:AccessPointArn": point}
        )
    assert not asked.may("efs-csi", "elasticfilesystem:ClientMount", system), "never past an access point"
    other = {"elasticfilesystem:AccessPointArn": f"{points[0]}x"}
    assert not asked.may("efs-csi", "elasticfilesystem:ClientMount", system, **other)
    for action in ("ClientRootAccess", "CreateAccessPoint", "DeleteAccessPoint", "DeleteFileSystem"):
        assert not asked.may("efs-csi", f"elasticfilesystem:{action}", system, **other)


def test_the_role_that_mounts_is_one_that_the_file_system_admits(asked: Asked, templates: Templates) -> None:
    (files,) = templates.resources("AWS::EFS::FileSystem")
    (document,) = asked.policies.of(files)
    role = asked.policies.arn(asked.policies.role(WORKLOADS["efs-csi"].role))
    point = asked.policies.arn(next(iter(templates.resources("AWS::EFS::AccessPoint"))))
    request = Request(
        action="elasticfilesystem:ClientMount",
        resource=asked.policies.arn(files),
        principal=role,
        context={
            "aws:PrincipalArn": role,
            "elasticfilesystem:AccessPointArn": point,
            "elasticfilesystem:AccessedViaMountTarget": "true",
            "aws:SecureTransport": "true",
        },
    )
    assert allowed(request, resource=[document])


def test_metrics_are_read_and_not_written(asked: Asked) -> None:
    assert asked.may("cloudwatch-exporter", "cloudwatch:GetMetricData", "*")
    assert asked.may("cloudwatch-exporter", "tag:GetResources", "*")
    for action in ("cloudwatch:PutMetricData", "cloudwatch:DeleteAlarms", "ec2:DescribeInstances"):
        assert not asked.may("cloudwatch-exporter", action, "*")


def test_alertmanager_publishes_to_the_topics_of_alarms_and_uses_their_key_alone(asked: Asked) -> None:
    topics = {str(one.properties["TopicName"]) for one in asked.templates.resources("AWS::SNS::Topic")}
    assert {topic(one) for one in SEVERITIES} <= topics
    for severity in SEVERITIES:
        arn = f"arn:aws:sns:{asked.region}:{ACCOUNT}:{topic(severity)}"
        assert asked.may("alertmanager", "sns:Publish", arn)
        assert not asked.may("alertmanager", "sns:Subscribe", arn)
    assert HEARTBEAT_TOPIC in topics
    assert asked.may("alertmanager", "sns:Publish", f"arn:aws:sns:{asked.region}:{ACCOUNT}:{HEARTBEAT_TOPIC}")
    assert not asked.may("alertmanager", "sns:Publish", f"arn:aws:sns:{asked.region}:{ACCOUNT}:another")
    key = f"arn:aws:kms:{asked.region}:{ACCOUNT}:key/1"
    ours = {"kms:ViaService": f"sns.{asked.region}.amazonaws.com", "kms:ResourceAliases": [TOPICS_KEY_ALIAS]}
    assert asked.may("alertmanager", "kms:GenerateDataKey", key, **ours)
    assert not asked.may("alertmanager", "kms:GenerateDataKey", key, **{**ours, "kms:ResourceAliases": ["alias/a"]})
    assert not asked.may("alertmanager", "kms:Decrypt", key, **{**ours, "kms:ViaService": "s3.us-east-1.amazonaws.com"})
    alias = asked.templates.one("AWS::KMS::Alias", stack="Observability")
    assert alias.properties["AliasName"] == TOPICS_KEY_ALIAS


def test_fluent_bit_writes_container_logs_and_reads_none(asked: Asked) -> None:
    group = f"arn:aws:logs:{asked.region}:{ACCOUNT}:log-group:/aws/eks/{NAME}/logs"
    assert asked.may("fluent-bit", "logs:CreateLogStream", f"{group}:log-stream:pod")
    assert asked.may("fluent-bit", "logs:PutLogEvents", f"{group}:log-stream:pod")
    audit = group.replace("/logs", "/cluster")
    assert not asked.may("fluent-bit", "logs:PutLogEvents", f"{audit}:log-stream:kube-apiserver-audit-1")
    assert not asked.may("fluent-bit", "logs:GetLogEvents", f"{group}:log-stream:pod")
    assert not asked.may("fluent-bit", "logs:DeleteLogGroup", group)
    logs = asked.bucket("pingvas-logs-shared")
    assert asked.may("fluent-bit", "s3:PutObject", f"{logs}/containers/prod/2026/11/22/1.gz")
    assert not asked.may("fluent-bit", "s3:PutObject", f"{logs}/alb/1.gz")
    assert not asked.may("fluent-bit", "s3:GetObject", f"{logs}/containers/prod/2026/11/22/1.gz")
    assert not asked.may("fluent-bit", "s3:DeleteObject", f"{logs}/containers/prod/2026/11/22/1.gz")


def test_velero_keeps_its_backups_and_snapshots_this_clusters_volumes_only(asked: Asked) -> None:
    backups = asked.bucket("pingvas-backups")
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert asked.may("velero", action, f"{backups}/backups/1/velero-backup.json")
        assert not asked.may("velero", action, f"{asked.bucket('pingvas-prod-images')}/images/1/1/0.png")
    owned = {f"aws:ResourceTag/{OWNED_TAG}": "owned"}
    volume, snapshot = asked.ec2("volume/vol-1"), asked.ec2("snapshot/snap-1", account="")
    assert asked.may("velero", "ec2:CreateSnapshot", volume, **owned)
    assert not asked.may("velero", "ec2:CreateSnapshot", volume)
    assert asked.may("velero", "ec2:CreateSnapshot", snapshot, **{"aws:RequestTag/velero.io/backup": "daily"})
    assert not asked.may("velero", "ec2:CreateSnapshot", snapshot)
    own = {**owned, "aws:ResourceTag/velero.io/backup": "daily"}
    for action in ("ec2:DeleteSnapshot", "ec2:CreateVolume"):
        assert asked.may("velero", action, snapshot, **own)
        assert not asked.may("velero", action, snapshot, **owned), "a snapshot that it did not make"
    assert asked.may("velero", "ec2:CreateVolume", volume, **{f"aws:RequestTag/{OWNED_TAG}": "owned"})
    assert not asked.may("velero", "ec2:CreateVolume", volume)
    assert asked.may("velero", "ec2:CreateTags", snapshot, **{"ec2:CreateAction": "CreateSnapshot"})
    assert not asked.may("velero", "ec2:CreateTags", volume), "it would make any volume the cluster's"
    assert not asked.may("velero", "ec2:DeleteVolume", volume, **owned)


@pytest.mark.parametrize("workload", ["karpenter", "ebs-csi", "velero"])
def test_the_volume_key_is_used_by_ec2_alone(asked: Asked, workload: str) -> None:
    ec2 = {"kms:ViaService": f"ec2.{asked.region}.amazonaws.com"}
    for action in ("kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt", "kms:ReEncryptFrom"):
        assert asked.decrypts(workload, "cluster", action, **ec2)
        assert not asked.decrypts(workload, "cluster", action), "Kubernetes' secrets are under the same key"
    assert asked.decrypts(workload, "cluster", "kms:CreateGrant", **ec2, **{"kms:GrantIsForAWSResource": "true"})
    assert not asked.decrypts(workload, "cluster", "kms:CreateGrant", **ec2, **{"kms:GrantIsForAWSResource": "false"})
    assert not asked.decrypts(workload, "data", **ec2)


@pytest.mark.usefixtures("templates")  # CDK starts with what the first synthesis tells it
def test_a_wildcard_wants_a_reason() -> None:
    from stacks.components.policies import Allow

    Allow(sid="One", actions=["s3:GetObject"], resources=["arn:aws:s3:::pictures/1.png"])
    Allow(sid="Some", actions=["s3:GetObject"], resources=["arn:aws:s3:::pictures/*"], because="keys are made up")
    with pytest.raises(ValueError, match=r"All: \['\*'\] without a reason"):
        Allow(sid="All", actions=["s3:GetObject"], resources=["*"])
