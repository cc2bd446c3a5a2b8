"""Lambda: EC2 takes a Spot instance back in two minutes; counts and tells it if the instance is a GPU node of ours.

The event names the instance alone, so the function asks what it is. Nodes without a GPU are Karpenter's and the node
group's daily business. When nobody can say what the instance is, it is told: better one page too many.
The count is a metric of ten-second resolution (embedded metric format in the log), and its alarm wakes people; the
message that is published here names the node.

Environment: TOPIC_ARN, CLUSTER, FAMILIES (instance families, comma-separated), NAMESPACE, METRIC, RUNBOOK,
CHAT ("1" where the topic's reader is a chat, which takes only its own format).
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

UNKNOWN = "unknown"


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    instance = str(event["detail"]["instance-id"])
    action = str(event["detail"].get("instance-action", "terminate"))
    kind, zone, ours = look(instance)
    told = ours and (kind == UNKNOWN or kind.split(".")[0] in os.environ["FAMILIES"].split(","))
    if told:
        measure()
        publish(instance, action, kind, zone, str(event["time"]))
    print(json.dumps({"event": "spot warning", "instance": instance, "type": kind, "ours": ours, "told": told}))  # noqa: T201
    return {"told": told}


def look(instance: str) -> tuple[str, str, bool]:
    """Type and zone of an instance, and whether it is a node of the cluster; unknown counts as one."""
    try:
        found = boto3.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    except ClientError as error:
        print(json.dumps({"event": "instance not described", "instance": instance, "error": str(error)}))  # noqa: T201
        found = []
    if not found:
        return UNKNOWN, UNKNOWN, True
    one = found[0]["Instances"][0]
    tags = {tag["Key"] for tag in one.get("Tags", [])}
    return (
        one["InstanceType"],
        one["Placement"]["AvailabilityZone"],
        f"kubernetes.io/cluster/{os.environ['CLUSTER']}" in tags,
    )


def measure() -> None:
    """One line in CloudWatch's embedded metric format."""
    metric = os.environ["METRIC"]
    directive = {
        "Namespace": os.environ["NAMESPACE"],
        "Dimensions": [["Cluster"]],
        "Metrics": [{"Name": metric, "Unit": "Count", "StorageResolution": 1}],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "Cluster": os.environ["CLUSTER"],
        metric: 1,
    }
    print(json.dumps(line))  # noqa: T201


def publish(instance: str, action: str, kind: str, zone: str, at: str) -> None:
    title = "EC2 takes a GPU node back"
    text = f"{instance} ({kind}, {zone}) will {action} within two minutes of {at}. Its job is handed to another worker."
    message = f"{text}\n\n{os.environ['RUNBOOK']}\n"
    if os.environ["CHAT"] == "1":
        content = {
            "textType": "client-markdown",
            "title": title,
            "description": text,
            "nextSteps": [os.environ["RUNBOOK"]],
        }
        message = json.dumps({"version": "1.0", "source": "custom", "content": content})
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject=title, Message=message)
