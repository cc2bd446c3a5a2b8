"""The shared file system in Kubernetes: one access point as a volume that belongs to exactly one claim."""

from cdk8s_plus_35 import k8s
from constructs import Construct

from blueprint.data import EFS, AccessPoint

DRIVER = "efs.csi.aws.com"
ACCESS_MODE = "ReadWriteMany"
"""The driver refuses ReadOnlyMany (aws-efs-csi-driver, pkg/driver/node.go): readers mount `ro`."""
NOMINAL = "1Ti"
"""A volume must say a size, and its claim ask for no more; EFS grows and is billed by what it holds."""


class SharedFiles(Construct):
    """A PersistentVolume `<namespace>-<access point>` and the claim `<access point>` of that namespace.

    The volume names its claim, and neither has a storage class: no other claim binds the volume, no other volume is
    bound to the claim. EFS acts as the access point's own user, so the mount needs no file owner; TLS and IAM are mount
    options because the file system's policy refuses whoever comes without. `efs-csi-node-sa` is who mounts.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the construct library's own name)
        *,
        point: AccessPoint,
        namespace: str,
        file_system: str,
        access_point: str,
    ) -> None:
        super().__init__(scope, id)
        volume = f"{namespace}-{point.name}"
        size = k8s.Quantity.from_string(NOMINAL)
        k8s.KubePersistentVolume(
            self,
            "Volume",
            metadata=k8s.ObjectMeta(name=volume),
            spec=k8s.PersistentVolumeSpec(
                capacity={"storage": size},
                access_modes=[ACCESS_MODE],
                volume_mode="Filesystem",
                persistent_volume_reclaim_policy="Retain",
                storage_class_name="",
                mount_options=["tls", "iam", *([] if point.writes else ["ro"])],
                claim_ref=k8s.ObjectReference(
                    api_version="v1", kind="PersistentVolumeClaim", namespace=namespace, name=point.name
                ),
                csi=k8s.CsiPersistentVolumeSource(driver=DRIVER, volume_handle=f"{file_system}::{access_point}"),
            ),
        )
        k8s.KubePersistentVolumeClaim(
            self,
            "Claim",
            metadata=k8s.ObjectMeta(name=point.name, namespace=namespace),
            spec=k8s.PersistentVolumeClaimSpec(
                access_modes=[ACCESS_MODE],
                volume_mode="Filesystem",
                storage_class_name="",
                volume_name=volume,
                resources=k8s.VolumeResourceRequirements(requests={"storage": size}),
            ),
        )


def claim(folder: str, *, writes: bool) -> AccessPoint:
    """The access point, and with it the claim's name, of a folder of the shared file system.

    >>> claim("models", writes=False).name
    'models-readonly'

    Raises:
        KeyError: the file system has no such folder.
    """
    for point in EFS.access_points:
        if point.path == f"/{folder}" and point.writes == writes:
            return point
    raise KeyError(folder)


def mounted(name: str, point: AccessPoint) -> k8s.Volume:
    """A pod's volume on one of the claims; a reader's cannot be mounted for writing."""
    return k8s.Volume(
        name=name,
        persistent_volume_claim=k8s.PersistentVolumeClaimVolumeSource(
            claim_name=point.name, read_only=not point.writes
        ),
    )
