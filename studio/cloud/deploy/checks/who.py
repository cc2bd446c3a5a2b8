"""Who deploys, with which settings, and for whom."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from botocore.exceptions import ClientError

from stacks.settings import unknown
from studio.cloud.deploy.account import Account, code
from studio.cloud.deploy.checks import Finding, Situation

DOCUMENTATION = tuple(IPv4Network(one) for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
"""RFC 5737: addresses of nobody."""


def credentials(account: Account, expected: str | None) -> Iterator[Finding]:
    """The account is the one that the settings name, and nobody deploys as root."""
    number, arn = account.identity["Account"], account.identity["Arn"]
    if expected is None:
        yield Finding(
            "credentials",
            "problem",
            f"they are of account {number}, and no setting says which account is meant",
            f"-c account={number}, or `account` in cdk.context.json",
        )
    elif expected != number:
        yield Finding(
            "credentials",
            "problem",
            f"they are of account {number}; the setting account is {expected}",
            "Sign in to the other account (--profile), or correct the setting.",
        )
    elif arn.endswith(":root"):
        yield Finding(
            "credentials",
            "problem",
            f"account {number}, as its root user",
            "Sign in as a role of IAM Identity Center; the root user's keys should not exist.",
        )
    else:
        yield Finding("credentials", "ok", f"account {number}, as {arn.rpartition(':')[2]}")


def context(situation: Situation) -> Iterator[Finding]:
    """No key of the context is misspelt."""
    names = unknown(situation.context)
    if names:
        yield Finding(
            "context",
            "problem",
            f"unknown: {', '.join(names)}",
            "Correct the spelling, or remove them from cdk.context.json; stacks/settings.py lists every setting.",
        )
    else:
        yield Finding("context", "ok", f"{len(situation.context)} settings given")


def allow_lists(situation: Situation) -> Iterator[Finding]:
    """Somebody real may reach the VPN and the cluster."""
    for name in ("vpn_allowed_cidrs", "kubernetes_public_cidrs"):
        ranges = [IPv4Network(one) for one in getattr(situation.settings, name)]
        nobody = [str(one) for one in ranges if any(one.subnet_of(other) for other in DOCUMENTATION)]
        if nobody:
            yield Finding(
                name,
                "problem",
                f"{', '.join(nobody)} is a range for documentation (RFC 5737): nobody could come in",
                f"-c {name}=YOUR.OFFICE.ADDRESS/32, or in cdk.context.json",
            )
        else:
            yield Finding(name, "ok", ", ".join(str(one) for one in ranges))


def developers(situation: Situation) -> Iterator[Finding]:
    """Those who may assume DevOps-AssumeRole exist, since IAM refuses a trust in nobody, and have a second factor."""
    client = situation.account.client("iam")
    missing, bare = [], []
    for name in situation.settings.developers:
        try:
            client.get_user(UserName=name)
        except ClientError as error:
            if code(error) != "NoSuchEntity":
                raise
            missing.append(name)
            continue
        if not client.list_mfa_devices(UserName=name)["MFADevices"]:
            bare.append(name)
    if missing:
        yield Finding(
            "developers",
            "problem",
            f"no IAM user {', '.join(missing)}: IAM would refuse DevOps-AssumeRole",
            "Make them (aws iam create-user --user-name NAME), or -c developers=NAME,NAME",
        )
    if bare:
        yield Finding(
            "developers",
            "warning",
            f"no MFA device: {', '.join(bare)}; they could not assume DevOps-AssumeRole",
            "Let them register one in the console: IAM, Users, Security credentials.",
        )
    if not missing and not bare:
        yield Finding("developers", "ok", ", ".join(situation.settings.developers))
