"""CloudFormation's part of the emulator: order, creation, updates in place, replacements, deletions, imports.

moto's own engine skips types it does not know, updates by deleting first, and lets an export vanish under its readers.
This one takes its place: every resource's resolved properties are checked by AWS's schema; what moto can make it makes,
the rest are records; a stack changes as CloudFormation changes it.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.core.exceptions import ServiceException
from moto.ssm.models import ssm_backends
from werkzeug.exceptions import HTTPException

from studio.cloud.rehearse import schemas, services
from studio.cloud.rehearse.entries import Entry, Recorded, make, told, unmake
from studio.cloud.rehearse.exports import Exports
from studio.cloud.rehearse.ledger import Event, Ledger, Line
from studio.cloud.rehearse.order import order
from studio.cloud.rehearse.records import Record
from studio.cloud.rehearse.refusals import Body, RefusedError, refusal

_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
_clean = parsing.clean_json


class Engine:
    """The resources of every stack of the emulator, and what happens to them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.entries: dict[tuple[str, str], Entry] = {}
        self.exports = Exports(ledger)
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
                return self.exports.value(resources, name)
            if "Fn::GetStackOutput" in node:
                return self.exports.output(resources, self.clean(node["Fn::GetStackOutput"], resources))
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
            raise refusal(
                self.ledger, (stack, logical_id, ""), "Fn::GetAtt names a resource that the template does not have"
            )
        resources[logical_id]
        entry = self.entries.get((resources.stack_id, logical_id))
        if entry is None:
            return None
        kind = entry.record.kind
        if not schemas.has_attribute(kind, name, entry.record.region):
            raise refusal(self.ledger, entry.record.place, f"the type has no attribute {name}", entry.body)
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
        record = entry.record
        properties = self._properties(body, resources)
        entry.body = body
        if body["Type"] != record.kind:
            raise refusal(self.ledger, record.place, f"a resource cannot become a {body['Type']}", body)
        if properties == record.properties:
            return False
        self._check(record, properties, body)
        fixed = schemas.replacing(record.kind, record.properties, properties, record.region)
        if fixed:
            identifier = schemas.identifier(record.kind, record.region)
            if len(identifier) == 1 and properties.get(identifier[0]) == record.properties.get(identifier[0], ""):
                raise refusal(
                    self.ledger,
                    record.place,
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
                unmake(entry, resources)
            except (ServiceException, HTTPException) as error:
                raise refusal(self.ledger, record.place, told(error), entry.body) from error
            except Exception as error:
                why = f"the emulator's own model cannot delete it: {type(error).__name__}: {error}"
        elif entry.served:
            services.unmake(record)
        self._tell("deleted", entry, why)

    def _real(self, record: Record, body: Body, resources: Any) -> tuple[Any | None, str]:
        """moto's own resource, or None and why it is a record."""
        try:
            return make(record, body, resources)
        except RefusedError:
            raise
        except (ServiceException, HTTPException) as error:
            raise refusal(self.ledger, record.place, told(error), body) from error

    def _served(self, record: Record, body: Body) -> bool:
        try:
            return services.make(record)
        except (ServiceException, HTTPException) as error:
            raise refusal(self.ledger, record.place, told(error), body) from error

    def _properties(self, body: Body, resources: Any) -> Body:
        return parsing.clean_json(body.get("Properties") or {}, resources)  # type: ignore[no-any-return]

    def _check(self, record: Record, properties: Body, body: Body) -> None:
        try:
            found = schemas.problems(record.kind, properties, record.region)
        except schemas.UnknownTypeError as error:
            found = [str(error)]
        found += self._dangling(properties, record.account, record.region)
        if found:
            raise refusal(self.ledger, record.place, "; ".join(found), body)

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
                raise refusal(self.ledger, record.place, f"{value} already exists: {place}", body)

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
