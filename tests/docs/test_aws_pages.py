"""The AWS pages: every `aws` command parses, and what they name is what the platform has."""

import json
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel

from blueprint.addons import ADDONS
from blueprint.connections import CONNECTIONS
from blueprint.contract import OUTPUTS
from blueprint.data import AURORA, BACKUPS, CACHES
from blueprint.secrets import SECRETS
from blueprint.service_quotas import service_quotas
from stacks.settings import Settings, read
from studio.cloud.cost import estimate_of
from tests.docs import test_commands
from tests.docs.markdown import ROOT, name, section, tables
from tests.support.templates import synthesize

FOLDER = ROOT / "docs" / "aws"
FIRST, RUNBOOK = FOLDER / "first-deployment.md", FOLDER / "runbook.md"
PAGES = (FIRST, RUNBOOK)
FENCE = re.compile(r"^( *)```sh\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
ANY_FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"(?:^|\$\(|\{ |-rn1 )aws (?=[a-z])", re.MULTILINE)
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
COST_SLACK = Decimal("0.05")
"""How far a figure of the table may lie from the estimate before it has to be written anew."""
OF_THE_READER = {
    *("pingvas-admin", "pingvas-user"),  # profiles
    *("pingvas-restored", "pingvas-restored-1", "pingvas-broken", "pingvas-broken-1", "pingvas-broken-2"),
    *("pingvas-vpn-configure",),  # a unit on the server
}
ELSEWHERE = {
    "rate_limit": "blueprint/edge.py",
    "cloudfront_prefix_list": "blueprint/regions.py",
    "node_type": "blueprint/data.py",
}
"""Names of the blueprint that the pages tell to change, and where they stand."""


def shell(page: Path) -> list[str]:
    """Shell blocks, those inside of lists too, continued lines joined."""
    return [text.replace("\\\n", " ") for _, text in FENCE.findall(page.read_text())]


def prose(page: Path) -> str:
    return ANY_FENCE.sub("", page.read_text())


def until_its_end(text: str) -> str:
    """A command up to the first unquoted character that ends one."""
    quote = ""
    for at, one in enumerate(text):
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"":
            quote = one
        elif one in "\n|;)>}":
            return text[:at]
    return text


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in shell(page):
            for found in COMMAND.finditer(block):
                yield name(page), "aws " + until_its_end(block[found.end() :])
        for words in INLINE.findall(prose(page)):
            if words.startswith("aws "):
                yield name(page), " ".join(words.split())


COMMANDS = sorted(set(commands()))


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


def value_of(words: list[str], option: str) -> str:
    return words[words.index(f"--{option}") + 1] if f"--{option}" in words else ""


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


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_secrets_exist(page: Path) -> None:
    found = set(re.findall(r"pingvas/(dev|prod|shared|ENV)/([a-z][a-z0-9-]*[a-z0-9])\b(?!-\{)", page.read_text()))
    assert found
    for environment, secret in found:
        for one in ("dev", "prod") if environment == "ENV" else (environment,):
            assert f"pingvas/{one}/{secret}" in SECRETS


def test_the_values_have_the_keys_of_the_secrets() -> None:
    (rows,) = tables(section(FIRST, "5. Secrets"))
    told: dict[str, tuple[str, ...]] = {}
    for paths, shape, _ in rows:
        for path in INLINE.findall(paths):
            told[path] = tuple(json.loads(shape.strip("`")))
    assert told == {path: one.keys for path, one in SECRETS.items() if one.filled_by == "person"}
    filled = [
        (value_of(words, "secret-id"), re.findall(r'"(\w+)":', value_of(words, "secret-string")))
        for words in (shlex.split(line) for _, line in COMMANDS if " put-secret-value " in line)
        if not value_of(words, "secret-string").startswith("file://")
    ]
    assert len(filled) >= 2
    for path, keys in filled:
        assert tuple(keys) == SECRETS[path].keys, path
    (key,) = SECRETS["pingvas/shared/vpn-saml"].keys
    assert f"jq -Rs '{{{key}: .}}'" in FIRST.read_text()


def test_every_generated_secret_is_told() -> None:
    told = prose(FIRST).partition("## 5. Secrets")[2].partition("\n\n")[2].partition("Six hold")[0]
    assert sum(one.filled_by == "person" for one in SECRETS.values()) == 6
    assert set(INLINE.findall(told)) == {one.name for one in SECRETS.values() if one.filled_by != "person"}
    (rows, *_) = tables(section(RUNBOOK, "Rotate a secret"))
    first = " ".join(INLINE.findall(" ".join(row[0] for row in rows)))
    assert {one.name for one in SECRETS.values()} <= {word.rpartition("/")[2] for word in first.split()}


