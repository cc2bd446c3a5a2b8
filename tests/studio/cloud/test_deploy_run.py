"""A deployment's order, its delegation gate, its signing keys; the CDK command line is one that records its calls."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from blueprint.environments import PROD
from studio.cli import run
from studio.cloud import toolchain
from studio.cloud.deploy import signing
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import Finding
from studio.cloud.deploy.run import Deployment, Options
from studio.cloud.rehearse.process import ACCOUNT
from studio.errors import Exit, StudioError, UsageError
from tests.support.deployment import REGION, secrets_exist

ZONE = PROD.host
OFFICE = ("vpn_allowed_cidrs=192.80.1.0/24", "kubernetes_public_cidrs=192.80.1.0/24")
BELOW = {
    "Network": [],
    "Dns": [],
    "Security": ["Network"],
    "Data": ["Security", "Network"],
    "Ingress": ["Dns", "Security"],
    "Edge": ["Ingress", "Security"],
    "Delivery": [],
}
pytestmark = pytest.mark.usefixtures("aws")


class Written:
    """Takes the place of synthesis: an assembly of small stacks, and how often it was made."""

    def __init__(self) -> None:
        self.times: list[bool] = []

    def __call__(self, folder: Path, *, context: Any, checks: bool) -> None:
        self.times.append(checks)
        folder.mkdir(exist_ok=True)
        kinds = {
            "Edge": "AWS::CloudFront::PublicKey",
            "Ingress": "AWS::CertificateManager::Certificate",
            "Dns": "AWS::Route53::HostedZone",
        }
        artifacts = {}
        for name, below in BELOW.items():
            body = {"Resources": {"R": {"Type": kinds.get(name, "AWS::SNS::Topic"), "Properties": {}}}}
            (folder / f"{name}.template.json").write_text(json.dumps(body))
            artifacts[name] = {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://{ACCOUNT}/{REGION}",
                "properties": {"templateFile": f"{name}.template.json", "stackName": f"Pingvas{name}"},
                "dependencies": below,
            }
        (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


class Stage:
    """A deployment whose command line writes down how it was called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder / "calls"
        self.written = Written()
        self.waited: list[str] = []
        self.said: list[str] = []
        self.file = folder / "cdk.context.json"
        self._folder = folder
        script = folder / "cdk.py"
        script.write_text(
            "import json, pathlib, sys\n"
            f"log = pathlib.Path({str(self.log)!r})\n"
            "log.write_text((log.read_text() if log.exists() else '') + json.dumps(sys.argv[1:]) + '\\n')\n"
            "sys.exit(1 if pathlib.Path(str(log) + '.fail').exists() else 0)\n"
        )
        monkeypatch.setattr(toolchain, "command", lambda *words: [sys.executable, str(script), *words])
        body = {"Resources": {"Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": ZONE}}}}
        boto3.client("cloudformation", REGION).create_stack(StackName="PingvasDns", TemplateBody=json.dumps(body))

    def deployment(self, *stacks: str, **options: Any) -> Deployment:
        def wait(zone: str, servers: frozenset[str], **more: Any) -> None:
            self.waited.append(f"{zone} after {len(self.calls)} calls")
            assert servers
            if not more["patient"]:
                raise StudioError("not delegated")

        chosen = Options(stacks=stacks, context=(f"account={ACCOUNT}", *OFFICE), yes=True, **options)
        return Deployment(
            chosen, self.said.append, wait=wait, make=self.written, folder=self._folder / "out", file=self.file
        )

    @property
    def calls(self) -> list[list[str]]:
        """The stacks of each call."""
        if not self.log.exists():
            return []
        every = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [call[1 : call.index("--app")] for call in every]


