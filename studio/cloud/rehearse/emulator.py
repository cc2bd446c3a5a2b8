"""The child process `python -m studio.cloud.rehearse.emulator PORT LEDGER`: moto's server with `engine` inside."""

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moto.cloudformation import models, parsing, responses
from moto.cloudformation.utils import generate_stack_id
from moto.core.exceptions import ServiceException
from moto.core.responses import EmptyResult
from moto.ssm.models import ssm_backends

from studio.cloud.rehearse.engine import Engine
from studio.cloud.rehearse.ledger import Ledger
from studio.cloud.rehearse.refusals import RefusedError

PUBLIC = "/aws/service/"
IMAGE = "ami-0abcdef1234567890"
"""Stands for every image that AWS names by a public parameter."""


def install(engine: Engine) -> None:
    """Puts the engine in the place of moto's, in this process."""
    own: Any = parsing
    own.clean_json = engine.clean
    own.parse_and_create_resource = engine.create
    maps: Any = parsing.ResourceMap
    maps.validate_outputs = lambda self: None
    maps.create = method(engine.create_all)
    maps.update = method(engine.update_all)
    maps.delete = method(engine.delete_all)
    maps.parse_ssm_parameter = _parameter
    stacks: Any = models.Stack
    stacks.parse_template = staticmethod(_template)
    Stacks(engine).install()


def method(function: Callable[..., Any]) -> Any:
    """A function as a method of one of moto's classes."""

    def bound(self: Any, *arguments: Any, **named: Any) -> Any:
        return function(self, *arguments, **named)

    return bound


def _template(text: str) -> Any:
    """CDK writes JSON; moto's YAML reader takes seconds for it."""
    try:
        return json.loads(text)
    except ValueError:
        import yaml
        from moto.cloudformation.utils import yaml_tag_constructor

        yaml.add_multi_constructor("", yaml_tag_constructor)
        return yaml.load(text, Loader=yaml.Loader)  # noqa: S506 (the bootstrap template of the pinned command line)


def _parameter(self: Any, value: str, value_type: str) -> Any:
    found = ssm_backends[self._account_id][self._region_name].get_parameter(value)
    if found is None and value.startswith(PUBLIC):
        return IMAGE
    if found is None:
        raise RefusedError(f"The parameter {value} does not exist: is the region bootstrapped?")
    return found.value.split(",") if "List" in value_type else found.value


