"""A deployment's order, its delegation gate, its signing keys; the CDK command line is one that records its calls."""

import io
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import dns.flags
import dns.message
import dns.rrset
import pytest

from blueprint.environments import PROD
from stacks.settings import read
from studio.cli import run
from studio.cloud import toolchain
from studio.cloud.deploy import delegation, signing
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import Finding
from studio.cloud.deploy.run import Deployment, Options, given
from studio.cloud.rehearse.process import ACCOUNT
from studio.errors import Exit, StudioError, UsageError
from studio.processes import LOOPBACK

REGION = "us-east-1"
ZONE = PROD.host
SERVERS = frozenset({"ns-1.awsdns-01.org", "ns-2.awsdns-02.net"})
SECRET = "pingvas/{}/cdn-signing-key"
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


class NameServer:
    """A resolver on a UDP port of this machine that knows one zone."""

    def __init__(self) -> None:
        self.servers: frozenset[str] | None = SERVERS
        """None: the name does not exist."""
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            self.asked += 1
            question = dns.message.from_wire(data)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if self.servers is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            else:
                names = [f"{one.upper()}." for one in self.servers]
                answer.answer.append(dns.rrset.from_text_list(question.question[0].name, 60, "IN", "NS", names))
            self._socket.sendto(answer.to_wire(), peer)

    def close(self) -> None:
        self._socket.sendto(b"", (LOOPBACK, self.port))
        self._thread.join(2)
        self._socket.close()


@pytest.fixture
def resolver() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


def question(server: NameServer) -> Callable[[str], list[delegation.Answer]]:
    return lambda zone: delegation.ask(zone, [LOOPBACK], port=server.port)


# Delegation


def test_a_delegated_zone_goes_on_at_once(resolver: NameServer) -> None:
    said: list[str] = []
    delegation.wait(ZONE, SERVERS, say=said.append, patient=False, question=question(resolver))
    assert said == [f"{ZONE} is delegated to its name servers."]
    assert resolver.asked == 1


@pytest.mark.parametrize("seen", [None, frozenset({"ns1.registrar.example"})])
def test_without_patience_it_says_what_to_enter_where(resolver: NameServer, seen: frozenset[str] | None) -> None:
    resolver.servers = seen
    with pytest.raises(StudioError) as told:
        delegation.wait(ZONE, SERVERS, say=print, patient=False, question=question(resolver))
    assert "Where pingvas.com is kept" in told.value.message
    assert all(server in told.value.message for server in SERVERS)
    assert ("ns1.registrar.example" if seen else "no such record") in told.value.message


def test_with_patience_it_waits_until_the_world_knows(resolver: NameServer) -> None:
    resolver.servers = None
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            resolver.servers = SERVERS

    said: list[str] = []
    delegation.wait(ZONE, SERVERS, say=said.append, patient=True, question=question(resolver), pause=pause)
    assert pauses == [delegation.ASK_EVERY_SECONDS] * 3
    assert said[-1] == f"{ZONE} is delegated to its name servers."


def test_one_resolver_with_an_old_answer_is_waited_for() -> None:
    answers = [delegation.Answer("1.1.1.1", SERVERS), delegation.Answer("8.8.8.8", frozenset())]
    assert not delegation.delegated(answers, SERVERS)
    assert delegation.delegated([answers[0], delegation.Answer("8.8.8.8", None)], SERVERS)


def test_nobody_to_ask_is_said() -> None:
    with pytest.raises(StudioError, match="No public resolver could be asked"):
        delegation.delegated([delegation.Answer("1.1.1.1", None)], SERVERS)


# Signing keys


def secrets_exist() -> None:
    client = boto3.client("secretsmanager", REGION)
    for environment in ("dev", "prod"):
        value = json.dumps({"private_key": "change-me", "public_key_id": "change-me"})
        client.create_secret(Name=SECRET.format(environment), SecretString=value)