@pytest.fixture
def stage(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield Stage(tmp_path, monkeypatch)
    boto3.client("cloudformation", REGION).delete_stack(StackName="PingvasDns")


@pytest.fixture
def cloudfront(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFront knows whatever the context file says."""

    def promote(account: Account, *, edge: str) -> list[str]:
        held = json.loads(stage.file.read_text())[signing.SETTING]
        assert edge == "PingvasEdge"
        return [f"promoted {len(held)}"]

    monkeypatch.setattr(signing, "promote", promote)


@pytest.mark.usefixtures("cloudfront")
def test_everything_goes_in_its_order(stage: Stage) -> None:
    secrets_exist()
    deployment = stage.deployment()
    deployment.look()
    deployment.run()
    first, second, *rest = stage.calls
    assert (first, second) == (["Dns"], ["Security"])
    assert rest == [["Data", "Ingress", "Edge", "Delivery"]]
    assert stage.waited == [f"{ZONE} after 1 calls"]
    assert stage.written.times == [True, False]
    assert stage.said[-1] == "promoted 2"


@pytest.mark.usefixtures("cloudfront")
def test_a_second_run_makes_no_new_keys_and_no_second_synthesis(stage: Stage) -> None:
    secrets_exist()
    for _ in range(2):
        deployment = stage.deployment()
        deployment.look()
        deployment.run()
    assert stage.written.times == [True, False, True]
    assert len(stage.calls) == 6


def test_what_needs_no_certificate_does_not_wait(stage: Stage) -> None:
    deployment = stage.deployment("PingvasData", "delivery")
    deployment.look()
    deployment.run()
    assert stage.calls == [["Data", "Delivery"]]
    assert stage.waited == []


def test_nothing_with_a_certificate_comes_before_the_delegation(stage: Stage) -> None:
    deployment = stage.deployment(patient=False)
    deployment.look()
    with pytest.raises(StudioError, match="not delegated"):
        deployment.run()
    assert stage.calls == [["Dns"]]


def test_a_delegation_that_is_known_is_not_looked_at(stage: Stage) -> None:
    deployment = stage.deployment("Ingress", assume_delegated=True)
    deployment.look()
    deployment.run()
    assert stage.waited == []
    assert stage.calls == [["Dns"], ["Ingress"]]


@pytest.mark.usefixtures("cloudfront")
def test_a_rotation_deploys_what_trusts_the_keys(stage: Stage) -> None:
    secrets_exist()
    deployment = stage.deployment(rotate=True)
    deployment.look()
    deployment.run()
    assert stage.calls[-1] == ["Edge"]
    assert "Data" not in {name for call in stage.calls for name in call}


def test_a_stack_that_fails_stops_everything_after_it(stage: Stage) -> None:
    Path(f"{stage.log}.fail").touch()
    deployment = stage.deployment()
    deployment.look()
    with pytest.raises(StudioError, match="ended with 1") as told:
        deployment.run()
    assert "the same command again" in told.value.advice
    assert stage.calls == [["Dns"]]


def test_an_unknown_stack_is_wrong_usage(stage: Stage) -> None:
    with pytest.raises(UsageError, match="No stack Nonsense"):
        stage.deployment("Nonsense").look()


def test_secrets_that_a_person_fills_are_listed_until_they_are(stage: Stage) -> None:
    client = boto3.client("secretsmanager", REGION)
    client.create_secret(Name="pingvas/dev/lemon-squeezy", SecretString='{"api_key": "change-me"}')
    client.create_secret(Name="pingvas/prod/lemon-squeezy", SecretString='{"api_key": "real-value"}')
    deployment = stage.deployment()
    deployment.look()
    (command,) = deployment.to_fill()
    assert "--secret-id pingvas/dev/lemon-squeezy" in command
    assert "real-value" not in command


def test_a_problem_stops_unless_it_is_accepted_but_never_the_wrong_account(stage: Stage) -> None:
    deployment = stage.deployment(accept=frozenset({"names", "credentials"}))
    found = [Finding(name, "problem", "") for name in ("names", "zones", "credentials")]
    assert [one.check for one in deployment.stops(found)] == ["zones", "credentials"]


def test_keys_on_the_command_line_are_refused(stage: Stage, tmp_path: Path) -> None:
    options = Options(context=(f"account={ACCOUNT}", *OFFICE, f"{signing.SETTING}={{}}"))
    with pytest.raises(UsageError):
        Deployment(options, print, make=stage.written, folder=tmp_path / "out", file=stage.file).look()


def test_a_deployment_that_nobody_can_approve_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toolchain, "ready", lambda: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(["deploy"]) == Exit.USAGE
    assert "Give --yes" in capsys.readouterr().err


def test_the_wrong_account_stops_before_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toolchain, "ready", lambda: None)
    assert run(["deploy", "--yes", "-c", "account=999999999999"]) == Exit.FAILED
    captured = capsys.readouterr()
    assert "What to do:\n  credentials: Sign in to the other account (--profile)" in captured.out
    assert "Nothing was changed." in captured.err


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(toolchain, "ready", lambda: None)
    assert run(["deploy", "--check", "-c", "nat_gateways=2"]) == Exit.USAGE
    assert "nat_gateways = 2: must be 1 (cost) or 3 (one a zone)" in capsys.readouterr().err
