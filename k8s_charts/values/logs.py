"""Fluent Bit: each container's lines to CloudWatch Logs and to the logs bucket.

A line of ours is a JSON object and becomes the record itself, so that `request_id`, `level` and `audit` are fields that
Logs Insights filters by; a line of anybody else stays `log`. Both get `kubernetes.namespace_name` and the pod's names.
"""

from blueprint.buckets import LOGS_BUCKET
from blueprint.cluster import CONTAINER_LOG_GROUP, CONTAINER_LOG_PREFIX
from blueprint.contract import bucket
from blueprint.monitoring import LOGS
from blueprint.workloads import WORKLOADS
from k8s_charts.components.helm import Values, resources
from k8s_charts.facts import Facts
from k8s_charts.values.scrapes import INTERVAL
from k8s_charts.values.sizes import placed, reads_the_node

Section = tuple[str, Values]


def values(facts: Facts) -> Values:
    """A DaemonSet on every node, GPU nodes included. It reads root's files, and writes only its own state."""
    folder = {"name": "state", "hostPath": {"path": LOGS.state, "type": "DirectoryOrCreate"}}
    return {
        "kind": "DaemonSet",
        "fullnameOverride": "fluent-bit",
        **placed("fluent-bit"),
        "resources": resources("fluent-bit"),
        "serviceAccount": {"create": True, "name": WORKLOADS["fluent-bit"].service_account},
        "rbac": {"create": True, "nodeAccess": False, "eventsAccess": False},
        "securityContext": reads_the_node(),
        "testFramework": {"enabled": False},
        "serviceMonitor": {"enabled": True, "interval": INTERVAL},
        "daemonSetVolumes": [{"name": "varlog", "hostPath": {"path": "/var/log"}}, folder],
        "daemonSetVolumeMounts": [
            {"name": "varlog", "mountPath": "/var/log", "readOnly": True},
            {"name": "state", "mountPath": LOGS.state},
        ],
        "config": {
            "service": _text([service()]),
            "inputs": _text([containers()]),
            "filters": _text(filters()),
            "outputs": _text([to_cloudwatch(facts), to_s3(facts)]),
            "customParsers": "",
        },
    }


def service() -> Section:
    """What waits lies on the node's disk, up to a bound, and survives a restart of the agent."""
    return "SERVICE", {
        "Daemon": "Off",
        "Flush": 5,
        "Log_Level": "warn",
        "HTTP_Server": "On",
        "HTTP_Listen": "0.0.0.0",  # noqa: S104 (the pod's own address: probes and Prometheus ask)
        "HTTP_Port": 2020,
        "Health_Check": "On",
        "storage.path": f"{LOGS.state}/buffer",
        "storage.metrics": "On",
        "storage.backlog.mem_limit": f"{LOGS.buffer_mib}M",
    }


def containers() -> Section:
    return "INPUT", {
        "Name": "tail",
        "Tag": "kube.*",
        "Path": "/var/log/containers/*.log",
        "Exclude_Path": "/var/log/containers/fluent-bit-*",
        "multiline.parser": "docker, cri",
        "DB": f"{LOGS.state}/tail.db",
        "Mem_Buf_Limit": f"{LOGS.buffer_mib}M",
        "Skip_Long_Lines": "On",
        "Refresh_Interval": 10,
        "Rotate_Wait": 30,
        "storage.type": "filesystem",
    }


def filters() -> list[Section]:
    """Labels and annotations are left out: they would be most of what is stored."""
    return [
        (
            "FILTER",
            {
                "Name": "kubernetes",
                "Match": "kube.*",
                "Merge_Log": "On",
                "Keep_Log": "Off",
                "K8S-Logging.Parser": "Off",
                "K8S-Logging.Exclude": "Off",
                "Labels": "Off",
                "Annotations": "Off",
                "Buffer_Size": 0,
            },
        ),
        ("FILTER", {"Name": "modify", "Match": "kube.*", "Remove": "_p"}),
    ]


def to_cloudwatch(facts: Facts) -> Section:
    """A stream a container. The group and how long it keeps are made in CDK, and the role may not make one."""
    pod, container = "$kubernetes['pod_name']", "$kubernetes['container_name']"
    return "OUTPUT", {
        "Name": "cloudwatch_logs",
        "Match": "kube.*",
        "region": facts.region,
        "log_group_name": CONTAINER_LOG_GROUP,
        "log_stream_prefix": "unknown-",
        "log_stream_template": f"$kubernetes['namespace_name'].{pod}.{container}",
        "auto_create_group": "false",
        "Retry_Limit": 10,
        "storage.total_limit_size": f"{LOGS.disk_mib}M",
    }


def to_s3(facts: Facts) -> Section:
    """The tag is the file's name, `kube.var.log.containers.<pod>_<namespace>_<container>-<id>.log`."""
    return "OUTPUT", {
        "Name": "s3",
        "Match": "kube.*",
        "region": facts.region,
        "bucket": facts[bucket(LOGS_BUCKET)],
        "s3_key_format": f"/{CONTAINER_LOG_PREFIX}%Y/%m/%d/%H/$TAG[4]-$UUID.gz",
        "s3_key_format_tag_delimiters": ".",
        "use_put_object": "On",
        "compression": "gzip",
        "content_type": "application/gzip",
        "total_file_size": f"{LOGS.upload_mib}M",
        "upload_timeout": f"{LOGS.upload_minutes}m",
        "store_dir": f"{LOGS.state}/s3",
        "store_dir_limit_size": f"{LOGS.disk_mib}M",
        "Retry_Limit": 5,
    }


def _text(sections: list[Section]) -> str:
    """As Fluent Bit's classic configuration is written."""
    return "".join(
        f"[{name}]\n" + "".join(f"    {key} {value}\n" for key, value in keys.items()) for name, keys in sections
    )
