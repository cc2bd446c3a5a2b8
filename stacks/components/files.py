"""The shared file system: models and shared workflows."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_efs as efs
from constructs import Construct

from blueprint.data import EFS, AccessPoint

CLIENT = ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess")


class SharedFiles(Construct):
    """`file_system`, mounted in each of `subnets`, and `access_points` by name.

    Only the roles of `mounters` can mount it, over TLS and through an access point. Which of them writes is
    told by the access point's user, which EFS puts in place of the client's own: the readers' owns nothing. IAM cannot
    tell a worker from the model service, since the CSI driver of the node mounts for both.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        subnets: Sequence[str],
        security_group: str,
        key: str,
        mounters: Sequence[str],
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        self.file_system = efs.CfnFileSystem(
            self,
            "FileSystem",
            encrypted=True,
            kms_key_id=key,
            performance_mode="generalPurpose",
            throughput_mode="elastic",
            lifecycle_policies=[
                efs.CfnFileSystem.LifecyclePolicyProperty(transition_to_ia=f"AFTER_{EFS.infrequent_access_after}_DAYS"),
                efs.CfnFileSystem.LifecyclePolicyProperty(transition_to_primary_storage_class="AFTER_1_ACCESS"),
            ],
            # AWS Backup's plan of this stack copies it; the automatic policy would do so a second time.
            backup_policy=efs.CfnFileSystem.BackupPolicyProperty(status="DISABLED"),
            file_system_policy=_policy(mounters),
        )
        self.file_system.apply_removal_policy(removal)
        self.mount_targets = [
            efs.CfnMountTarget(
                self,
                f"MountTarget{zone + 1}",
                file_system_id=self.file_system.ref,
                subnet_id=subnet,
                security_groups=[security_group],
            )
            for zone, subnet in enumerate(subnets)
        ]
        self.access_points = {point.name: self._access_point(point, removal) for point in EFS.access_points}

    def _access_point(self, point: AccessPoint, removal: RemovalPolicy) -> efs.CfnAccessPoint:
        resource = efs.CfnAccessPoint(
            self,
            f"AccessPoint-{point.name}",
            file_system_id=self.file_system.ref,
            posix_user=efs.CfnAccessPoint.PosixUserProperty(uid=str(point.uid), gid=str(point.gid)),
            root_directory=efs.CfnAccessPoint.RootDirectoryProperty(
                path=point.path,
                # The same for both: whichever is mounted first makes the folder, and it is the writer's.
                creation_info=efs.CfnAccessPoint.CreationInfoProperty(
                    owner_uid=str(EFS.writer_uid), owner_gid=str(EFS.gid), permissions=EFS.permissions
                ),
            ),
            access_point_tags=[efs.CfnAccessPoint.AccessPointTagProperty(key="Name", value=f"pingvas-{point.name}")],
        )
        resource.apply_removal_policy(removal)
        return resource


def _policy(mounters: Sequence[str]) -> dict[str, Any]:
    """The file system's policy; without a Resource a statement is about the file system it belongs to."""
    prefix = f"arn:{Aws.PARTITION}:elasticfilesystem:{Aws.REGION}:{Aws.ACCOUNT_ID}:access-point/"
    roles = [f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{name}" for name in mounters]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TheDriverMounts",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": list(CLIENT[:2]),
                "Condition": {
                    "ArnEquals": {"aws:PrincipalArn": roles},
                    "Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"},
                },
            },
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": list(CLIENT),
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Sid": "NoMountPastTheAccessPoints",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": list(CLIENT),
                "Condition": {"StringNotLike": {"elasticfilesystem:AccessPointArn": f"{prefix}*"}},
            },
            {
                "Sid": "NobodyIsRoot",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": CLIENT[2],
            },
        ],
    }
