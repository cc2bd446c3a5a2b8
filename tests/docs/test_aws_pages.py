"""The AWS pages: what they name is what the platform has, and their figures are its own."""

import json
import re
import shlex
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from blueprint.addons import ADDONS
from blueprint.connections import CONNECTIONS
from blueprint.contract import OUTPUTS
from blueprint.data import AURORA, BACKUPS, CACHES
from blueprint.secrets import SECRETS
from blueprint.service_quotas import service_quotas
from stacks.settings import Settings, read
from studio.cloud.cost import estimate_of
from tests.docs.aws import COMMANDS, FIRST, INLINE, PAGES, RUNBOOK, prose, shell, value_of
from tests.docs.markdown import ROOT, name, section, tables
from tests.support.templates import synthesize

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
