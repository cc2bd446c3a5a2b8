"""The function that tells a GPU node's end from any other instance's."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from blueprint.alarms import ALARMS
from blueprint.cluster import NAME, OWNED_TAG
from blueprint.pools import GPU
from tests.stacks.test_cost_report import load

TOPIC = "arn:aws:sns:us-east-1:111122223333:pingvas-critical"
INSTANCE = "i-0123456789abcdef0"
EVENT = {
    "time": "2026-11-22T03:04:05Z",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "detail": {"instance-id": INSTANCE, "instance-action": "terminate"},
}
notice = load("spot_notice")


class Aws:
    def __init__(self) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.clients = {name: boto3.client(name, region_name="us-east-1", **keys) for name in ("ec2", "sns")}
        self.computers, self.topics = (Stubber(self.clients[name]) for name in ("ec2", "sns"))
        self.sent: list[dict[str, str]] = []
        self.clients["sns"].meta.events.register("provide-client-params.sns.Publish", self._keep)

    def _keep(self, params: dict[str, str], **_: Any) -> None:
        self.sent.append(params)

    def instance(self, kind: str, *tags: str) -> None:
        one = {
            "InstanceType": kind,
            "Placement": {"AvailabilityZone": "us-east-1b"},
            "Tags": [{"Key": tag, "Value": "owned"} for tag in tags],
        }
        self.computers.add_response(
            "describe_instances", {"Reservations": [{"Instances": [one]}]}, {"InstanceIds": [INSTANCE]}
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    made = Aws()
    monkeypatch.setattr(notice.boto3, "client", lambda name: made.clients[name])
    alarm = ALARMS["gpu-spot-interruption"]
    environment = {
        "TOPIC_ARN": TOPIC,
        "CLUSTER": NAME,
        "FAMILIES": ",".join(GPU.families),
        "NAMESPACE": alarm.namespace,
        "METRIC": alarm.metric,
        "RUNBOOK": "https://example.com/alarms.md#gpu-spot-interruption",
        "CHAT": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with made.computers, made.topics:
        yield made


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def counted(logged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in logged if "_aws" in line]


@pytest.mark.parametrize("kind", ["g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge"])
def test_a_gpu_node_of_the_cluster_is_counted_and_told(aws: Aws, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    aws.instance(kind, OWNED_TAG)
    aws.topics.add_response("publish", {"MessageId": "1"})
    assert notice.handler(EVENT, None) == {"told": True}
    (message,) = aws.sent
    assert message["TopicArn"] == TOPIC
    assert (
        f"{INSTANCE} ({kind}, us-east-1b) will terminate within two minutes of 2026-11-22T03:04:05Z"
        in message["Message"]
    )
    (line,) = counted(lines(capsys))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Pingvas/Spot",
        "Dimensions": [["Cluster"]],
        "Metrics": [{"Name": "GpuInterruptions", "Unit": "Count", "StorageResolution": 1}],
    }
    assert (line["Cluster"], line["GpuInterruptions"]) == ("pingvas-shared-eks", 1)


@pytest.mark.parametrize(
    ("kind", "tag"), [("t3.medium", OWNED_TAG), ("g5.xlarge", "kubernetes.io/cluster/another"), ("g5.xlarge", "Name")]
)
def test_other_nodes_and_other_peoples_gpus_wake_nobody(
    aws: Aws, capsys: pytest.CaptureFixture[str], kind: str, tag: str
) -> None:
    aws.instance(kind, tag)
    assert notice.handler(EVENT, None) == {"told": False}
    assert not aws.sent
    assert not counted(lines(capsys))


@pytest.mark.parametrize("code", ["InvalidInstanceID.NotFound", "UnauthorizedOperation", "RequestLimitExceeded"])
def test_what_nobody_can_look_at_counts_as_a_gpu_node(aws: Aws, capsys: pytest.CaptureFixture[str], code: str) -> None:
    aws.computers.add_client_error("describe_instances", code)
    aws.topics.add_response("publish", {"MessageId": "1"})
    assert notice.handler(EVENT, None) == {"told": True}
    assert "(unknown, unknown)" in aws.sent[0]["Message"]
    assert len(counted(lines(capsys))) == 1


def test_the_alarm_rings_even_if_the_message_is_refused(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.instance("g5.xlarge", OWNED_TAG)
    aws.topics.add_client_error("publish", "KMSAccessDenied")
    with pytest.raises(aws.clients["sns"].exceptions.ClientError):
        notice.handler(EVENT, None)
    assert len(counted(lines(capsys))) == 1


def test_a_chat_gets_its_own_format(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT", "1")
    aws.instance("g5.xlarge", OWNED_TAG)
    aws.topics.add_response("publish", {"MessageId": "1"})
    notice.handler(EVENT, None)
    message = json.loads(aws.sent[0]["Message"])
    assert (message["version"], message["source"]) == ("1.0", "custom")
    assert INSTANCE in message["content"]["description"]
