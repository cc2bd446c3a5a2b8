"""What Velero may do: keep backups in its bucket, take snapshots of this cluster's volumes and restore them."""

from typing import Any

from blueprint.buckets import BACKUPS_BUCKET
from blueprint.cluster import OWNED_TAG
from stacks.components.bucket_use import DELETE, READ, WRITE, bucket_use, object_use
from stacks.components.karpenter import volumes_under
from stacks.components.policies import Allow
from stacks.components.workload_resources import Resources

VELERO_TAG = "velero.io/backup"


def velero(at: Resources) -> list[Allow]:
    """Objects of the backups bucket; snapshots of this cluster's volumes, and volumes out of them.

    Velero tags a snapshot with its backup, and copies the volume's tags, this cluster's among them.
    """
    arn, backups = at.here.arn, at.bucket(BACKUPS_BUCKET)
    ours = {"StringEquals": {f"aws:ResourceTag/{OWNED_TAG}": "owned"}}
    ids = "ids are made by EC2; the tags in the condition take their place"
    volume, snapshot = arn("ec2", "volume/*"), arn("ec2", "snapshot/*", account="")

    def tagged(kind: str) -> dict[str, dict[str, Any]]:
        return {"StringLike": {f"aws:{kind}/{VELERO_TAG}": "*"}}

    return [
        *object_use("Backups", backups, (*READ, *WRITE, *DELETE, "s3:PutObjectTagging", "s3:ListMultipartUploadParts")),
        *bucket_use(at, "Backups", backups),
        Allow(
            sid="LookAround",
            actions=["ec2:DescribeVolumes", "ec2:DescribeSnapshots"],
            resources=["*"],
            because="EC2's Describe calls know no resources",
        ),
        Allow(sid="SnapOwnVolumes", actions=["ec2:CreateSnapshot"], resources=[volume], conditions=ours, because=ids),
        Allow(
            sid="SnapWithTags",
            actions=["ec2:CreateSnapshot"],
            resources=[snapshot],
            conditions=tagged("RequestTag"),
            because=ids,
        ),
        Allow(
            sid="RestoreFromOwnSnapshots",
            actions=["ec2:CreateVolume"],
            resources=[snapshot],
            conditions={**tagged("ResourceTag"), **ours},
            because=ids,
        ),
        Allow(
            sid="RestoreWithTags",
            actions=["ec2:CreateVolume"],
            resources=[volume],
            conditions={"StringEquals": {f"aws:RequestTag/{OWNED_TAG}": "owned"}},
            because=ids,
        ),
        Allow(
            sid="TagWhatItMakes",
            actions=["ec2:CreateTags"],
            resources=[volume, snapshot],
            conditions={"StringEquals": {"ec2:CreateAction": ["CreateSnapshot", "CreateVolume"]}},
            because=ids,
        ),
        Allow(
            sid="DeleteOwnSnapshots",
            actions=["ec2:DeleteSnapshot"],
            resources=[snapshot],
            conditions={**tagged("ResourceTag"), **ours},
            because=ids,
        ),
        *volumes_under(at.volume_key, at.here.region),
    ]
