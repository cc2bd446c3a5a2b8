"""What earlier deployments left: stacks that failed, and the keys that sign picture URLs."""

from collections.abc import Iterator

from blueprint.environments import CLUSTER_ENVIRONMENTS
from studio.cloud.deploy.checks import Finding, Situation
from studio.cloud.deploy.signing import SigningKey, placeholders

_STUCK = {
    "ROLLBACK_COMPLETE": "it was never made: delete it (aws cloudformation delete-stack --region {region} "
    "--stack-name {name})",
    "ROLLBACK_FAILED": "delete it, keeping what cannot go (aws cloudformation delete-stack --region {region} "
    "--stack-name {name} --deletion-mode FORCE_DELETE_STACK)",
    "CREATE_FAILED": "delete it (aws cloudformation delete-stack --region {region} --stack-name {name})",
    "DELETE_FAILED": "see its events in the console, remove what holds it, delete it again",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --region {region} --stack-name {name}",
    "UPDATE_FAILED": "aws cloudformation rollback-stack --region {region} --stack-name {name}",
    "REVIEW_IN_PROGRESS": "has a change set that was never executed; execute or delete it in the console",
}


def clean_stacks(situation: Situation) -> Iterator[Finding]:
    """No stack of ours stands in a state from which CloudFormation changes nothing."""
    bad = False
    for (region, name), stack in situation.account.stacks.items():
        status = stack["StackStatus"]
        advice = _STUCK.get(status)
        if advice is None and status.endswith("_IN_PROGRESS") and "CLEANUP" not in status:
            advice = "somebody deploys at this moment: wait until it has ended"
        if advice:
            bad = True
            yield Finding("stacks", "problem", f"{name} is {status}", advice.format(region=region, name=name))
    if not bad:
        count = len(situation.account.stacks)
        yield Finding("stacks", "ok", f"{count} there, none stuck" if count else "none there yet")


def signing_keys(situation: Situation) -> Iterator[Finding]:
    """The secret's private half belongs to a public half that CloudFront is given."""
    known = placeholders()
    for environment in (one.name for one in CLUSTER_ENVIRONMENTS):
        name = f"signing key {environment}"
        slots = {slot: pem for slot, pem in situation.settings.public_keys(environment).items() if pem not in known}
        key = SigningKey(situation.account, environment)
        current, pending = key.current(), key.pending()
        if current is None and pending is None and slots:
            yield Finding(
                name,
                "warning",
                f"slot {' and '.join(slots)} has a public half, and the secret {key.path} no private one",
                "A new pair is made for the free slot.",
            )
        elif current is None and pending is None:
            yield Finding(name, "ok", "none yet: a pair will be made")
        elif pending is not None:
            yield Finding(name, "ok", "a new pair waits for CloudFront: the deployment goes on with it")
        elif current is not None and current.public not in slots.values():
            yield Finding(name, "ok", "its public half is missing in cdk.context.json: it will be written there")
        else:
            yield Finding(name, "ok", "the pair is in use")