def test_the_settings_files_are_taken() -> None:
    files = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", FIRST.read_text(), re.M | re.S)]
    assert len(files) == 2
    assert read(files[0]).account == "111122223333"
    assert read(files[0] | files[1]).protected is False


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_settings_exist(page: Path) -> None:
    known = set(Settings.__dataclass_fields__)
    named = {word for word in INLINE.findall(prose(page)) if re.fullmatch(r"[a-z]+(_[a-z]+)+", word)}
    given = {pair for block in shell(page) for pair in re.findall(r" -c (\w+)=", block)}
    assert given <= known
    for word in named - known:
        assert re.search(rf"^    {word}: ", (ROOT / ELSEWHERE[word]).read_text(), re.MULTILINE), word


def test_the_table_of_stacks_is_the_app() -> None:
    (rows,) = tables(section(FIRST, "Stacks, times, costs"))
    templates = synthesize(region="us-east-1")
    assert [row[0].strip("`") for row in rows] == sorted(templates, key=[row[0].strip("`") for row in rows].index), (
        "each stack once"
    )
    seen: set[str] = set()
    for stack, _, _, _ in rows:
        assert templates.before(stack.strip("`")) <= seen, f"{stack} stands before what it needs"
        seen.add(stack.strip("`"))
    estimate = estimate_of((), "us-east-1")
    for stack, _, dollars, _ in rows:
        near(Decimal(dollars), estimate.stacks.get(stack.strip("`"), Decimal(0)), stack)


def test_the_sums_are_the_estimates() -> None:
    text = section(FIRST, "Stacks, times, costs")
    found = re.search(r"([\d,]+) in all, ([\d,]+) in\s+ap-northeast-2", text)
    assert found
    for told, region in zip(found.groups(), ("us-east-1", "ap-northeast-2"), strict=True):
        near(Decimal(told.replace(",", "")), estimate_of((), region).total, region)
    now = estimate_of((), "us-east-1")
    assert sum(line.amount for line in now.lines if line.counted) < now.total / 2, "idle is less than half"
    for setting, heading in (
        ("nat_gateways=3", "NAT gateway a zone"),
        ("interface_endpoints=true", "Interface endpoints"),
    ):
        (dollars,) = re.findall(r"(\d+) dollars a month", section(RUNBOOK, heading))
        near(Decimal(dollars), estimate_of((setting,), "us-east-1").total - now.total, setting)


def near(told: Decimal, real: Decimal, what: str) -> None:
    assert abs(told - real) <= max(Decimal(1), COST_SLACK * real), f"{what}: the page says {told}, the estimate {real}"


@cache
def names_of_the_platform() -> frozenset[str]:
    """Every word `pingvas-...` of the templates, and what the blueprint makes of its own."""
    text = json.dumps(synthesize(region="us-east-1"))
    found = {word.rstrip("-") for word in re.findall(r"pingvas-[a-z0-9-]*[a-z0-9]", text)}
    return frozenset({*found, *AURORA.instances, BACKUPS.vault, BACKUPS.restore_role})


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_fixed_names_are_the_platforms(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"(?<![\w.])pingvas-[a-z0-9-]*[a-z0-9]", text))
    assert len(named) > 5
    assert named - names_of_the_platform() - OF_THE_READER == set()
    stacks = set(re.findall(r"\bPingvas([A-Z]\w+)", text))
    assert stacks <= synthesize(region="us-east-1").keys()
    deployed = {
        word
        for line in re.findall(r"\./pingvas deploy ([^`\n#]*)", text)
        for word in line.split()
        if not word.startswith("-") and word != "NAME"
    }
    assert deployed <= synthesize(region="us-east-1").keys()


