"""One living resource: its record, and moto's own object where moto can make one."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.cloudformation import parsing
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from werkzeug.exceptions import HTTPException

from studio.cloud.rehearse import schemas
from studio.cloud.rehearse.records import Record
from studio.cloud.rehearse.refusals import Body, RefusedError

RECORDED = frozenset(
    {
        # moto's models of these refuse or lose what CloudFormation takes.
        "AWS::CloudFormation::Stack",
        "AWS::Batch::ComputeEnvironment",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::Lambda::Permission",
        "AWS::RDS::DBInstance",
    }
)
_make = parsing.parse_and_create_resource


class Recorded:
    """Stands for a record where moto expects a resource of its own."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.cf_resource_type = record.kind
        self.logical_resource_id = record.logical_id

    @property
    def physical_resource_id(self) -> str:
        return self.record.physical_id

    def is_created(self) -> bool:
        return True


@dataclass(slots=True)
class Entry:
    """One living resource: its record, and moto's own object where it made one."""

    record: Record
    real: Any | None
    body: Body
    served: bool = False
    """A service of the emulator made it, called by us."""

    @property
    def physical_id(self) -> str:
        return str(self.real.physical_resource_id) if self.real is not None else self.record.physical_id


def make(record: Record, body: Body, resources: Any) -> tuple[Any | None, str]:
    """moto's own resource, or None and why it is a record.

    Raises:
        ServiceException, HTTPException: what moto answers in AWS's name.
    """
    if schemas.custom(record.kind) or record.kind in RECORDED or record.kind not in parsing.get_model_map():
        return None, ""
    try:
        given = {**body, "Properties": _as_moto_wants(record.kind, record.properties)}
        real: Any = _make(record.logical_id, given, resources, record.account, record.region)
    except (RefusedError, ServiceException, HTTPException):
        raise
    except Exception as error:  # a gap of moto's model, not an answer of AWS
        return None, f"the emulator's own model failed: {type(error).__name__}: {error}"
    return (real, "") if hasattr(real, "physical_resource_id") else (None, "the emulator's own model has no id")


def unmake(entry: Entry, resources: Any) -> None:
    """Deletes what moto made; route tables, which moto's own deletion leaves behind, by their service's calls."""
    record = entry.record
    network: Any = ec2_backends[record.account][record.region]
    if record.kind == "AWS::EC2::RouteTable":
        for association in list(network.get_route_table(entry.physical_id).associations):
            network.disassociate_route_table(association)
        network.delete_route_table(entry.physical_id)
    elif record.kind != "AWS::EC2::SubnetRouteTableAssociation":  # whose id moto takes from its table
        resources._delete_resource(entry.real, {**entry.body, "Properties": dict(record.properties)})


def _as_moto_wants(kind: str, properties: Mapping[str, Any]) -> Body:
    """Tags in the form of the service's own API where moto's model takes them so."""
    own = copy.deepcopy(dict(properties))
    if kind == "AWS::KMS::Key" and "Tags" in own:
        own["Tags"] = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in own["Tags"]]
    if kind == "AWS::SSM::Parameter" and "Tags" in own:
        own["Tags"] = [{"Key": key, "Value": value} for key, value in own["Tags"].items()]
    return own


def told(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", "") or getattr(error, "description", "") or error).split())
