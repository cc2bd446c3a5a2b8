"""Templates to ask questions of: resources by type across stacks, and values followed through references."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blueprint.regions import GLOBAL_REGION


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource; `key` is its name in this estate, `stack/LogicalId`."""

    stack: str
    id: str
    type: str
    properties: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{self.stack}/{self.id}"


class Estate:
    """Every resource of every stack. Exports lead from a stack's import to the exporting stack's resource."""

    def __init__(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        self.stacks = {name: templates[name] for name in sorted(templates)}
        self._exports: dict[str, tuple[str, Any]] = {}
        self._outputs: dict[tuple[str, str], tuple[str, Any]] = {}
        for stack, template in self.stacks.items():
            for name, output in template.get("Outputs", {}).items():
                self._outputs[f"Pingvas{stack}", name] = (stack, output["Value"])
                if export := output.get("Export"):
                    self._exports[str(export["Name"])] = (stack, output["Value"])

    def all(self, kind: str) -> list[Resource]:
        return [
            Resource(stack, logical, kind, body.get("Properties", {}))
            for stack, template in self.stacks.items()
            for logical, body in sorted(template.get("Resources", {}).items())
            if body["Type"] == kind
        ]

    def first(self, kind: str) -> Resource | None:
        return next(iter(self.all(kind)), None)

    def count(self, kind: str) -> int:
        return len(self.all(kind))

    @property
    def resources(self) -> int:
        return sum(len(template.get("Resources", {})) for template in self.stacks.values())

    @property
    def region(self) -> str:
        """The region of the zones that the subnets name."""
        subnet = self.first("AWS::EC2::Subnet")
        return str(subnet.properties["AvailabilityZone"])[:-1] if subnet else GLOBAL_REGION

    def follow(self, value: Any, stack: str) -> str:
        """What a value is in this estate: `stack/LogicalId`, with `.Attribute`, or a plain text.

        References that lead to no resource (a pseudo parameter, another account) are their name in braces.
        """
        if not isinstance(value, Mapping):
            return str(value)
        ((function, argument),) = value.items()
        if function == "Ref":
            found = argument in self.stacks[stack].get("Resources", {})
            return f"{stack}/{argument}" if found else f"{{{argument}}}"
        if function == "Fn::GetAtt":
            name, _, attribute = (
                argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
            )
            return f"{stack}/{name}.{attribute}"
        if function == "Fn::Join":
            return str(argument[0]).join(self.follow(part, stack) for part in argument[1])
        output = self._output(function, argument)
        return self.follow(output[1], output[0]) if output else f"{{{function}}}"

    def _output(self, function: str, argument: Any) -> tuple[str, Any] | None:
        """The stack and value that an import reads."""
        if function == "Fn::ImportValue":
            return self._exports.get(argument)
        if function == "Fn::GetStackOutput":
            return self._outputs.get((argument["StackName"], argument["OutputName"]))
        return None

    def tier(self, subnets: Any, stack: str) -> str:
        """The name of the subnets' tier; that of the first, since CDK places a resource in one tier.

        >>> Estate({}).tier([], "Network")
        ''
        """
        wanted = {self.follow(one, stack) for one in (subnets if isinstance(subnets, list) else [subnets])}
        for subnet in self.all("AWS::EC2::Subnet"):
            tags = {tag["Key"]: tag["Value"] for tag in subnet.properties.get("Tags", ())}
            if subnet.key in wanted:
                return str(tags.get("aws-cdk:subnet-name", ""))
        return ""

    def imports(self, stack: str) -> list[str]:
        """The stacks whose outputs this one reads, in alphabetical order."""
        found = set()
        for value in _walk(self.stacks[stack].get("Resources", {})):
            if "Fn::ImportValue" in value and value["Fn::ImportValue"] in self._exports:
                found.add(self._exports[value["Fn::ImportValue"]][0])
            if "Fn::GetStackOutput" in value:
                found.add(str(value["Fn::GetStackOutput"]["StackName"]).removeprefix("Pingvas"))
        return sorted(found - {stack})


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)
