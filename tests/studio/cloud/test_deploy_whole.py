"""A deployment of the whole app into an emulated account, by the real command line, twice."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from stacks.settings import Settings
from studio.cloud import toolchain
from studio.cloud.deploy import signing
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.run import Deployment, Options
from studio.cloud.rehearse.ledger import read
from studio.cloud.rehearse.process import ACCOUNT, Emulator
from studio.cloud.synthesis import synthesize

REGION = "us-east-1"
EMULATOR_LACKS = {"kubernetes", "prefix list"}
"""What it cannot answer, beside quotas of EC2."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(tmp_path).running() as running:
        for name, value in running.environment.items():
            if name == "AWS_PROFILE":
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        yield running


def developers() -> None:
    """An account as an operator prepares it: its developers have a second factor, CDK is bootstrapped."""
    iam = boto3.client("iam", REGION)
    for name in Settings().developers:
        iam.create_user(UserName=name)
        serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
        codes = {"AuthenticationCode1": "111111", "AuthenticationCode2": "222222"}
        iam.enable_mfa_device(UserName=name, SerialNumber=serial, **codes)


def quick(folder: Path, **more: Any) -> None:
    """Synthesis without the rules, which have tests of their own."""
    synthesize(folder, context=more["context"], checks=False)


def test_an_empty_account_gets_everything_once(emulator: Emulator, tmp_path: Path) -> None:
    developers()
    command = toolchain.command("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    subprocess.run(command, cwd=tmp_path, env=toolchain.environment(), check=True, capture_output=True)
    file = tmp_path / "cdk.context.json"
    said: list[str] = []

    def deployment(**options: Any) -> Deployment:
        # Synthesis reads the project's own context file; the keys of this account come by the command line.
        keys = json.loads(file.read_text())[signing.SETTING] if file.exists() else None
        context = [f"account={ACCOUNT}"]
        context += [f"{name}=192.80.1.0/24" for name in ("vpn_allowed_cidrs", "kubernetes_public_cidrs")]

        def make(folder: Path, **more: Any) -> None:
            held = json.loads(file.read_text())[signing.SETTING] if file.exists() else keys
            given = [*context, f"{signing.SETTING}={json.dumps(held)}"] if held else context
            quick(folder, context=given)

        chosen = Options(context=context, yes=True, assume_delegated=True, **options)
        return Deployment(chosen, said.append, make=make, folder=tmp_path / "out", file=file)

    first = deployment()
    findings = first.look()
    unanswered = {one.check for one in findings if one.state == "problem"}
    assert {name for name in unanswered if not name.startswith("quota")} <= EMULATOR_LACKS
    to_fill = first.run()
    assert any("--secret-id pingvas/prod/lemon-squeezy" in command for command in to_fill)
    keys = {one: signing.SigningKey(Account(REGION), one).current() for one in ("dev", "prod")}
    assert all(key is not None and key.public_key_id.startswith("K") for key in keys.values())
    text = "\n".join([*said, *to_fill, file.read_text(), emulator.ledger.read_text()])
    assert "PRIVATE KEY" not in text

    events = len(list(read(emulator.ledger)))
    second = deployment()
    again = second.look()
    # What our own stacks hold is in nobody's way.
    mine = {"names", "stacks", "GuardDuty", "GitHub OIDC", "Spot role"}
    assert {one.check: one.state for one in again if one.check in mine} == dict.fromkeys(mine, "ok")
    second.run()
    assert [line for line in read(emulator.ledger, events) if line.event != "imported"] == []
