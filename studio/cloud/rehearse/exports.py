"""What stacks read of one another: exports within a region, outputs of any."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from moto.cloudformation.models import cloudformation_backends

from studio.cloud.rehearse.ledger import Ledger, Line
from studio.cloud.rehearse.refusals import refusal


class Exports:
    """Values of other stacks, and who has read them."""

    def __init__(self, ledger: Ledger) -> None:
        self.readers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Stacks by (region, export) that they read."""
        self._ledger = ledger

    def value(self, resources: Any, name: str) -> str:
        """`Fn::ImportValue`, remembered in `readers`. Raises RefusedError."""
        stack = resources["AWS::StackName"]
        region = str(resources["AWS::Region"])
        backends: Any = cloudformation_backends[resources["AWS::AccountId"]]
        export = backends[region].exports.get(name)
        if export is not None:
            readers = self.readers[region, name]
            if stack not in readers:
                readers.add(stack)
                self._ledger.write(Line("imported", stack, name, export.exporting_stack_id.split("/")[1]))
            return str(export.value)
        raise refusal(
            self._ledger, (stack, name, ""), f"the export {name} does not exist: no stack before this one has made it"
        )

    def output(self, resources: Any, asked: Mapping[str, str]) -> str:
        """`Fn::GetStackOutput`: a value of another stack, of another region too. Raises RefusedError."""
        reader, region, name = resources["AWS::StackName"], asked.get("Region"), asked["OutputName"]
        backends: Any = cloudformation_backends[resources["AWS::AccountId"]]
        for stack in backends[region or resources["AWS::Region"]].stacks.values():
            if stack.name == asked["StackName"] and stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                for output in stack.outputs or ():
                    if output["OutputKey"] == name:
                        if reader not in self.readers[region or "", name]:
                            self.readers[region or "", name].add(reader)
                            self._ledger.write(Line("imported", reader, name, stack.name))
                        return str(output["OutputValue"])
        raise refusal(
            self._ledger, (reader, name, ""), f"{asked['StackName']} in {region} has no output {name} to read yet"
        )
