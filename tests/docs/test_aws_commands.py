"""The commands of the AWS pages: AWS CLI takes its own, and ours exist."""

import shlex
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel

from tests.docs import test_commands
from tests.docs.aws import COMMANDS, FENCE, PAGES, until_its_end, value_of

GLOBAL = {"region": True, "query": True, "output": True, "profile": True, "endpoint-url": True}
"""Options of every command, and that each takes a value."""
OF_THE_CLI_ALONE = {
    ("sso", "login"): frozenset[str](),
    ("s3", "sync"): frozenset[str](),
    ("eks", "update-kubeconfig"): frozenset({"name"}),
    ("logs", "tail"): frozenset({"since", "follow"}),
}
"""Commands that are no operation of an API, and their options."""
RENAMED = {("eks", "update-nodegroup-version", "kubernetes-version"): "version"}
"""Options that the CLI calls otherwise than the API, since `--version` is its own."""
SERVICES = {"s3api": "s3"}
"""Commands that bear another name than their API."""


@cache
def service(of: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(SERVICES.get(of, of))


@cache
def waiters(of: str) -> frozenset[str]:
    names = botocore.session.get_session().get_waiter_model(SERVICES.get(of, of)).waiter_names
    return frozenset(xform_name(one, "-") for one in names)


def wrong(line: str) -> str:
    """What AWS CLI v2 would refuse in a command; nothing where it takes it."""
    _, first, second, *rest = shlex.split(line)
    given = [one.removeprefix("--").partition("=")[0] for one in rest if one.startswith("--")]
    if (query := value_of(rest, "query")) and "$1" not in query:
        jmespath.compile(query)
    own = set(given) - GLOBAL.keys()
    if (first, second) in OF_THE_CLI_ALONE:
        return ", ".join(own - OF_THE_CLI_ALONE[first, second])
    try:
        model = service(first)
    except UnknownServiceError:
        return f"no service {first}"
    if second == "wait":
        return "" if rest[0] in waiters(first) else f"no waiter {rest[0]}"
    operations = {xform_name(one, "-"): one for one in model.operation_names}
    if second not in operations:
        return f"no operation {second}"
    return refused(first, second, model.operation_model(operations[second]), own)


def refused(of: str, command: str, operation: OperationModel, given: set[str]) -> str:
    shape: Any = operation.input_shape
    members = {xform_name(member, "-"): member for member in shape.members} if shape else {}
    flags = {f"no-{option}" for option, member in members.items() if shape.members[member].type_name == "boolean"}
    told = {RENAMED.get((of, command, one), one) for one in given}
    if strange := told - members.keys() - flags:
        return f"no option {', '.join(sorted(strange))}"
    # What only makes a call repeatable, the CLI makes up itself.
    needed = {
        option
        for option, member in members.items()
        if member in shape.required_members and member not in operation.idempotent_members
    }
    missing = needed - told - {one.removeprefix("no-") for one in told}
    return f"misses {', '.join(sorted(missing))}" if missing else ""


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda part: part[:60])
def test_aws_takes_the_command(page: str, line: str) -> None:
    assert wrong(line) == "", f"{page} shows {line!r}"


def test_the_parser_can_refuse() -> None:
    assert len(COMMANDS) > 60
    assert wrong("aws iam make-user --user-name A") == "no operation make-user"
    assert wrong("aws iamb create-user") == "no service iamb"
    assert wrong("aws iam create-user --name A") == "no option name"
    assert wrong("aws iam create-user --region us-east-1") == "misses user-name"
    assert wrong("aws rds wait db-instance-gone") == "no waiter db-instance-gone"
    assert wrong("aws logs tail /a --sins 1h") == "sins"
    assert until_its_end("a --query 'b | c' \"$(d)\" | e") == "a --query 'b | c' \"$(d)\" "
    with pytest.raises(jmespath.exceptions.ParseError):
        wrong("aws iam list-users --query 'Users[?'")


INDENTED = [
    (page, line.strip())
    for page in PAGES
    for indent, text in FENCE.findall(page.read_text())
    if indent
    for line in text.splitlines()
    if line.strip().startswith("./pingvas ")
]


@pytest.mark.parametrize(("page", "line"), INDENTED, ids=str)
def test_our_own_commands_inside_of_lists_exist(page: Path, line: str) -> None:
    test_commands.test_a_command_that_is_shown_exists(page, line)
