"""The hand-over to ArgoCD, in its order.

    checks -> namespaces -> repository's credential -> ArgoCD's chart -> projects and `pingvas` -> waiting

Each step does what is missing and may be repeated. ArgoCD's own field manager applies what ArgoCD manages afterwards,
so that a field which leaves Git leaves the cluster too. Once ArgoCD manages itself its chart is left alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blueprint.charts import CHARTS
from blueprint.cluster import NAME
from blueprint.delivery import REPOSITORY_URL
from blueprint.rules import RuleError
from k8s_charts.facts import Facts, load
from studio.cloud.bootstrap import ACCEPTABLE, checks
from studio.cloud.bootstrap.cluster import Cluster, Described, Say, describe, kubeconfig
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import Finding
from studio.errors import StudioError, UsageError

ARGOCD = CHARTS["argo-cd"]
ROOT = "pingvas"
MANAGER = "argocd-controller"
"""The field manager of ArgoCD's server-side apply (argo-cd, common.ArgoCDSSAManager)."""
KINDS = ("applications", "applicationsets", "appprojects")
CREDENTIAL = "repository"
WORKLOAD_MINUTES = 10
ASK_EVERY_SECONDS = 5.0
PATIENCE = 6
"""How often in a row ArgoCD must complain of the root: while its parts start, or change, it does so in passing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    profile: str | None = None
    chart: Path | None = None
    """ArgoCD's chart from a file or folder, where its repository cannot be reached."""
    token: str = field(default="", repr=False)
    """Reads the Git repository; empty: it is public, or its credential is there already."""
    minutes: float = 45.0
    """How long to wait for the platform; 0: not at all."""
    accept: frozenset[str] = frozenset()


@dataclass(slots=True)
class Bootstrap:
    """One bootstrap. `look_up` describes the cluster, `pause` waits between two questions."""

    gitops: Path
    options: Options
    say: Say
    look_up: Callable[[Account, str], Described] = describe
    pause: Callable[[float], None] = time.sleep
    facts: Facts = field(init=False, repr=False)
    described: Described | None = field(init=False, default=None)

    def look(self) -> list[Finding]:
        """Every check; those of the cluster only where the account is the right one. Nothing is changed.

        Raises:
            UsageError: facts.yaml cannot be read, the profile does not exist, or nobody can accept that check.
            StudioError, NotRunningError: no credentials, no cluster, no way to its API server.
        """
        if refused := sorted(self.options.accept - {*ACCEPTABLE}):
            raise UsageError(
                f"No problem of {', '.join(refused)} can be accepted.",
                advice=f"--accept takes one of these: {', '.join(ACCEPTABLE)}.",
            )
        try:
            self.facts = load(self.gitops)
        except RuleError as error:
            raise UsageError(str(error), advice="./pingvas synth --only kubernetes --from-account") from error
        findings = [*checks.of_files(self.gitops, self.facts), *checks.of_git(self.gitops)]
        if any(one.check == "facts" and one.state == "problem" for one in findings):
            return findings
        account = Account(self.facts.region, profile=self.options.profile)
        findings += checks.of_account(account, self.facts)
        if self.stops(findings, "account"):
            return findings
        self.described = self.look_up(account, NAME)
        findings += checks.of_cluster(self.described, self.facts)
        if self.stops(findings, "cluster"):
            return findings
        with Cluster.opened(self._config()) as cluster:
            findings += checks.of_api(cluster)
        return findings

    def stops(self, findings: Sequence[Finding], *names: str) -> list[Finding]:
        """Problems that were not accepted, of these checks or of all."""
        problems = [one for one in findings if one.state == "problem" and one.check not in self.options.accept]
        return [one for one in problems if not names or one.check in names]

    def run(self) -> None:
        """Brings ArgoCD up and hands over; `look` came first and found nothing that stops.

        Raises:
            StudioError: a step failed, or the platform is not healthy in time; the same command goes on.
        """
        with Cluster.opened(self._config()) as cluster:
            self.say("1/5 Namespaces, priorities, admission")
            cluster.apply(self.gitops / "platform" / "cluster", manager=MANAGER)
            self.say("2/5 The repository's credential")
            self._credential(cluster)
            self.say(f"3/5 ArgoCD {ARGOCD.app_version}, chart {ARGOCD.version}")
            self._argocd(cluster)
            self.say(f"4/5 Projects and the application {ROOT}")
            cluster.apply(self.gitops / "bootstrap", manager=MANAGER)
            if self.options.minutes:
                self.say("5/5 ArgoCD brings the rest up, wave by wave; Ctrl-C is safe, it goes on without us")
                self._wait(cluster)

    def _config(self) -> dict[str, Any]:
        if self.described is None:
            raise UsageError("The cluster has not been looked at.")
        return kubeconfig(self.described, self.facts.region, profile=self.options.profile)

    def _credential(self, cluster: Cluster) -> None:
        if not self.options.token:
            there = cluster.get("secret", CREDENTIAL, "-n", ARGOCD.namespace)
            self.say("    there already" if there else "    none: the repository is read without one")
            return
        cluster.apply_given(credential(self.options.token), manager="pingvas-bootstrap")
        self.say(f"    Secret {ARGOCD.namespace}/{CREDENTIAL} for {REPOSITORY_URL}")

    def _argocd(self, cluster: Cluster) -> None:
        if cluster.get("applications.argoproj.io", ARGOCD.name, "-n", ARGOCD.namespace):
            self.say("    manages itself already: left alone")
        else:
            values = self.gitops / "addons" / ARGOCD.name / "values.yaml"
            chart = [str(self.options.chart)] if self.options.chart else [ARGOCD.chart, "--repo", ARGOCD.repository]
            version = [] if self.options.chart else ["--version", ARGOCD.version]
            flags = ("--namespace", ARGOCD.namespace, "--values", str(values), "--force-conflicts", "--timeout", "10m")
            self._forget_interrupted(cluster)
            cluster.helm("upgrade", "--install", ARGOCD.release_name, *chart, *version, *flags)
        kinds = [f"customresourcedefinition/{kind}.argoproj.io" for kind in KINDS]
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *kinds)
        namespace = ("-n", ARGOCD.namespace)
        workloads = cluster.kubectl("get", "deployments,statefulsets", *namespace, "-o", "name").split()
        for one in workloads:
            limit = f"--timeout={WORKLOAD_MINUTES}m"
            try:
                cluster.kubectl("rollout", "status", one, limit, *namespace, timeout=WORKLOAD_MINUTES * 60 + 30)
            except StudioError as error:
                raise StudioError(
                    f"{one} of ArgoCD does not become ready.\n{error.message}",
                    advice=f"kubectl -n {ARGOCD.namespace} describe {one}; kubectl -n {ARGOCD.namespace} get events",
                ) from error
        self.say(f"    {len(workloads)} workloads are ready")

    def _forget_interrupted(self, cluster: Cluster) -> None:
        """Helm refuses a release that an interrupted Helm left pending; what that one made is adopted by the next."""
        releases = cluster.get("secrets", "-n", ARGOCD.namespace, "-l", f"owner=helm,name={ARGOCD.release_name}")
        for one in releases.get("items", []):
            if one["metadata"]["labels"]["status"].startswith("pending-"):
                cluster.kubectl("delete", "secret", one["metadata"]["name"], "-n", ARGOCD.namespace)

    def _wait(self, cluster: Cluster) -> None:
        until = time.monotonic() + self.options.minutes * 60
        told = ""
        complaints = 0
        while True:
            found = cluster.get("applications.argoproj.io", "-n", ARGOCD.namespace).get("items", [])
            states = {one["metadata"]["name"]: one.get("status", {}) for one in found}
            root = states.get(ROOT, {})
            complaint = _complaint(root)
            complaints = complaints + 1 if complaint else 0
            if complaints == PATIENCE:
                raise StudioError(f"ArgoCD cannot apply {ROOT}: {complaint}", advice=_remedy(complaint))
            if _state(root) == ("Synced", "Healthy"):
                self.say(f"    {ROOT} is Synced and Healthy")
                return
            now = _progress(states)
            if now != told:
                self.say(f"    {now}")
                told = now
            if time.monotonic() > until:
                raise StudioError(
                    f"After {self.options.minutes:g} minutes {ROOT} is not Synced and Healthy: {now}.",
                    advice="It goes on by itself; the same command looks again. See docs/kubernetes/bootstrap.md.",
                )
            self.pause(ASK_EVERY_SECONDS)


