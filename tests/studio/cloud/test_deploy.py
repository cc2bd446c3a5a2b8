"""The preflight's checks against an emulated account: each one's good answer and its bad one."""

import pytest
from botocore.stub import Stubber

from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import region, who
from studio.cloud.rehearse.process import ACCOUNT
from studio.errors import StudioError, UsageError
from tests.support.deployment import REGION, Made, client, one

pytestmark = pytest.mark.usefixtures("aws")


def test_credentials_of_the_account_that_is_meant(made: Made) -> None:
    found = one(who.credentials(made().account, ACCOUNT))
    assert (found.state, ACCOUNT in found.found) == ("ok", True)


def test_credentials_of_another_account_stop(made: Made) -> None:
    found = one(who.credentials(made().account, "999999999999"))
    assert found.state == "problem"
    assert "the setting account is 999999999999" in found.found


def test_no_account_in_the_settings_stops_and_says_which_to_give(made: Made) -> None:
    found = one(who.credentials(made().account, None))
    assert (found.state, found.advice.startswith(f"-c account={ACCOUNT}")) == ("problem", True)


def test_the_root_user_does_not_deploy(made: Made) -> None:
    account = made().account
    account.__dict__["identity"] = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    assert "root user" in one(who.credentials(account, ACCOUNT)).found


def test_no_credentials_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(StudioError, match="No AWS credentials"):
        _ = Account(REGION).identity
    with pytest.raises(UsageError, match="nobody"):
        Account(REGION, profile="nobody")


def test_a_misspelt_setting_is_named(made: Made) -> None:
    assert one(who.context(made())).state == "ok"
    found = one(who.context(made(nat_gatewys=3)))
    assert (found.state, found.found) == ("problem", "unknown: nat_gatewys")


@pytest.mark.parametrize("name", ["vpn_allowed_cidrs", "kubernetes_public_cidrs"])
def test_addresses_of_nobody_are_refused(made: Made, name: str) -> None:
    assert {found.state for found in who.allow_lists(made())} == {"ok"}
    bad = [found for found in who.allow_lists(made(**{name: "203.0.113.7/32"})) if found.state == "problem"]
    assert [found.check for found in bad] == [name]


def test_developers_exist_and_have_a_second_factor(made: Made) -> None:
    situation = made(developers="anna,bert")
    assert "no IAM user anna, bert" in one(who.developers(situation)).found
    iam = client("iam")
    for name in ("anna", "bert"):
        iam.create_user(UserName=name)
    found = one(who.developers(situation))
    assert (found.state, "no MFA device: anna, bert" in found.found) == ("warning", True)
    for name in ("anna", "bert"):
        serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
        iam.enable_mfa_device(
            UserName=name, SerialNumber=serial, AuthenticationCode1="1" * 6, AuthenticationCode2="2" * 6
        )
    assert one(who.developers(situation)).state == "ok"


def test_the_region_is_switched_on(made: Made) -> None:
    assert one(region.opted_in(made())).state == "ok"
    situation = made()
    with Stubber(situation.account.client("ec2")) as stub:
        off = {"RegionName": REGION, "OptInStatus": "not-opted-in"}
        stub.add_response("describe_regions", {"Regions": [off]})
        found = one(region.opted_in(situation))
    assert (found.state, "enable-region --region-name us-east-1" in found.advice) == ("problem", True)


@pytest.mark.parametrize(("version", "state"), [("30", "ok"), ("5", "problem")])
def test_bootstrap_is_new_enough(made: Made, version: str, state: str) -> None:
    client("ssm").put_parameter(Name=region.VERSION, Value=version, Type="String")
    assert one(region.bootstrapped(made())).state == state


def test_bootstrap_is_missing_with_the_command(made: Made) -> None:
    found = one(region.bootstrapped(made()))
    assert found.state == "problem"
    assert f"npx cdk bootstrap aws://{ACCOUNT}/{REGION}" in found.advice
