"""The deployment facts of `gitops/facts.yaml`, read from an account: the parameters that the AWS layer publishes."""

import os

from botocore.exceptions import BotoCoreError, ClientError

from blueprint.contract import INTERFACE_ENDPOINTS_OUTPUT, OUTPUTS, PREFIX
from blueprint.regions import REGIONS
from blueprint.rules import RuleError
from k8s_charts.facts import NEEDED, Facts, checked
from studio.cloud.deploy.account import Account, said
from studio.errors import NotRunningError, StudioError, UsageError

ASKED = (*NEEDED, INTERFACE_ENDPOINTS_OUTPUT)
AT_ONCE = 10
"""Names that one GetParameters takes."""
PLACEHOLDER = "placeholder"


def read(facts: Facts, *, region: str | None = None, profile: str | None = None) -> Facts:
    """The same facts with what the AWS layer published in the account; the choice `edge_and_cache` stays.

    Args:
        facts: what stands in facts.yaml now. Once it was filled it is read from its region again.
        region: where to read instead; of facts never filled, AWS_REGION says it.
        profile: of the AWS configuration.

    Raises:
        UsageError: the region is none of the platform's, or the profile does not exist.
        StudioError: no credentials, or an output that is missing, a placeholder, malformed or of another account or
            region; the message is one line that names it.
        NotRunningError: AWS cannot be reached.
    """
    region = region or _region(facts)
    if region not in REGIONS:
        raise UsageError(f"{region} is none of the platform's regions: {', '.join(REGIONS)}.")
    account = Account(region, profile=profile)
    number = account.identity["Account"]
    outputs = _outputs(account)
    _present(outputs, number, region)
    try:
        found = checked(
            number,
            region,
            {name: outputs[name] for name in NEEDED},
            facts.edge_and_cache,
            interface_endpoints=outputs[INTERFACE_ENDPOINTS_OUTPUT] == "true",
        )
    except RuleError as error:
        raise StudioError(
            f"An output of the account cannot be: {error}", advice="Deploy the stack that publishes it again."
        ) from error
    _at_home(found)
    return found


def _region(facts: Facts) -> str:
    if "account" not in facts.placeholders:
        return facts.region
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or facts.region


def _outputs(account: Account) -> dict[str, str]:
    names = {OUTPUTS[name].parameter: name for name in ASKED}
    found: dict[str, str] = {}
    asked = list(names)
    try:
        for start in range(0, len(asked), AT_ONCE):
            answer = account.client("ssm").get_parameters(Names=asked[start : start + AT_ONCE])
            found |= {names[one["Name"]]: one["Value"] for one in answer["Parameters"]}
    except ClientError as error:
        raise StudioError(
            f"AWS refuses to show the parameters below {PREFIX}: {said(error)}",
            advice="The principal needs ssm:GetParameters on them; DevOps-AssumeRole has it.",
        ) from error
    except BotoCoreError as error:
        raise NotRunningError(f"AWS cannot be reached: {error}", advice="Check the network.") from error
    return found


def _present(outputs: dict[str, str], account: str, region: str) -> None:
    missing = [name for name in ASKED if name not in outputs]
    if not outputs:
        raise StudioError(
            f"Account {account} has no parameter below {PREFIX} in {region}.",
            advice="Another region or profile, or nothing is deployed there yet: ./pingvas deploy",
        )
    if missing:
        stacks = ", ".join(dict.fromkeys(OUTPUTS[name].stack for name in missing))
        raise StudioError(
            f"Account {account} lacks {len(missing)} of {len(ASKED)} outputs in {region}: {', '.join(missing)}.",
            advice=f"Deploy the stacks that publish them: ./pingvas deploy {stacks.replace(',', '')}",
        )
    for name, value in outputs.items():
        if PLACEHOLDER in value or not value.strip():
            raise StudioError(
                f"{OUTPUTS[name].parameter} in {region} holds a placeholder: {value!r}.",
                advice=f"Deploy the stack that publishes it again: ./pingvas deploy {OUTPUTS[name].stack}",
            )


def _at_home(facts: Facts) -> None:
    """ARNs name their region and account; another one there means that a parameter was copied."""
    for name, value in facts.outputs.items():
        parts = value.split(":")
        if parts[0] == "arn" and (parts[3], parts[4]) != (facts.region, facts.account):
            raise StudioError(
                f"{OUTPUTS[name].parameter} is of {parts[3]}, account {parts[4]}, not of {facts.region}, "
                f"account {facts.account}.",
                advice="Read the account's own region, or deploy the stack again.",
            )
