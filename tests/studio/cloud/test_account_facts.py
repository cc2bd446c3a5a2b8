"""Deployment facts out of an emulated account that holds the parameters of the CDK templates."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from blueprint.contract import INTERFACE_ENDPOINTS_OUTPUT, OUTPUTS, PREFIX
from k8s_charts.facts import FILE, NEEDED, load, placeholders
from studio.cloud import account_facts
from studio.cloud.rehearse.process import ACCOUNT
from studio.errors import StudioError, UsageError
from tests.support import outputs
from tests.support.templates import Templates, synthesize

REGION = "us-east-1"

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(scope="module")
def published() -> dict[str, str]:
    """Every parameter of the templates by its name, with a value such as AWS would give it."""
    return {name: _value(name) for name in _parameters(synthesize())}


def _parameters(made: Templates) -> list[str]:
    found = [resource.properties["Name"] for resource in made.resources("AWS::SSM::Parameter")]
    return [name for name in found if str(name).startswith(PREFIX)]


def _value(parameter: str, region: str = REGION) -> str:
    return outputs.value(parameter.removeprefix(f"{PREFIX}/"), region)


def _put(parameters: dict[str, str], region: str = REGION) -> None:
    client: Any = boto3.client("ssm", region_name=region)
    for name, value in parameters.items():
        client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def test_templates_publish_every_fact_that_is_needed(published: dict[str, str]) -> None:
    assert {OUTPUTS[name].parameter for name in account_facts.ASKED} <= set(published)


def test_an_account_leaves_no_placeholder_and_reads_back(published: dict[str, str], tmp_path: Path) -> None:
    _put(published)
    facts = account_facts.read(placeholders(), region=REGION)
    assert facts.account == ACCOUNT
    assert facts.placeholders == ()
    assert all(facts[name] == published[OUTPUTS[name].parameter] for name in NEEDED)
    (tmp_path / FILE).write_text(facts.text())
    assert load(tmp_path) == facts


@pytest.mark.parametrize("said", [True, False])
def test_whether_there_are_interface_endpoints_is_read_too(published: dict[str, str], said: bool) -> None:
    _put(published | {OUTPUTS[INTERFACE_ENDPOINTS_OUTPUT].parameter: str(said).lower()})
    assert account_facts.read(replace(placeholders(), interface_endpoints=not said)).interface_endpoints == said


def test_the_choice_of_edge_and_cache_survives_an_account(published: dict[str, str]) -> None:
    _put(published)
    assert account_facts.read(replace(placeholders(), edge_and_cache="in-cluster")).in_cluster


def test_facts_once_filled_are_read_from_their_own_region(
    published: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(published)
    facts = account_facts.read(placeholders(), region=REGION)
    monkeypatch.setenv("AWS_REGION", "ap-northeast-2")
    assert account_facts.read(facts) == facts


@pytest.mark.parametrize(
    ("output", "value", "said"),
    [
        ("efs/file-system-id", "nonsense", "malformed"),
        ("aurora/writer-endpoint", "aurora-writer.placeholder.invalid", "placeholder"),
        ("cluster/key-arn", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1", "is of eu-west-1"),
        ("cluster/key-arn", f"arn:aws:kms:{REGION}:999999999999:key/1", "account 999999999999"),
    ],
)
def test_a_parameter_that_cannot_be_is_one_line_that_names_it(
    published: dict[str, str], output: str, value: str, said: str
) -> None:
    _put(published | {OUTPUTS[output].parameter: value})
    with pytest.raises(StudioError, match=said) as raised:
        account_facts.read(placeholders())
    assert output in raised.value.message
    assert "\n" not in raised.value.message


def test_missing_parameters_name_the_stacks_to_deploy(published: dict[str, str]) -> None:
    _put({name: value for name, value in published.items() if not name.startswith(f"{PREFIX}/efs/")})
    with pytest.raises(StudioError, match=r"lacks \d+ of \d+ outputs .*efs/file-system-id") as raised:
        account_facts.read(placeholders())
    assert raised.value.advice.endswith("./pingvas deploy Data")


def test_another_region_has_nothing_and_that_is_said(published: dict[str, str]) -> None:
    _put(published)
    with pytest.raises(StudioError, match="no parameter below /pingvas in ap-northeast-2"):
        account_facts.read(placeholders(), region="ap-northeast-2")
    with pytest.raises(UsageError, match="mars-1 is none of"):
        account_facts.read(placeholders(), region="mars-1")


def test_without_a_region_the_environment_says_it(published: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    seoul = "ap-northeast-2"
    _put({name: _value(name, seoul) for name in published}, seoul)
    monkeypatch.setenv("AWS_REGION", seoul)
    assert account_facts.read(placeholders()).region == seoul


def test_no_credentials_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StudioError, match="No AWS credentials") as raised:
        account_facts.read(placeholders())
    assert "\n" not in raised.value.message


def test_an_account_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StudioError, match="cannot be reached"):
        account_facts.read(placeholders())
