"""The RSA pairs that sign picture URLs: CloudFormation cannot make them, so the deployment does.

A private half exists in memory and in Secrets Manager (`pingvas/<env>/cdn-signing-key`), nowhere else. A new one waits
there under a staging label of ours until CloudFront knows its public half; then it becomes the current one. So a
deployment that is cut off anywhere goes on at the next run, and nobody ever signs with a key that opens nothing. Each
environment has two slots for public halves: a rotation takes the one that is not in use, and the old key's links live
until the rotation after it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from blueprint.environments import CLUSTER_ENVIRONMENTS
from stacks.placeholders import CDN_PUBLIC_KEYS
from stacks.settings import Settings
from studio.cloud.deploy.account import Account, code
from studio.errors import StudioError

BITS = 2048
"""CloudFront takes RSA 2048 alone (Developer Guide, "Create key pairs for your signers")."""
NEXT = "PINGVAS_NEXT"
"""The staging label of a key that CloudFront does not know yet."""
SETTING = "cdn_public_keys"
SLOTS = ("a", "b")
_ABSENT = ("ResourceNotFoundException", "InvalidRequestException")


def placeholders() -> frozenset[str]:
    """The public halves that hold the place until the first deployment; nobody has their private ones."""
    return frozenset(pem for _, pem in CDN_PUBLIC_KEYS)


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """One key pair, PEM; it does not print."""

    private: str
    public: str
    public_key_id: str = ""
    """CloudFront's id of the public half; empty until it has one."""
    version: str = ""

    def __repr__(self) -> str:
        return f"Pair(version={self.version!r}, public_key_id={self.public_key_id!r})"


def generate() -> Pair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Pair(private, _public(private))


def _public(private: str) -> str:
    key = load_pem_private_key(private.encode(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class SigningKey:
    """One environment's key in Secrets Manager."""

    def __init__(self, account: Account, environment: str) -> None:
        self.environment = environment
        self.path = f"pingvas/{environment}/cdn-signing-key"
        self._account = account
        self._client = account.client("secretsmanager")

    def current(self) -> Pair | None:
        """The key that gallery-service signs with; None where there is no secret or no key in it yet."""
        return self._read("AWSCURRENT")

    def pending(self) -> Pair | None:
        """The key that waits for CloudFront."""
        return self._read(NEXT)

    def keep(self, pair: Pair) -> None:
        """Lets a new key wait.

        Raises:
            StudioError: the secret does not exist, so the Security stack does not.
        """
        try:
            self._client.put_secret_value(
                SecretId=self.path, SecretString=_secret(pair.private, ""), VersionStages=[NEXT]
            )
        except ClientError as error:
            if code(error) not in _ABSENT:
                raise
            raise StudioError(
                f"The secret {self.path} does not exist.", advice="Deploy the stack Security first."
            ) from error

    def promote(self, pair: Pair, public_key_id: str) -> None:
        """Makes a key the current one, with CloudFront's id of it."""
        self._client.put_secret_value(SecretId=self.path, SecretString=_secret(pair.private, public_key_id))
        if pair.version:
            self._client.update_secret_version_stage(
                SecretId=self.path, VersionStage=NEXT, RemoveFromVersionId=pair.version
            )

    def _read(self, stage: str) -> Pair | None:
        try:
            found = self._client.get_secret_value(SecretId=self.path, VersionStage=stage)
        except ClientError as error:
            if code(error) in _ABSENT:
                return None
            raise
        try:
            held = json.loads(found["SecretString"])
            private = str(held["private_key"])
            public = _public(private)
        except (ValueError, KeyError, TypeError):
            return None
        return Pair(private, public, _known(held.get("public_key_id")), found["VersionId"] if stage == NEXT else "")


def _known(value: Any) -> str:
    """An id of CloudFront's, or nothing where a placeholder stands."""
    return str(value) if str(value).startswith("K") else ""


def _secret(private: str, public_key_id: str) -> str:
    return json.dumps({"private_key": private, "public_key_id": public_key_id})


def prepare(account: Account, settings: Settings, file: Path, *, rotate: bool) -> list[str]:
    """Makes the pairs that are missing (with `rotate`, a new one each) and writes public halves into `file`.

    Returns:
        What was done, a sentence each; where it is not empty the assembly is old.
    """
    slots = dict(settings.cdn_public_keys)
    told = []
    for environment in (one.name for one in CLUSTER_ENVIRONMENTS):
        key = SigningKey(account, environment)
        current, pending = key.current(), key.pending()
        if pending is None and (current is None or rotate):
            pending = generate()
            key.keep(pending)
            told.append(f"{environment}: a new signing key waits in {key.path}")
        for pair in (current, pending):
            if pair is not None and pair.public not in _of(slots, environment).values():
                slot = _free(slots, environment, current)
                slots[f"{environment}-{slot}"] = pair.public
                told.append(f"{environment}: its public half is in slot {slot}")
    if slots != dict(settings.cdn_public_keys):
        _write(file, slots)
    return told


def promote(account: Account, *, edge: str = "PingvasEdge") -> list[str]:
    """Makes waiting keys the current ones once CloudFront has their public halves.

    Raises:
        StudioError: CloudFront does not have one of them.
    """
    told = []
    ids = _cloudfront(account, edge)
    for environment in (one.name for one in CLUSTER_ENVIRONMENTS):
        key = SigningKey(account, environment)
        pair = key.pending() or key.current()
        if pair is None or pair.public_key_id:
            continue
        found = ids.get(pair.public.strip())
        if found is None:
            raise StudioError(
                f"CloudFront does not know the public half of {key.path}.",
                advice="Run `./pingvas deploy Edge` again: it goes on where this stopped.",
            )
        key.promote(pair, found)
        told.append(f"{environment}: URLs are signed by key {found} from now on")
    return told


def _cloudfront(account: Account, edge: str) -> dict[str, str]:
    """Public halves that our distributions trust, and their ids."""
    kind = "AWS::CloudFront::PublicKey"
    ids = [
        one["PhysicalResourceId"]
        for one in account.pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=edge)
        if one["ResourceType"] == kind
    ]
    client = account.client("cloudfront")
    keys = {one: client.get_public_key(Id=one)["PublicKey"]["PublicKeyConfig"]["EncodedKey"] for one in ids}
    return {pem.strip(): one for one, pem in keys.items()}


def _of(slots: Mapping[str, str], environment: str) -> dict[str, str]:
    return {slot.rpartition("-")[2]: pem for slot, pem in slots.items() if slot.startswith(f"{environment}-")}


def _free(slots: Mapping[str, str], environment: str, current: Pair | None) -> str:
    """The slot to write: one that is empty or holds a placeholder, else the one that is not signed with."""
    own = _of(slots, environment)
    for slot in SLOTS:
        if own.get(slot, "") in placeholders() | {""}:
            return slot
    return next(slot for slot in SLOTS if current is None or own[slot] != current.public)


def _write(file: Path, slots: Mapping[str, str]) -> None:
    """Puts the setting into cdk.context.json, whole or not at all."""
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    held[SETTING] = dict(sorted(slots.items()))
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    fresh.replace(file)
