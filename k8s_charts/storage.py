"""platform/storage: storage classes, and the shared file system as volumes and claims of each environment."""

from cdk8s_plus_35 import k8s

from blueprint.data import EFS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.components.shared_files import SharedFiles
from k8s_charts.folder import Folder, GitOps

BLOCK_CLASS = "gp3"
"""The default class. The EBS CSI add-on tags every volume as the cluster's (`blueprint.addons`)."""


def add(app: GitOps) -> None:
    """Adds the folders."""
    folder = Folder(app, "platform/storage")
    k8s.KubeStorageClass(
        folder,
        "Block",
        metadata=k8s.ObjectMeta(name=BLOCK_CLASS, annotations={"storageclass.kubernetes.io/is-default-class": "true"}),
        provisioner="ebs.csi.aws.com",
        parameters={"type": "gp3", "encrypted": "true", "kmsKeyId": app.facts["cluster/key-arn"]},
        reclaim_policy="Delete",
        volume_binding_mode="WaitForFirstConsumer",  # in the zone where the pod is to run
        allow_volume_expansion=True,
    )
    for environment in CLUSTER_ENVIRONMENTS:
        for point in EFS.access_points:
            SharedFiles(
                folder,
                f"{environment.name}-{point.name}",
                point=point,
                namespace=environment.namespace,
                file_system=app.facts["efs/file-system-id"],
                access_point=app.facts[f"efs/{point.name}-access-point-id"],
            )
