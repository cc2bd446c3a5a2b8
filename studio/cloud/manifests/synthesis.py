"""`gitops/` written anew by the cdk8s app, judged before anything on disk changes."""

from dataclasses import dataclass
from pathlib import Path

from blueprint.rules import RuleError
from studio.errors import StudioError
from studio.home import PROJECT

GITOPS = PROJECT / "gitops"
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Written:
    """What a synthesis did: paths below the folder."""

    files: int
    objects: int
    """As Kustomize builds them; 0 where nothing was judged."""
    written: tuple[str, ...]
    removed: tuple[str, ...]


def synthesize(
    gitops: Path = GITOPS, *, checks: bool = True, from_account: bool = False, write: bool = True
) -> Written:
    """Makes a folder what the blueprint and its facts say; with `checks`, schemas and hardening rules are asked first.

    Args:
        gitops: the folder; its facts and the image tags of its overlays are kept.
        checks: whether every object is judged.
        from_account: whether the facts are read from the AWS account first.
        write: False only tells what would differ.

    Raises:
        StudioError: a number or a fact cannot be, or an object breaks a rule; the folder is as it was.
    """
    from k8s_charts import tree
    from k8s_charts.facts import load
    from k8s_charts.main import build, files
    from studio.cloud.manifests.hardening import judge
    from studio.cloud.manifests.kustomization import build_all
    from studio.cloud.manifests.validation import validate

    advice = f"{gitops} was left as it was."
    try:
        facts = load(gitops)
        if from_account:
            from studio.cloud.account_facts import read

            facts = read(facts)
        app = build(facts, tree.tags(gitops))
    except RuleError as error:
        raise StudioError(str(error), advice=advice) from error
    made = files(app)
    objects = build_all(made) if checks else []
    if checks and (found := [*validate(objects), *judge(objects)]):
        told = "\n".join(f"  {one}" for one in found[:SHOWN])
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise StudioError(f"manifests break rules:\n{told}{more}", advice=advice)
    written, removed = tree.write(gitops, made) if write else tree.differences(gitops, made)
    return Written(len(made), len(objects), tuple(written), tuple(removed))