def test_figures_are_the_blueprints() -> None:
    for page in PAGES:
        asked = re.findall(r"--quota-code (\S+) --desired-value (\d+)", page.read_text())
        assert set(asked) <= {(one.code, str(one.needed)) for one in service_quotas()}
    runbook = RUNBOOK.read_text()
    assert f"{len(OUTPUTS)} parameters" in FIRST.read_text()
    (loop,) = re.findall(r"for addon in ([^;]+);", runbook)
    assert set(loop.split()) == {one.name for one in ADDONS}
    assert "seven add-ons" in FIRST.read_text() and len(ADDONS) == 7
    acus = re.findall(r"(\d+)(?: ACU)? (\d{3,4})(?=[,;])", section(RUNBOOK, "Aurora's capacity"))
    assert len(acus) == 4
    assert all(CONNECTIONS[int(capacity)] == int(count) for capacity, count in acus)
    redis = CACHES["prod"].snapshot
    assert redis is not None
    for what, window in (("Redis prod", redis), ("Aurora", AURORA.backup), ("Saturday", BACKUPS.efs.window)):
        assert f"{what} {window.hour:02}:{window.minute:02}" in runbook
    assert f"{BACKUPS.aurora.window.hour:02}:00 daily ({BACKUPS.aurora.keep_days} days)" in " ".join(runbook.split())


def test_the_checks_are_those_of_the_preflight() -> None:
    (rows,) = tables(section(FIRST, "2. Look"))
    told = {check for row in rows for check in INLINE.findall(row[0])}
    source = "\n".join(path.read_text() for path in (ROOT / "studio/cloud/deploy/checks").glob("*.py"))
    for check in told:
        fixed = re.sub(r" ?\b[A-Z]{3,}\b$", "", check)
        assert re.search(rf'f?"{re.escape(fixed)}[ "]', source), check
    found = set(re.findall(r'(?:Finding|_offered|_singleton)\(\s*"([^"]+)"', source))
    assert len(found) > 8
    assert found <= told, "a check without a row"


@pytest.mark.parametrize(
    ("setting", "value", "heading"),
    [
        ("nat_gateways", 3, "NAT gateway a zone"),
        ("interface_endpoints", True, "Interface endpoints"),
        ("aurora_max_acu", 8, "Aurora's capacity"),
        ("geo_blocked_countries", "CU", "Block a country"),
        ("vpn_allowed_cidrs", "198.51.100.7/32", "VPN"),
        ("kubernetes_public_cidrs", "198.51.100.7/32", "VPN"),
        ("developers", "Developer-A", "VPN"),
    ],
)
def test_an_entry_deploys_every_stack_that_its_setting_changes(setting: str, value: object, heading: str) -> None:
    text = section(RUNBOOK, heading)
    assert f"`{setting}`" in text
    deployed = set(" ".join(re.findall(r"\./pingvas deploy ([^`\n]*)", text)).split())
    before, after = synthesize(region="us-east-1"), synthesize(region="us-east-1", **{setting: value})
    assert {stack for stack in before if before[stack] != after[stack]} <= deployed


def test_no_step_without_cloudfront_takes_what_another_stack_uses() -> None:
    steps = re.findall(
        r"--exclusively ([\w ]+)$|delete-stack .*Pingvas(\w+)$|deploy (Ingress)",
        section(RUNBOOK, "Without CloudFront"),
        re.MULTILINE,
    )
    assert ["".join(one) for one in steps] == ["Network Observability", "EdgeLogs", "Edge", "EdgeGlobal", "Ingress"]
    there: dict[str, Any] = dict(synthesize(region="us-east-1"))
    without = synthesize(region="us-east-1", cloudfront=False)
    for exclusively, deleted, last in steps:
        for stack in (exclusively or last).split():
            there[stack] = without[stack]
        there.pop(deleted, None)
        assert_imports_are_exported(there)
    left = {stack for stack in without if there[stack] != without[stack]}
    assert left <= without.before("Ingress"), "the last step deploys what Ingress stands on, too"
    assert there.keys() == without.keys()


def test_leaving_in_this_order_takes_nothing_that_is_used() -> None:
    (told,) = re.findall(r"--exclusively (.+)$", section(RUNBOOK, "Leave"), re.MULTILINE)
    there: dict[str, Any] = dict(synthesize(region="us-east-1"))
    without = synthesize(region="us-east-1", protected=False)
    for stack in told.split():
        there[stack] = without[stack]
        assert_imports_are_exported(there)
    assert {stack for stack in without if without[stack] != there[stack]} <= {"Security"}


def assert_imports_are_exported(templates: dict[str, Any]) -> None:
    exported = {
        one["Export"]["Name"]
        for template in templates.values()
        for one in template.get("Outputs", {}).values()
        if "Export" in one
    }
    for stack, template in templates.items():
        imported = set(re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(template)))
        assert imported <= exported, f"{stack} uses what is gone"
