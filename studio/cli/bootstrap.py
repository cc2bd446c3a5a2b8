"""`bootstrap`: ArgoCD on the empty cluster, which then brings up everything else."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from studio.cli.output import note, result
from studio.cloud.bootstrap import ACCEPTABLE
from studio.errors import StudioError, UsageError

TOKEN = "ARGOCD_GIT_TOKEN"  # noqa: S105 (a variable's name)


def register(app: typer.Typer) -> None:
    app.command()(bootstrap)


def bootstrap(
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Look at everything, change nothing.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Ask for a token that reads the Git repository.")] = False,
    chart: Annotated[
        Path | None,
        typer.Option(help="ArgoCD's chart as a file or folder, instead of from its repository.", show_default=False),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="How long to wait for the platform; 0: not at all.")] = 45,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Go on in spite of a problem of {', '.join(ACCEPTABLE)}; may be given again.", show_default=False
        ),
    ] = None,
) -> None:
    """Bring ArgoCD up on the cluster that `deploy` made, and hand everything else over to it, itself included.

    Looks first: deployment facts, gitops/ as synthesis gives it, the branches that ArgoCD follows, the account, the
    cluster's version and rights, nodes. Then namespaces, ArgoCD's pinned chart, its projects and the one application
    that applies all others. Signs in to EKS by itself, without the AWS command line and without your kubeconfig. Safe
    to repeat; a bootstrap that was cut off goes on.

    A private repository needs a token that reads it, in ARGOCD_GIT_TOKEN or, with --private, typed when asked; it
    goes into a Secret of the cluster and nowhere else.

    \b
    Examples:
      ./pingvas bootstrap --check
      ./pingvas bootstrap --profile pingvas --private
      ./pingvas bootstrap --chart argo-cd.tgz --minutes 0
    """
    from studio.cloud import toolchain

    toolchain.ready()
    from studio.cli.deploy import print_findings
    from studio.cloud.bootstrap.run import Bootstrap, Options
    from studio.cloud.manifests.synthesis import GITOPS

    if chart is not None and not chart.exists():
        raise UsageError(f"{chart} does not exist.", advice="`helm pull` makes such a file.")
    made = Bootstrap(
        GITOPS,
        Options(
            profile=profile,
            chart=chart.resolve() if chart else None,
            token="" if check else _token(private),
            minutes=minutes,
            accept=frozenset(accept or ()),
        ),
        note,
    )
    findings = made.look()
    print_findings(findings, "Before the bootstrap")
    if stopping := made.stops(findings):
        names = ", ".join(dict.fromkeys(one.check for one in stopping))
        raise StudioError(f"Stopped by {names}.", advice="Nothing was changed.")
    if check:
        return
    made.run()
    for line in NEXT:
        result(line)


NEXT = (
    "ArgoCD has taken over. What is left to people:",
    "  dev follows its branch by itself. prod waits for approval: the release workflow syncs it, or",
    "    kubectl -n argocd get applications",
    "    argocd app sync --core -l pingvas.com/environment=prod",
    "  The same on a screen, over the VPN, served from this machine with your own rights:",
    "    argocd admin dashboard -n argocd",
    "  Images come with the first delivery; until then pods wait for them.",
)


def _token(private: bool) -> str:
    given = os.environ.get(TOKEN, "")
    if given or not private:
        return given
    if not sys.stdin.isatty():
        raise UsageError("Nobody is here to type the token.", advice=f"Put it into {TOKEN}.")
    return getpass.getpass("Token that reads the Git repository: ")
