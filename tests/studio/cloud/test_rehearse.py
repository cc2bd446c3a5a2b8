"""The rehearsal's emulator refuses what AWS would refuse, and the whole app gets through it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from studio.cli import run
from studio.cli.deploy import _print
from studio.cloud.rehearse import schemas
from studio.cloud.rehearse.ledger import Line, read
from studio.cloud.rehearse.process import ACCOUNT, Emulator
from studio.cloud.rehearse.records import Record
from studio.cloud.rehearse.run import Outcome, Rehearsal
from studio.errors import Exit

REGION = "us-east-1"
VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
CLUSTER = {"Engine": "aurora-postgresql", "DatabaseName": "saas", "BackupRetentionPeriod": 7}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator")).running() as running:
        yield running


@pytest.fixture
def cloudformation(emulator: Emulator) -> Any:
    return boto3.client(
        "cloudformation",
        REGION,
        endpoint_url=emulator.url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


class Stack:
    """A stack by its API, refusals as text."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def put(self, resources: dict[str, Any], outputs: dict[str, Any] | None = None, *, new: bool = False) -> str:
        body = json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})
        call = self.client.create_stack if new else self.client.update_stack
        try:
            call(StackName=self.name, TemplateBody=body)
        except ClientError as error:
            return str(error.response["Error"]["Message"])
        return ""

    def delete(self) -> str:
        try:
            self.client.delete_stack(StackName=self.name)
        except ClientError as error:
            return str(error.response["Error"]["Message"])
        return ""

    def ids(self) -> dict[str, str]:
        found = self.client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}


@pytest.fixture
def stack(cloudformation: Any, request: pytest.FixtureRequest) -> Stack:
    return Stack(cloudformation, "T" + "".join(c for c in request.node.name if c.isalnum())[:60])


