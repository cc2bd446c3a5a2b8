"""The signing keys of CloudFront: made, promoted, rotated, and told to nobody."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.settings import read
from studio.cloud.deploy import signing
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.run import given
from studio.errors import StudioError
from tests.support.deployment import REGION, secrets_exist

pytestmark = pytest.mark.usefixtures("aws")


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
