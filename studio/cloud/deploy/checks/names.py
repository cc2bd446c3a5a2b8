"""What may be there already: the account's singletons, and names that somebody else has taken."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from studio.cloud.deploy.account import Account, code
from studio.cloud.deploy.checks import Finding, Situation

GITHUB = "token.actions.githubusercontent.com"
SPOT = "AWSServiceRoleForEC2Spot"
_ABSENT = ("404", "NoSuchBucket", "NoSuchEntity", "RepositoryNotFoundException", "ResourceNotFoundException")


def guardduty(situation: Situation) -> Iterator[Finding]:
    """A region holds one detector."""
    found = set(situation.account.client("guardduty").list_detectors()["DetectorIds"])
    ours = found & situation.account.physical_ids("AWS::GuardDuty::Detector")
    yield _singleton(
        "GuardDuty", "make_guardduty_detector", situation.settings.make_guardduty_detector, bool(found), bool(ours)
    )


def github(situation: Situation) -> Iterator[Finding]:
    """An account holds one OIDC provider of a name."""
    providers = situation.account.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    found = {one["Arn"] for one in providers if one["Arn"].endswith(f"/{GITHUB}")}
    ours = found & situation.account.physical_ids("AWS::IAM::OIDCProvider")
    wanted = situation.settings.make_github_oidc_provider
    yield _singleton("GitHub OIDC", "make_github_oidc_provider", wanted, bool(found), bool(ours))


def spot_role(situation: Situation) -> Iterator[Finding]:
    """EC2 makes its Spot role at the first request of anybody in the account; CloudFormation cannot make it again."""
    try:
        situation.account.client("iam").get_role(RoleName=SPOT)
        found = True
    except ClientError as error:
        if code(error) != "NoSuchEntity":
            raise
        found = False
    # Its physical id is its name in some answers and its ARN in others.
    held = situation.account.physical_ids("AWS::IAM::ServiceLinkedRole")
    ours = any(one.endswith(SPOT) for one in held)
    wanted = situation.settings.make_spot_service_linked_role
    yield _singleton("Spot role", "make_spot_service_linked_role", wanted, found, ours)


def _singleton(name: str, setting: str, wanted: bool, found: bool, ours: bool) -> Finding:
    if wanted and found and not ours:
        return Finding(name, "problem", "the account has one already, of somebody else", f"-c {setting}=false")
    if not wanted and ours:
        return Finding(
            name,
            "problem",
            f"our stack made the one there is, and {setting}=false would delete it",
            f"-c {setting}=true",
        )
    if not wanted and not found:
        return Finding(
            name, "problem", f"{setting} is false, and the account has none", f"-c {setting}=true, so that we make it"
        )
    return Finding(name, "ok", "ours" if ours else "the account's own is used" if found else "will be made")


def fixed_names(situation: Situation) -> Iterator[Finding]:
    """Names that the templates fix are free, or of our own stacks."""
    account = situation.account
    taken: list[str] = []
    looked = 0
    for kind, (field, exists) in _NAMED.items():
        held = account.physical_ids(kind)
        for properties in situation.assembly.properties(kind):
            name = _literal(properties.get(field), situation)
            if name is None or name in held or any(_names(one, name) for one in held):
                continue
            looked += 1
            if answer := exists(account, name):
                taken.append(f"{kind.removeprefix('AWS::')} {name}{answer}")
    if taken:
        yield Finding(
            "names",
            "problem",
            f"{len(taken)} are taken: {'; '.join(taken)}",
            "What an earlier deployment kept: bring it back under its stack with `npx cdk import STACK`, or delete it.",
        )
    else:
        yield Finding("names", "ok", f"{looked} fixed names are free")


def _names(physical: str, name: str) -> bool:
    """Whether an ARN is of the thing of this name; Secrets Manager adds a hyphen and six characters."""
    last = physical.rpartition(":")[2]
    return physical.startswith("arn:") and (last == name or last[:-7] == name)


def _literal(value: Any, situation: Situation) -> str | None:
    """A name as CloudFormation will see it, where it depends on nothing but the account and the region."""
    pseudo = {
        "AWS::AccountId": situation.account.identity["Account"],
        "AWS::Region": situation.settings.region,
        "AWS::Partition": "aws",
    }
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and value.get("Ref") in pseudo:
        return pseudo[str(value["Ref"])]
    if isinstance(value, Mapping) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        told = [_literal(part, situation) for part in parts]
        return None if None in told else str(separator).join(str(part) for part in told)
    return None


def _bucket(account: Account, name: str) -> str:
    try:
        account.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if code(error) in _ABSENT:
            return ""
        if code(error) in ("403", "AccessDenied", "301"):
            return " (of another account or region)"
        raise
    return " (in this account)"


def _exists(service: str, call: str, argument: str, *, many: bool = False) -> Callable[[Account, str], str]:
    def exists(account: Account, name: str) -> str:
        try:
            getattr(account.client(service), call)(**{argument: [name] if many else name})
        except ClientError as error:
            if code(error) in _ABSENT:
                return ""
            raise
        return " (in this account)"

    return exists


_NAMED: Mapping[str, tuple[str, Callable[[Account, str], str]]] = {
    "AWS::S3::Bucket": ("BucketName", _bucket),
    "AWS::ECR::Repository": (
        "RepositoryName",
        _exists("ecr", "describe_repositories", "repositoryNames", many=True),
    ),
    "AWS::IAM::Role": ("RoleName", _exists("iam", "get_role", "RoleName")),
    "AWS::SecretsManager::Secret": ("Name", _exists("secretsmanager", "describe_secret", "SecretId")),
}
