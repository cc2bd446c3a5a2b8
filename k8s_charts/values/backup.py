"""Values of chart velero: the cluster's state and its volumes, every night, into the bucket of backups.

What Git and AWS hold comes back from there; a backup is for what only the cluster knows: metrics, certificates that
controllers made, what somebody changed by hand.
"""

from blueprint.buckets import BACKUPS_BUCKET, BUCKETS
from blueprint.components import COMPONENTS
from blueprint.contract import bucket
from blueprint.workloads import WORKLOADS
from k8s_charts.components.helm import Values, container_security, pod_security, resources, selector
from k8s_charts.facts import Facts

AWS_PLUGIN = "velero/velero-plugin-for-aws:v1.14.0"
"""The plugin's line for Velero 1.18 (its own compatibility table). It takes EBS snapshots by itself, so no snapshot
controller is needed."""
UID = 65532
DAILY_UTC = "30 17 * * *"
"""Half past two at night in Seoul."""
KEPT_DAYS = next(one.delete_after for one in BUCKETS if one.name == BACKUPS_BUCKET)
"""As long as the bucket keeps an object: a backup that outlived its own files would only look like one."""


def velero(facts: Facts) -> Values:
    of = COMPONENTS["velero"]
    region = {"region": facts.region}
    return {
        "serviceAccount": {"server": {"create": True, "name": WORKLOADS["velero"].service_account}},
        "credentials": {"useSecret": False},
        "resources": resources("velero"),
        "nodeSelector": selector("velero"),
        "priorityClassName": of.priority_class,
        "podSecurityContext": pod_security(uid=UID),
        # The chart mounts /tmp by itself where the root is read-only; a second mount there would be refused.
        "containerSecurityContext": container_security(),
        "initContainers": [
            {
                "name": "aws",
                "image": AWS_PLUGIN,
                "imagePullPolicy": "IfNotPresent",
                "volumeMounts": [{"name": "plugins", "mountPath": "/target"}],
                "resources": resources("velero"),
                "securityContext": container_security(),
            }
        ],
        # ArgoCD applies the definitions; the chart's job would do it with another image and all rights.
        "upgradeCRDs": False,
        "cleanUpCRDs": False,
        # It would need the nodes' file systems.
        "deployNodeAgent": False,
        "snapshotsEnabled": True,
        "configuration": {
            "backupStorageLocation": [
                {
                    "name": "default",
                    "provider": "aws",
                    "bucket": facts[bucket(BACKUPS_BUCKET)],
                    "default": True,
                    "accessMode": "ReadWrite",
                    "config": region,
                }
            ],
            "volumeSnapshotLocation": [{"name": "default", "provider": "aws", "config": region}],
            "defaultVolumesToFsBackup": False,
            "logFormat": "json",
        },
        "schedules": {
            "cluster": {
                "disabled": False,
                "schedule": DAILY_UTC,
                "useOwnerReferencesInBackup": False,
                "template": {
                    "ttl": f"{24 * (KEPT_DAYS or 0)}h0m0s",
                    "storageLocation": "default",
                    "includedNamespaces": ["*"],
                    "excludedResources": ["events", "events.events.k8s.io", "nodes", "nodeclaims.karpenter.sh"],
                    "includeClusterResources": True,
                    "snapshotVolumes": True,
                },
            }
        },
        "metrics": {
            "enabled": True,
            "serviceMonitor": {"enabled": True},
            "nodeAgentPodMonitor": {"enabled": False},
        },
    }
