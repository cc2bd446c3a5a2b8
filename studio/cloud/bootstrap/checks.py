"""What must be right before the cluster is touched: facts, gitops/, Git, account, cluster, API server, nodes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from blueprint.cluster import NAME, SYSTEM, VERSION
from blueprint.delivery import FOLLOWING, PLATFORM_BRANCH
from blueprint.rules import RuleError
from k8s_charts import tree
from k8s_charts.facts import Facts
from k8s_charts.folder import UNRELEASED
from k8s_charts.main import build, files
from studio.cloud.bootstrap.cluster import Cluster, Described
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import Finding

SHOWN = 3


def of_files(gitops: Path, facts: Facts) -> Iterator[Finding]:
    """Facts and manifests, without an account."""
    placeholders = facts.placeholders
    if placeholders:
        yield Finding(
            "facts",
            "problem",
            f"{len(placeholders)} are placeholders: {', '.join(placeholders[:SHOWN])} ...",
            "./pingvas synth --only kubernetes --from-account, then commit gitops/",
        )
    else:
        yield Finding("facts", "ok", f"account {facts.account}, {facts.region}")
    try:
        app = build(facts, tree.tags(gitops))
    except RuleError as error:
        yield Finding("manifests", "problem", str(error), "Correct that number.")
        return
    written, removed = tree.differences(gitops, files(app))
    if written or removed:
        names = ", ".join([*written, *removed][:SHOWN])
        found = f"{len(written) + len(removed)} files are not what synthesis gives: {names}"
        yield Finding("manifests", "problem", found, "./pingvas synth --only kubernetes, then commit gitops/")
    else:
        yield Finding("manifests", "ok", f"{len(files(app))} files, as synthesis gives them")
    unreleased = sorted({path for (path, _), tag in app.tags.items() if tag == UNRELEASED})
    if unreleased:
        yield Finding(
            "images",
            "warning",
            f"{len(unreleased)} applications have no released image: {', '.join(unreleased[:SHOWN])} ...",
            "Their pods wait until a delivery (cd-dev, cd-prod) has set a tag.",
        )
    else:
        yield Finding("images", "ok", "every application names a released image")


def of_git(gitops: Path) -> Iterator[Finding]:
    """ArgoCD reads the repository's branches, not this folder; both are compared as Git last saw them."""
    if _git(gitops, "rev-parse", "--is-inside-work-tree") is None:
        yield Finding("git", "warning", f"{gitops} is in no Git repository", "ArgoCD reads branches, not folders.")
        return
    if changed := (_git(gitops, "status", "--porcelain", "--", ".") or "").splitlines():
        yield Finding("git", "warning", f"{len(changed)} files of gitops/ are not committed", "Commit and push them.")
    ours = _git(gitops, "rev-parse", "HEAD:./")
    for branch in dict.fromkeys((PLATFORM_BRANCH, *(one.branch for one in FOLLOWING.values()))):
        theirs = _git(gitops, "rev-parse", "--verify", "--quiet", f"origin/{branch}:./")
        name = f"branch {branch}"
        if theirs is None:
            yield Finding(name, "warning", f"origin/{branch} has no gitops/", f"Push it: ArgoCD follows {branch}.")
        elif theirs != ours:
            yield Finding(name, "warning", f"origin/{branch} has another gitops/ than this checkout", "Push, or fetch.")
        else:
            yield Finding(name, "ok", f"origin/{branch} has this gitops/")


def of_account(account: Account, facts: Facts) -> Iterator[Finding]:
    """Whose credentials these are."""
    number, arn = account.identity["Account"], account.identity["Arn"]
    if number != facts.account:
        yield Finding("account", "problem", f"{arn}, but facts.yaml is of {facts.account}", "Name another --profile.")
    else:
        yield Finding("account", "ok", arn)


def of_cluster(described: Described, facts: Facts) -> Iterator[Finding]:
    """What EKS says of it."""
    if described.status != "ACTIVE":
        yield Finding("cluster", "problem", f"{NAME} is {described.status}", "Wait until it is ACTIVE.")
    elif described.endpoint != facts["cluster/endpoint"]:
        yield Finding(
            "cluster",
            "problem",
            f"{NAME} answers at {described.endpoint}, facts.yaml says {facts['cluster/endpoint']}",
            "./pingvas synth --only kubernetes --from-account, then commit gitops/",
        )
    else:
        yield Finding("cluster", "ok", f"{NAME} at {described.endpoint}")
    yield _version("Kubernetes", described.version)


def of_api(cluster: Cluster) -> Iterator[Finding]:
    """What the API server itself says: whether we reach it, who we are to it, whether pods find a node."""
    server = json.loads(cluster.kubectl("get", "--raw", "/version"))
    yield _version("API server", f"{server['major']}.{server['minor'].rstrip('+')}")
    if cluster.may_everything():
        yield Finding("rights", "ok", "administrator of the cluster")
    else:
        yield Finding("rights", "problem", "no administrator of the cluster", "Assume DevOps-AssumeRole (MFA, VPN).")
    key, value = SYSTEM.label
    nodes = cluster.get("nodes", "-l", f"{key}={value}").get("items", [])
    ready = sum(_ready(one) for one in nodes)
    if ready == 0:
        found = f"none of {len(nodes)} system nodes is ready: ArgoCD would have nowhere to run"
        yield Finding("nodes", "problem", found, "Look at the node group in EKS.")
    elif ready < SYSTEM.minimum:
        yield Finding("nodes", "warning", f"{ready} system nodes are ready, fewer than {SYSTEM.minimum}")
    else:
        yield Finding("nodes", "ok", f"{ready} system nodes are ready")


def _version(name: str, found: str) -> Finding:
    if found == VERSION:
        return Finding(name, "ok", found)
    return Finding(
        name, "problem", f"{found}, the blueprint says {VERSION}", "Deploy Cluster, or change the blueprint."
    )


def _ready(node: dict[str, object]) -> bool:
    status = node.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