class Cloudfront:
    """Answers for the public keys of the stack Edge, which the emulator keeps as records."""

    def __init__(self, account: Account, pems: dict[str, str]) -> None:
        self._pems = pems
        account._clients["cloudfront", REGION] = self
        resources = [{"ResourceType": "AWS::CloudFront::PublicKey", "PhysicalResourceId": one} for one in pems]
        plain = account.pages
        account.pages = lambda service, call, key, **more: (  # type: ignore[method-assign]
            iter(resources) if more.get("StackName") == "PingvasEdge" else plain(service, call, key, **more)
        )

    def get_public_key(self, *, Id: str) -> dict[str, Any]:  # noqa: N803
        return {"PublicKey": {"PublicKeyConfig": {"EncodedKey": self._pems[Id]}}}


def settings_in(file: Path) -> Any:
    return read(given((), file))


def test_a_pair_is_made_waits_and_becomes_the_current_one(tmp_path: Path) -> None:
    secrets_exist()
    file = tmp_path / "cdk.context.json"
    file.write_text('{"region": "us-east-1"}')
    account = Account(REGION)
    signing.prepare(account, settings_in(file), file, rotate=False)
    written = json.loads(file.read_text())
    assert written["region"] == "us-east-1"
    assert sorted(written[signing.SETTING]) == ["dev-a", "prod-a"]
    assert not set(written[signing.SETTING].values()) & signing.placeholders()
    assert "PRIVATE" not in file.read_text()
    key = signing.SigningKey(account, "dev")
    pending = key.pending()
    assert key.current() is None
    assert pending is not None
    assert pending.public == written[signing.SETTING]["dev-a"]

    # A second run, as after an interruption, makes nothing new.
    assert signing.prepare(account, settings_in(file), file, rotate=False) == []

    Cloudfront(account, {"KDEV": written[signing.SETTING]["dev-a"], "KPROD": written[signing.SETTING]["prod-a"]})
    assert signing.promote(account) == [
        "dev: URLs are signed by key KDEV from now on",
        "prod: URLs are signed by key KPROD from now on",
    ]
    current = key.current()
    assert current is not None
    assert (current.public, current.public_key_id, key.pending()) == (pending.public, "KDEV", None)
    assert signing.promote(account) == []


def test_an_interrupted_run_finds_its_public_half_again(tmp_path: Path) -> None:
    secrets_exist()
    file = tmp_path / "cdk.context.json"
    account = Account(REGION)
    signing.prepare(account, settings_in(file), file, rotate=False)
    before = json.loads(file.read_text())
    file.unlink()
    assert signing.prepare(account, settings_in(file), file, rotate=False)
    assert json.loads(file.read_text()) == before


def test_a_rotation_takes_the_other_slot_and_keeps_the_old_key(tmp_path: Path) -> None:
    secrets_exist()
    file = tmp_path / "cdk.context.json"
    account = Account(REGION)
    seen: list[dict[str, str]] = []
    for turn in range(3):
        signing.prepare(account, settings_in(file), file, rotate=turn > 0)
        slots = json.loads(file.read_text())[signing.SETTING]
        Cloudfront(account, {f"K{turn}{slot}": pem for slot, pem in slots.items()})
        signing.promote(account)
        seen.append({slot: pem for slot, pem in slots.items() if slot.startswith("dev")})
    assert [sorted(one) for one in seen] == [["dev-a"], ["dev-a", "dev-b"], ["dev-a", "dev-b"]]
    assert seen[1]["dev-a"] == seen[0]["dev-a"]
    assert seen[2]["dev-b"] == seen[1]["dev-b"]
    assert seen[2]["dev-a"] != seen[1]["dev-a"]
    current = signing.SigningKey(account, "dev").current()
    assert current is not None
    assert (current.public, current.public_key_id) == (seen[2]["dev-a"], "K2dev-a")


def test_a_key_that_cloudfront_does_not_know_is_not_used(tmp_path: Path) -> None:
    secrets_exist()
    file = tmp_path / "cdk.context.json"
    account = Account(REGION)
    signing.prepare(account, settings_in(file), file, rotate=False)
    Cloudfront(account, {})
    with pytest.raises(StudioError, match="CloudFront does not know"):
        signing.promote(account)
    assert signing.SigningKey(account, "dev").current() is None


def test_a_pair_does_not_print() -> None:
    pair = signing.generate()
    assert "PRIVATE" not in f"{pair!r} {pair}"


# The order


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


# The command


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