GOOD = {
    "AWS::EKS::Cluster": {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/eks", "ResourcesVpcConfig": {"SubnetIds": ["a"]}},
    "AWS::RDS::DBCluster": {**CLUSTER, "DeletionProtection": "true", "Port": 5432},
    "AWS::ElastiCache::ReplicationGroup": {"ReplicationGroupDescription": "redis", "NumCacheClusters": 3},
    "AWS::SecretsManager::Secret": {"Name": "pingvas/dev/jwt-secret", "GenerateSecretString": {"PasswordLength": 32}},
    "AWS::EFS::FileSystem": {"Encrypted": True, "PerformanceMode": "generalPurpose"},
    "AWS::Backup::BackupVault": {"BackupVaultName": "pingvas"},
    "Custom::Anything": {"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:x", "Free": 1},
}
BAD = {
    "AWS::EKS::Cluster": (
        {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/eks"},
        "'ResourcesVpcConfig' is a required property",
    ),
    "AWS::RDS::DBCluster": ({**CLUSTER, "BackupDays": 7}, "'BackupDays' was unexpected"),
    "AWS::ElastiCache::ReplicationGroup": (
        {"ReplicationGroupDescription": "x", "NumCacheClusters": "three"},
        "NumCacheClusters: 'three' is not of type 'integer'",
    ),
    "AWS::SecretsManager::Secret": ({"Name": "x", "Id": "arn"}, "Id: is read-only"),
    "AWS::EFS::FileSystem": ({"PerformanceMode": "fast"}, "PerformanceMode: 'fast' is not one of"),
    "AWS::Backup::BackupVault": ({"BackupVaultName": "no spaces"}, "does not match"),
    "Custom::Anything": ({"Free": 1}, "ServiceToken"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_the_schema_allows_is_taken(kind: str) -> None:
    assert schemas.problems(kind, GOOD[kind], REGION) == []


@pytest.mark.parametrize("kind", BAD)
def test_what_the_schema_forbids_is_named(kind: str) -> None:
    properties, words = BAD[kind]
    (problem,) = schemas.problems(kind, properties, REGION)
    assert words in problem


def test_a_type_that_the_region_does_not_have_is_named() -> None:
    with pytest.raises(schemas.UnknownTypeError, match="AWS::Foo::Bar is no resource type of us-east-1"):
        schemas.problems("AWS::Foo::Bar", {}, REGION)


@pytest.mark.parametrize(
    ("kind", "properties", "reference", "attributes"),
    [
        (
            "AWS::RDS::DBCluster",
            {"DBClusterIdentifier": "Pingvas-Aurora"},
            "pingvas-aurora",
            {"Endpoint.Port": "5432", "DBClusterArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:pingvas-aurora"},
        ),
        ("AWS::EKS::Cluster", {"Name": "c"}, "c", {"Arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/c"}),
        ("AWS::Backup::BackupVault", {"BackupVaultName": "v"}, "v", {"BackupVaultName": "v"}),
    ],
)
def test_a_record_has_the_ids_that_aws_would_give(
    kind: str, properties: dict[str, Any], reference: str, attributes: dict[str, str]
) -> None:
    record = Record(kind, "PingvasX", "Logical", ACCOUNT, REGION, properties)
    assert record.physical_id == reference
    assert {name: record.attribute(name) for name in attributes} == attributes
    with pytest.raises(KeyError):
        record.attribute("Nonsense")


def test_ids_are_of_the_form_that_other_types_demand() -> None:
    made = {
        kind: Record(kind, "S", "L", ACCOUNT, REGION, {"Name": "n", "Scope": "CLOUDFRONT"})
        for kind in ("AWS::KMS::Key", "AWS::CertificateManager::Certificate", "AWS::WAFv2::WebACL")
    }
    volume = {"Encrypted": True, "KmsKeyId": made["AWS::KMS::Key"].attribute("Arn")}
    assert schemas.problems("AWS::EFS::FileSystem", volume, REGION) == []
    listener = {
        "LoadBalancerArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/0123456789abcdef",
        "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        "Certificates": [{"CertificateArn": made["AWS::CertificateManager::Certificate"].physical_id}],
    }
    assert schemas.problems("AWS::ElasticLoadBalancingV2::Listener", listener, REGION) == []
    assert made["AWS::WAFv2::WebACL"].attribute("Arn").startswith(f"arn:aws:wafv2:{REGION}:{ACCOUNT}:global/webacl/n/")


def test_what_moto_knows_it_makes_and_the_rest_is_recorded(emulator: Emulator, stack: Stack) -> None:
    vault = {"Type": "AWS::Backup::BackupVault", "Properties": {"BackupVaultName": "made"}, "DependsOn": "Vpc"}
    assert stack.put({"Vault": vault, "Vpc": VPC}, new=True) == ""
    lines = [line for line in read(emulator.ledger) if line.stack == stack.name]
    assert [(line.event, line.resource, line.made) for line in lines] == [
        ("created", "Vpc", True),
        ("created", "Vault", False),
    ]
    assert stack.ids()["Vault"] == "made"


def test_a_bad_property_fails_the_stack_with_the_place_and_the_reason(emulator: Emulator, stack: Stack) -> None:
    told = stack.put({"Db": {"Type": "AWS::RDS::DBCluster", "Properties": {**CLUSTER, "Nope": 1}}}, new=True)
    assert told.startswith(f"{stack.name}/Db (AWS::RDS::DBCluster): Nope: ")
    (found,) = stack.client.describe_stacks(StackName=stack.name)["Stacks"]
    assert found["StackStatus"] == "ROLLBACK_COMPLETE"
    assert [line.event for line in read(emulator.ledger) if line.stack == stack.name] == ["refused"]


def test_an_attribute_that_the_type_lacks_is_refused(stack: Stack) -> None:
    user = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["Vpc", "Nope"]}}}
    assert "the type has no attribute Nope" in stack.put({"Vpc": VPC, "User": user}, new=True)


def test_an_update_in_place_keeps_the_id_and_a_fixed_property_takes_a_new_resource(
    emulator: Emulator, stack: Stack
) -> None:
    def cluster(**more: Any) -> dict[str, Any]:
        reader = {"Type": "String", "Value": {"Ref": "Db"}}
        return {
            "Db": {"Type": "AWS::RDS::DBCluster", "Properties": {**CLUSTER, **more}},
            "Reader": {"Type": "AWS::SSM::Parameter", "Properties": reader},
        }

    assert stack.put(cluster(), new=True) == ""
    first = stack.ids()["Db"]
    assert stack.put(cluster(BackupRetentionPeriod=14)) == ""
    assert stack.ids()["Db"] == first
    assert stack.put(cluster(BackupRetentionPeriod=14, DatabaseName="other")) == ""
    assert stack.ids()["Db"] != first
    events = [(line.event, line.resource) for line in read(emulator.ledger) if line.stack == stack.name]
    assert events[2:] == [("updated", "Db"), ("replaced", "Db"), ("updated", "Reader"), ("deleted", "Db")]


def test_a_new_resource_under_the_old_fixed_name_is_refused(stack: Stack) -> None:
    def cluster(database: str) -> dict[str, Any]:
        properties = {**CLUSTER, "DBClusterIdentifier": "fixed-name", "DatabaseName": database}
        return {"Db": {"Type": "AWS::RDS::DBCluster", "Properties": properties}}

    assert stack.put(cluster("a"), new=True) == ""
    assert "the old one holds the fixed name fixed-name" in stack.put(cluster("b"))


def test_a_name_cannot_be_taken_twice(cloudformation: Any, stack: Stack) -> None:
    secret = {"S": {"Type": "AWS::Backup::BackupVault", "Properties": {"BackupVaultName": "twice"}}}
    assert stack.put(secret, new=True) == ""
    assert f"twice already exists: {stack.name}/S" in Stack(cloudformation, f"{stack.name}2").put(secret, new=True)


def test_an_export_must_exist_and_stays_while_it_is_read(cloudformation: Any, stack: Stack) -> None:
    importer = Stack(cloudformation, f"{stack.name}I")
    value = {"Fn::ImportValue": "shared-vpc"}
    reader = {"R": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}}
    assert "the export shared-vpc does not exist" in importer.put(reader, new=True)
    importer = Stack(cloudformation, f"{stack.name}J")
    assert stack.put({"Vpc": VPC}, {"O": {"Value": {"Ref": "Vpc"}, "Export": {"Name": "shared-vpc"}}}, new=True) == ""
    assert importer.put(reader, new=True) == ""
    in_use = f"Export shared-vpc cannot be changed or removed: it is in use by {importer.name}"
    assert stack.delete() == in_use
    assert stack.put({"Vpc": VPC, "More": {"Type": "AWS::SNS::Topic"}}) == in_use
    assert importer.delete() == ""