def credential(token: str) -> dict[str, Any]:
    """The Secret by which ArgoCD reads the repository (Argo CD documentation, "Declarative Setup")."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": CREDENTIAL,
            "namespace": ARGOCD.namespace,
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"type": "git", "url": REPOSITORY_URL, "username": "x-access-token", "password": token},
    }


def _state(status: dict[str, Any]) -> tuple[str, str]:
    return status.get("sync", {}).get("status", "Unknown"), status.get("health", {}).get("status", "Unknown")


def _complaint(status: dict[str, Any]) -> str:
    """What is wrong with the application itself; children that are not healthy yet are no complaint."""
    wrong = [one["message"] for one in status.get("conditions", []) if one["type"].endswith("Error")]
    return " ".join(" ".join(wrong).split())[:600]


def _remedy(complaint: str) -> str:
    lowered = complaint.lower()
    if any(word in lowered for word in ("authentication", "not found", "permission", "access denied")):
        return "A token that reads the repository: give it as ARGOCD_GIT_TOKEN, or with --private when asked."
    if "app path does not exist" in lowered or "revision" in lowered:
        return "Push the branch that has gitops/, then the same command again."
    return "docs/kubernetes/bootstrap.md; then the same command again."


def _progress(states: dict[str, dict[str, Any]]) -> str:
    others = {name: _state(status) for name, status in states.items() if name != ROOT}
    done = sum(state == ("Synced", "Healthy") for state in others.values())
    left = sorted(name for name, state in others.items() if state != ("Synced", "Healthy"))
    waiting = f"; not yet: {', '.join(left[:4])}{' ...' if len(left) > 4 else ''}" if left else ""
    return f"{done} of {len(others)} applications are Synced and Healthy{waiting}"