class Stacks:
    """What the API of CloudFormation does with stacks, in the place of moto's backend's own methods."""

    def __init__(self, engine: Engine) -> None:
        backend: Any = models.CloudFormationBackend
        self._engine = engine
        self._update = backend.update_stack
        self._delete = backend.delete_stack

    def install(self) -> None:
        backend: Any = models.CloudFormationBackend
        answers: Any = responses.CloudFormationResponse
        backend.create_stack = method(self.create)
        backend.update_stack = method(self.update)
        backend.delete_stack = method(self.delete)
        backend.execute_change_set = method(self.execute)
        # moto fails where there is none of that name, which to AWS is no error; the call below has made it a key.
        backend.delete_change_set = lambda own, change_set_name: own.change_sets.pop(change_set_name, None)
        backend.describe_change_set = method(_change_set)
        for name in ("describe_change_set", "delete_change_set", "execute_change_set"):
            setattr(answers, name, _by_stack(getattr(answers, name)))
        answers.update_termination_protection = method(self.protect)

    def create(
        self, backend: Any, name: str, template: str, parameters: Mapping[str, Any], tags: Any = None, **more: Any
    ) -> Any:
        """Raises RefusedError, and leaves the stack as ROLLBACK_COMPLETE, when a resource cannot be made."""
        new_stack: Any = models.Stack
        with self._engine.lock:
            if any(stack.name == name for stack in backend.stacks.values()):
                raise RefusedError(f"Stack [{name}] already exists")
            stack = new_stack(
                stack_id=generate_stack_id(name, backend.region_name, backend.account_id),
                name=name,
                template=template,
                parameters=dict(parameters),
                account_id=backend.account_id,
                region_name=backend.region_name,
                tags=tags,
                cross_stack_resources=backend.exports,
                enable_termination_protection=_true(more.get("enable_termination_protection")),
            )
            _defaults(stack)
            backend.stacks[stack.stack_id] = stack
            stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
            try:
                stack.create_resources()
                self._export(backend, stack)
            except Exception:
                stack.status = "ROLLBACK_COMPLETE"
                raise
            return stack

    def update(self, backend: Any, name: str, *arguments: Any, **named: Any) -> Any:
        with self._engine.lock:
            stack = self._update(backend, name, *arguments, **named)
            self._export(backend, stack)
            return stack

    def execute(self, backend: Any, change_set_name: str, **_: Any) -> None:
        """A change set's stack has outputs and exports afterwards, which moto forgets."""
        with self._engine.lock:
            change_set = backend.describe_change_set(change_set_name)
            stack = change_set.stack
            stack._add_stack_event(f"{change_set.change_set_type}_IN_PROGRESS", resource_status_reason="User Initiated")
            stack.status = f"{change_set.change_set_type}_IN_PROGRESS"
            try:
                change_set.apply()
                stack.template = change_set.template
                stack._parse_template()
                stack.parameters = dict(change_set.parameters)
                _defaults(stack)
                stack.output_map = stack._create_output_map()
                self._export(backend, stack)
            except Exception:
                stack.status = "ROLLBACK_COMPLETE"
                raise
            change_set.execution_status = "EXECUTE_COMPLETE"
            # Last: whoever reads the exports starts as soon as it sees this.
            stack._add_stack_event(f"{change_set.change_set_type}_COMPLETE")
            stack.status = f"{change_set.change_set_type}_COMPLETE"

    def delete(self, backend: Any, name_or_stack_id: str) -> None:
        """Raises RefusedError for a protected stack and for one whose exports another stack reads."""
        with self._engine.lock:
            stack = backend.get_stack(name_or_stack_id)
            if stack.enable_termination_protection:
                raise RefusedError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
            for export in stack.exports:
                self._unread(backend, export.name)
            self._delete(backend, stack.stack_id)
            for readers in self._engine.exports.readers.values():
                readers.discard(stack.name)

    def protect(self, answer: Any) -> EmptyResult:
        """UpdateTerminationProtection, which moto lacks."""
        stack = answer.cloudformation_backend.get_stack(answer._get_param("StackName"))
        stack.enable_termination_protection = _true(answer._get_param("EnableTerminationProtection"))
        return EmptyResult()

    def _export(self, backend: Any, stack: Any) -> None:
        fresh = {export.name: export for export in stack.exports}
        for name, export in list(backend.exports.items()):
            if export.exporting_stack_id == stack.stack_id:
                if name not in fresh or fresh[name].value != export.value:
                    self._unread(backend, name)
                del backend.exports[name]
            elif name in fresh:
                raise RefusedError(f"Export with name {name} is already exported by {export.exporting_stack_id}")
        backend.exports.update(fresh)

    def _unread(self, backend: Any, name: str) -> None:
        readers = self._engine.exports.readers.get((backend.region_name, name))
        if readers:
            raise RefusedError(f"Export {name} cannot be changed or removed: it is in use by {', '.join(readers)}")


def _change_set(backend: Any, change_set_name: str) -> Any:
    """By its key; CDK waits for AWS's own error of one that is gone."""
    found = backend.change_sets.get(change_set_name)
    if found is None:
        raise ServiceException("ChangeSetNotFound", f"ChangeSet [{change_set_name}] does not exist")
    return found


def _by_stack(answer: Callable[..., Any]) -> Callable[..., Any]:
    """A call about a change set, by the name it has in its own stack: CDK gives those of all stacks the same name."""

    def bound(self: Any) -> Any:
        asked = self._get_param
        name, stack = asked("ChangeSetName"), asked("StackName")
        for key, one in self.cloudformation_backend.change_sets.items():
            if one.change_set_name == name and stack in (one.stack_name, one.stack_id):
                self._get_param = lambda what, *more, key=key: key if what == "ChangeSetName" else asked(what, *more)
        return answer(self)

    return bound


def _defaults(stack: Any) -> None:
    """Parameters by their defaults where none was given: an update may keep any of them."""
    slots = stack.template_dict.get("Parameters", {})
    stack.parameters = {name: slot["Default"] for name, slot in slots.items() if "Default" in slot} | stack.parameters


def _true(value: object) -> bool:
    return str(value).lower() == "true"


def main(port: int, ledger: Path) -> None:
    """Serves until it is ended; its parent's death ends it."""
    from moto import server

    os.environ["MOTO_PORT"] = str(port)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    install(Engine(Ledger(ledger)))
    server.main(["-H", "127.0.0.1", "-p", str(port)])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
