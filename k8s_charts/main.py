"""The cdk8s app: blueprint and facts in, `gitops/` out. `cdk8s synth` and `./pingvas synth` run it.

python -m k8s_charts.main [FOLDER]     FOLDER: gitops/ of this checkout by default
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from blueprint import capacity
from blueprint.loads import PLAN
from blueprint.rules import RuleError, demand
from k8s_charts import (
    addons,
    argocd,
    cluster,
    database,
    environments,
    in_cluster,
    karpenter,
    migrations,
    monitoring,
    network_policies,
    nvidia,
    secret_stores,
    services,
    storage,
    tree,
    worker,
)
from k8s_charts.facts import FILE, Facts, load
from k8s_charts.folder import GitOps
from k8s_charts.text import document

GITOPS = Path(__file__).parents[1] / "gitops"


def wire(app: GitOps) -> None:
    """Every folder, in the order in which ArgoCD brings them up."""
    capacity.check(replace(PLAN, in_cluster=app.facts.in_cluster))
    cluster.add(app)
    network_policies.add(app)
    environments.add(app)
    storage.add(app)
    karpenter.add(app)
    nvidia.add(app)
    secret_stores.add(app)
    database.add(app)
    services.add(app)
    migrations.add(app)
    worker.add(app)
    monitoring.add(app)
    addons.add(app)
    in_cluster.add(app)
    argocd.add(app)


def build(facts: Facts, tags: dict[tuple[str, str], str] | None = None) -> GitOps:
    """The app with every folder in it.

    Raises:
        RuleError: a number of the blueprint or a fact that nothing can be built from; one line names it.
    """
    app = GitOps(facts, tags)
    wire(app)
    return app


def files(app: GitOps) -> dict[str, str]:
    """Everything that `gitops/` holds, by path."""
    return {**app.files(), FILE: app.facts.text()}


def synthesize(gitops: Path = GITOPS, flat_copies: Path | None = None) -> tuple[list[str], list[str]]:
    """Writes a folder anew; returns the paths that were written and removed. Nothing is touched on a RuleError."""
    app = build(load(gitops), tree.tags(gitops))
    if flat_copies is not None:
        flat(app, flat_copies)
    return tree.write(gitops, files(app))


def flat(app: GitOps, output: Path) -> None:
    """The folders' objects, a file a folder: for `cdk8s synth`, and for tools that read one directory."""
    output.mkdir(parents=True, exist_ok=True)
    for folder in app.folders():
        if objects := folder.objects():
            name = f"{folder.path.replace('/', '-')}.k8s.yaml"
            (output / name).write_text("---\n".join(document(one) for one in objects), encoding="utf-8")


def _ours(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and ((folder / FILE).is_file() or not any(folder.iterdir())))


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else GITOPS
    copies = os.environ.get("CDK8S_OUTDIR")
    try:
        demand(_ours(folder), "FOLDER", folder, f"must be new, empty or hold {FILE}: what synthesis did not make goes")
        written, removed = synthesize(folder, Path(copies) if copies else None)
    except (RuleError, OSError) as error:
        sys.stderr.write(f"pingvas: {error}\n")
        return 1
    sys.stdout.write(f"{len(written)} files written, {len(removed)} removed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
