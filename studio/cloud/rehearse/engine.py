"""CloudFormation's part of the emulator: order, creation, updates in place, replacements, deletions, imports.

moto's own engine skips types it does not know, updates by deleting first, and lets an export vanish under its readers.
This one takes its place: every resource's resolved properties are checked by AWS's schema; what moto can make it makes,
the rest are records; a stack changes as CloudFormation changes it.
"""

import copy
import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import cloudformation_backends
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.ssm.models import ssm_backends
from werkzeug.exceptions import HTTPException

from studio.cloud.rehearse import schemas, services
from studio.cloud.rehearse.ledger import Event, Ledger, Line
from studio.cloud.rehearse.records import Record

Body = dict[str, Any]
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
_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
_make = parsing.parse_and_create_resource
_clean = parsing.clean_json


class RefusedError(ValidationError):
    """What AWS would refuse; told once in the ledger."""

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


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


class Engine:
    """The resources of every stack of the emulator, and what happens to them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.entries: dict[tuple[str, str], Entry] = {}
        self.importers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Stacks by (region, export) that they read."""
        self.lock = threading.RLock()
        self._generations: defaultdict[tuple[str, str], int] = defaultdict(int)

    # What moto calls

    def clean(self, node: Any, resources: Any) -> Any:
        """moto's resolution of intrinsic functions, with attributes by schema and imports remembered."""
        if isinstance(node, dict):
            if "Fn::GetAtt" in node:
                given = node["Fn::GetAtt"]
                parts = (
                    given.split(".") if isinstance(given, str) else [str(self.clean(one, resources)) for one in given]
                )
                return self.attribute(resources, parts[0], ".".join(parts[1:]))
            if "Fn::ImportValue" in node:
                name = str(self.clean(node["Fn::ImportValue"], resources))
                return self._import(resources, name)
            if "Fn::GetStackOutput" in node:
                return self._output(resources, self.clean(node["Fn::GetStackOutput"], resources))
        return _clean(node, resources)

    def create(self, logical_id: str, body: Body, resources: Any, account_id: str, region_name: str) -> Any:
        """Makes one resource; takes the place of moto's function of the same arguments."""
        condition = body.get("Condition")
        if condition and not resources.lazy_condition_map[condition]:
            return None
        kind = body["Type"]
        key = (resources.stack_id, logical_id)
        stack = resources["AWS::StackName"]
        properties = self._properties(body, resources)
        generation = self._generations[key] + 1
        record = Record(kind, stack, logical_id, account_id, region_name, properties, generation)
        self._check(record, properties, body)
        self._generations[key] = generation
        self._taken(record, body)
        real, why = self._real(record, body, resources)
        served = real is None and self._served(record, body)
        services.export(record)
        self.entries[key] = entry = Entry(record, real, body, served)
        self._tell("replaced" if record.generation > 1 else "created", entry, why)
        return real if real is not None else Recorded(record)

    def create_all(self, resources: Any, template: Body) -> bool:
        """Makes every resource of a new stack in order of dependency."""
        resources._template = template
        resources._resource_json_map = template["Resources"]
        for name in order(template["Resources"]):
            resources[name]
        return True

    def update_all(self, resources: Any, template: Body, parameters: Mapping[str, Any] | None = None) -> None:
        """Changes a stack as CloudFormation does: make and change in order of dependency, delete what is left last."""
        old = dict(resources._resource_json_map)
        resources._template = template
        if parameters:
            resources.input_parameters = parameters
        resources.load_mapping()
        resources.load_parameters()
        resources.load_conditions()
        new = resources._resource_json_map = template["Resources"]
        leaving: list[tuple[str, Entry]] = []
        for name in order(new):
            body = new[name]
            entry = self.entries.get((resources.stack_id, name))
            wanted = not body.get("Condition") or resources.lazy_condition_map[body["Condition"]]
            if entry is None or not wanted:
                if entry is not None:
                    leaving.append((name, entry))
                    resources._parsed_resources.pop(name, None)
                elif wanted:
                    resources._parsed_resources.pop(name, None)
                    resources[name]
            elif self._change(resources, name, entry, body):
                leaving.append((name, entry))
        for name in reversed(order(old)):
            gone = self.entries.get((resources.stack_id, name))
            if name not in new and gone is not None:
                resources._parsed_resources.pop(name, None)
                leaving.append((name, gone))
        for name, entry in leaving:
            current = self.entries.get((resources.stack_id, name))
            self._delete(entry, resources, replaced=current is not entry)

    def delete_all(self, resources: Any) -> None:
        """Deletes a stack's resources, those first that nothing depends on."""
        for name in reversed(order(resources._resource_json_map)):
            entry = self.entries.get((resources.stack_id, name))
            if entry is not None:
                self._delete(entry, resources, replaced=False)

    def attribute(self, resources: Any, logical_id: str, name: str) -> Any:
        """`Fn::GetAtt`.

        Raises:
            RefusedError: the template has no such resource, or the type no such attribute.
        """
        stack = resources["AWS::StackName"]
        if logical_id not in resources._resource_json_map:
            raise self._refusal(stack, logical_id, "", "Fn::GetAtt names a resource that the template does not have")
        resources[logical_id]
        entry = self.entries.get((resources.stack_id, logical_id))
        if entry is None:
            return None
        kind = entry.record.kind
        if not schemas.has_attribute(kind, name, entry.record.region):
            raise self._refusal(stack, logical_id, kind, f"the type has no attribute {name}", entry.body)
        if entry.real is not None:
            try:
                value = entry.real.get_cfn_attribute(name)
            except Exception:  # an attribute that moto's model lacks comes from the schema
                value = None
            if value is not None:
                return value
            entry.record.attributes.setdefault(schemas.identifier(kind, entry.record.region)[0], entry.physical_id)
        return entry.record.attribute(name)

    # One resource

    def _change(self, resources: Any, name: str, entry: Entry, body: Body) -> bool:
        """Changes one resource if its resolved properties differ; True if a new one took its place."""
        record, stack = entry.record, entry.record.stack
        properties = self._properties(body, resources)
        entry.body = body
        if body["Type"] != record.kind:
            raise self._refusal(stack, name, record.kind, f"a resource cannot become a {body['Type']}", body)
        if properties == record.properties:
            return False
        self._check(record, properties, body)
        fixed = schemas.replacing(record.kind, record.properties, properties, record.region)
        if fixed:
            identifier = schemas.identifier(record.kind, record.region)
            if len(identifier) == 1 and properties.get(identifier[0]) == record.properties.get(identifier[0], ""):
                raise self._refusal(
                    stack,
                    name,
                    record.kind,
                    f"a change of {', '.join(fixed)} needs a new resource, and the old one holds the fixed name "
                    f"{properties[identifier[0]]}",
                    body,
                )
            resources._parsed_resources.pop(name, None)
            resources[name]
            return True
        record.properties = properties
        record.version += 1
        if record.kind == "AWS::SSM::Parameter" and entry.real is not None:
            backend = ssm_backends[record.account][record.region]
            backend._parameters[properties["Name"]][-1].value = properties["Value"]
        services.export(record)
        self._tell("updated", entry)
        return False

    def _delete(self, entry: Entry, resources: Any, *, replaced: bool) -> None:
        record = entry.record
        policy = entry.body.get("UpdateReplacePolicy" if replaced else "DeletionPolicy", "Delete")
        key = (resources.stack_id, record.logical_id)
        if not replaced:
            self.entries.pop(key, None)
        if str(policy).startswith("Retain"):
            self._tell("retained", entry)
            return
        why = ""
        if entry.real is not None:
            try:
                _unmake(entry, resources)
            except (ServiceException, HTTPException) as error:
                raise self._refusal(record.stack, record.logical_id, record.kind, _told(error), entry.body) from error
            except Exception as error:
                why = f"the emulator's own model cannot delete it: {type(error).__name__}: {error}"
        elif entry.served:
            services.unmake(record)
        self._tell("deleted", entry, why)

    def _real(self, record: Record, body: Body, resources: Any) -> tuple[Any | None, str]:
        """moto's own resource, or None and why it is a record."""
        if schemas.custom(record.kind) or record.kind in RECORDED or record.kind not in parsing.get_model_map():
            return None, ""
        try:
            given = {**body, "Properties": _as_moto_wants(record.kind, record.properties)}
            real: Any = _make(record.logical_id, given, resources, record.account, record.region)
        except RefusedError:
            raise
        except (ServiceException, HTTPException) as error:
            raise self._refusal(record.stack, record.logical_id, record.kind, _told(error), body) from error
        except Exception as error:  # a gap of moto's model, not an answer of AWS
            return None, f"the emulator's own model failed: {type(error).__name__}: {error}"
        return (real, "") if hasattr(real, "physical_resource_id") else (None, "the emulator's own model has no id")

    def _served(self, record: Record, body: Body) -> bool:
        try:
            return services.make(record)
        except (ServiceException, HTTPException) as error:
            raise self._refusal(record.stack, record.logical_id, record.kind, _told(error), body) from error

    def _properties(self, body: Body, resources: Any) -> Body:
        return parsing.clean_json(body.get("Properties") or {}, resources)  # type: ignore[no-any-return]

    def _check(self, record: Record, properties: Body, body: Body) -> None:
        try:
            found = schemas.problems(record.kind, properties, record.region)
        except schemas.UnknownTypeError as error:
            found = [str(error)]
        found += self._dangling(properties, record.account, record.region)
        if found:
            raise self._refusal(record.stack, record.logical_id, record.kind, "; ".join(found), body)

    def _dangling(self, properties: Body, account: str, region: str) -> list[str]:
        """Dynamic references to parameters and secrets that do not exist when the resource is made."""
        found = []
        for service, rest in _DYNAMIC.findall(str(properties)):
            if service == "secretsmanager":
                name = rest.partition(":SecretString")[0]
                if not name.endswith(tuple(self._secrets())) and ":secret:rds!cluster-" not in name:
                    found.append(f"{{{{resolve:{service}:{name}}}}} names a secret that does not exist")
            elif ssm_backends[account][region].get_parameter(rest) is None:
                found.append(f"{{{{resolve:{service}:{rest}}}}} names a parameter that does not exist")
        return found

    def _secrets(self) -> set[str]:
        held = [one for one in self.entries.values() if one.record.kind == "AWS::SecretsManager::Secret"]
        names = {str(one.record.properties.get("Name") or one.record.name) for one in held}
        return names | {one.physical_id for one in held}

    def _taken(self, record: Record, body: Body) -> None:
        """A fixed name that another resource of its type has."""
        names = schemas.identifier(record.kind, record.region)
        if not names or not all(record.properties.get(one) for one in names):
            return
        for other in self.entries.values():
            held = other.record
            if (held.kind, held.region) == (record.kind, record.region) and all(
                held.properties.get(one) == record.properties[one] for one in names
            ):
                value = "|".join(str(record.properties[one]) for one in names)
                place = f"{held.stack}/{held.logical_id}"
                raise self._refusal(
                    record.stack, record.logical_id, record.kind, f"{value} already exists: {place}", body
                )

    def _import(self, resources: Any, name: str) -> str:
        stack = resources["AWS::StackName"]
        region = str(resources["AWS::Region"])
        backends: Any = cloudformation_backends[resources["AWS::AccountId"]]
        export = backends[region].exports.get(name)
        if export is not None:
            readers = self.importers[region, name]
            if stack not in readers:
                readers.add(stack)
                self.ledger.write(Line("imported", stack, name, export.exporting_stack_id.split("/")[1]))
            return str(export.value)
        raise self._refusal(stack, name, "", f"the export {name} does not exist: no stack before this one has made it")

    def _output(self, resources: Any, asked: Mapping[str, str]) -> str:
        """A value of another stack, of another region too."""
        reader, region, name = resources["AWS::StackName"], asked.get("Region"), asked["OutputName"]
        backends: Any = cloudformation_backends[resources["AWS::AccountId"]]
        for stack in backends[region or resources["AWS::Region"]].stacks.values():
            if stack.name == asked["StackName"] and stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                for output in stack.outputs or ():
                    if output["OutputKey"] == name:
                        if reader not in self.importers[region or "", name]:
                            self.importers[region or "", name].add(reader)
                            self.ledger.write(Line("imported", reader, name, stack.name))
                        return str(output["OutputValue"])
        raise self._refusal(reader, name, "", f"{asked['StackName']} in {region} has no output {name} to read yet")

    def _refusal(self, stack: str, name: str, kind: str, reason: str, body: Body | None = None) -> RefusedError:
        path = str((body or {}).get("Metadata", {}).get("aws:cdk:path", ""))
        self.ledger.write(Line("refused", stack, name, kind, path, reason=reason))
        return RefusedError(f"{stack}/{name} ({kind}): {reason}")

    def _tell(self, event: Event, entry: Entry, reason: str = "") -> None:
        record = entry.record
        path = str(entry.body.get("Metadata", {}).get("aws:cdk:path", ""))
        self.ledger.write(
            Line(
                event,
                record.stack,
                record.logical_id,
                record.kind,
                path,
                entry.real is not None or entry.served,
                reason,
            )
        )


def order(resources: Mapping[str, Body]) -> list[str]:
    """Logical ids so that each stands after what it refers to or depends on.

    >>> order({"B": {"DependsOn": "A"}, "A": {}})
    ['A', 'B']
    """
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in above:
            raise RefusedError(f"Circular dependency between resources: {', '.join([*above, name])}")
        body = resources[name]
        after = body.get("DependsOn", [])
        for other in [*([after] if isinstance(after, str) else after), *schemas.references(body.get("Properties"))]:
            if other in resources and other != name:
                visit(other, (*above, name))
        done[name] = None

    for name in resources:
        visit(name, ())
    return list(done)


def _unmake(entry: Entry, resources: Any) -> None:
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


def _told(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", "") or getattr(error, "description", "") or error).split())