def test_a_secret_must_exist_before_it_is_referred_to(stack: Stack) -> None:
    def group(name: str) -> dict[str, Any]:
        token = "{{resolve:secretsmanager:" + name + ":SecretString:token::}}"
        properties = {"ReplicationGroupDescription": "r", "NumCacheClusters": 1, "AuthToken": token}
        return {"Type": "AWS::ElastiCache::ReplicationGroup", "Properties": properties}

    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "pingvas/prod/redis-auth"}}
    assert "names a secret that does not exist" in stack.put({"R": group("pingvas/prod/other")}, new=True)
    other = Stack(stack.client, f"{stack.name}2")
    assert other.put({"S": secret, "R": {**group("pingvas/prod/redis-auth"), "DependsOn": "S"}}, new=True) == ""


def test_a_protected_stack_is_not_deleted(stack: Stack) -> None:
    stack.client.create_stack(
        StackName=stack.name, TemplateBody=json.dumps({"Resources": {"V": VPC}}), EnableTerminationProtection=True
    )
    assert "TerminationProtection is enabled" in stack.delete()
    stack.client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    assert stack.delete() == ""


def test_what_is_to_be_kept_is_kept(emulator: Emulator, stack: Stack) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "kept-bucket"}}
    assert stack.put({"B": bucket, "V": VPC}, new=True) == ""
    assert stack.delete() == ""
    events = {line.resource: line.event for line in read(emulator.ledger) if line.stack == stack.name}
    assert events == {"B": "retained", "V": "deleted"}


@pytest.mark.slow
def test_the_whole_app_is_rehearsed(tmp_path: Path) -> None:
    outcome = Rehearsal(tmp_path, say=lambda text: None).run()
    assert outcome.failure == ""
    assert [one.name for one in outcome.phases] == [
        "synthesize",
        "bootstrap",
        "deploy",
        "deploy again",
        "change",
        "destroy",
    ]
    assert outcome.made["AWS::EC2::VPC"] == 1
    assert outcome.recorded["AWS::RDS::DBCluster"] == 1
    assert outcome.imports > 0


def test_types_are_told_whole_where_columns_are_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    kind = "AWS::EC2::SubnetNetworkAclAssociation"
    _print(Outcome(REGION, lines=[Line("created", "Network", "One", kind)], deployed=1))
    cells = (line.split("│")[1] for line in capsys.readouterr().out.splitlines() if line.count("│") == 4)
    assert kind in "".join(cell.strip() for cell in cells)


@pytest.mark.slow
def test_a_setting_that_cannot_be_fails_the_rehearsal_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse", "-c", "availability_zones=us-east-1a", "--json"]) == Exit.FAILED
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert told["failure"].startswith("synthesize: availability_zones = us-east-1a: must be three")
