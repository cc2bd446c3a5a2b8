"""ArgoCD's kinds: AppProject, Application, ApplicationSet.

Source: Argo CD documentation, "Declarative Setup", "Application Specification", "ApplicationSet Specification".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from constructs import Construct

from k8s_charts.folder import CustomResource

API = "argoproj.io/v1alpha1"
NAMESPACE = "argocd"
SERVER = "https://kubernetes.default.svc"
"""The cluster that ArgoCD runs in."""
WAVE = "argocd.argoproj.io/sync-wave"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
IGNORE_HEALTH = "argocd.argoproj.io/ignore-healthcheck"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind in an API group; the core group is ''. `*` stands for any."""

    group: str
    kind: str

    def body(self) -> dict[str, str]:
        return {"group": self.group, "kind": self.kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder of a Git repository (`path`), a Helm chart (`chart`), or a Git repository that values are read from
    (`ref`, in others' `valueFiles` as `$ref/...`).
    """

    repository: str
    revision: str
    path: str = ""
    chart: str = ""
    ref: str = ""
    helm: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        made: dict[str, Any] = {"repoURL": self.repository, "targetRevision": self.revision}
        parts = {"path": self.path, "chart": self.chart, "ref": self.ref, "helm": dict(self.helm)}
        return made | {name: part for name, part in parts.items() if part}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Fields that somebody else writes over; with RespectIgnoreDifferences a sync writes the value that it found.

    Not for the replicas of what an autoscaler scales: Git leaves them out, so that the autoscaler alone writes them;
    were they ignored, each sync would write them too, as they were some seconds ago.
    """

    group: str = ""
    kind: str
    name: str = ""
    pointers: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        parts = {
            "group": self.group,
            "kind": self.kind,
            "name": self.name,
            "jsonPointers": list(self.pointers),
            "jqPathExpressions": list(self.expressions),
        }
        return {name: part for name, part in parts.items() if part}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """How an application moves. Seconds; a failed sync is tried `retries` times more (below zero: without end), twice
    as late each time, and with the newest commit.

    Objects are applied server-side: fields of others stay theirs, and large definitions fit. Namespaces are never made
    in passing: one without its Pod Security labels and policies would be open.
    """

    automated: bool
    prune: bool = True
    retries: int = 10
    first_seconds: int = 15
    longest_seconds: int = 300
    options: tuple[str, ...] = (
        "ServerSideApply=true",
        "CreateNamespace=false",
        "RespectIgnoreDifferences=true",
        "PruneLast=true",
    )

    def body(self) -> dict[str, Any]:
        return {
            **({"automated": {"prune": self.prune, "selfHeal": True}} if self.automated else {}),
            "syncOptions": list(self.options),
            "retry": {
                "limit": self.retries,
                "refresh": True,
                "backoff": {
                    "duration": f"{self.first_seconds}s",
                    "factor": 2,
                    "maxDuration": f"{self.longest_seconds}s",
                },
            },
        }


HISTORY = 10
"""How many syncs back `argocd app rollback` reaches."""


def specification(
    *,
    project: str,
    sources: Sequence[Source],
    namespace: str,
    sync: Sync,
    ignored: Sequence[Ignored] = (),
) -> dict[str, Any]:
    """What an Application has, and the template of an ApplicationSet."""
    where = {"source": sources[0].body()} if len(sources) == 1 else {"sources": [one.body() for one in sources]}
    return {
        "project": project,
        **where,
        "destination": {"server": SERVER, "namespace": namespace},
        "syncPolicy": sync.body(),
        "revisionHistoryLimit": HISTORY,
        **({"ignoreDifferences": [one.body() for one in ignored]} if ignored else {}),
    }


class Application(CustomResource):
    """One application. It carries no finalizer: who removes it removes what ArgoCD knows, and nothing that runs."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        wave: int,
        spec: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            scope,
            name,
            api_version=API,
            kind="Application",
            namespace=NAMESPACE,
            labels=labels,
            annotations={WAVE: str(wave), **(annotations or {})},
            spec=dict(spec),
        )


class ApplicationSet(CustomResource):
    """Applications of one template, in Go's template language, where a missing key is an error.

    `patch` is merged into each (Argo CD documentation, "Template Patch"); an application is never deleted because a
    generator no longer names it.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        wave: int,
        generators: Sequence[Mapping[str, Any]],
        template: Mapping[str, Any],
        patch: str = "",
    ) -> None:
        super().__init__(
            scope,
            name,
            api_version=API,
            kind="ApplicationSet",
            namespace=NAMESPACE,
            annotations={WAVE: str(wave)},
            spec={
                "goTemplate": True,
                "goTemplateOptions": ["missingkey=error"],
                "generators": [dict(one) for one in generators],
                "syncPolicy": {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True},
                "template": dict(template),
                **({"templatePatch": patch} if patch else {}),
            },
        )


class AppProject(CustomResource):
    """What applications of a project may take from where, and put where. Empty lists admit nothing; but one of
    `namespaced_kinds` ArgoCD reads as any kind, which matters as soon as there is a namespace.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        wave: int,
        description: str,
        repositories: Sequence[str],
        namespaces: Sequence[str],
        cluster_kinds: Sequence[Kind],
        namespaced_kinds: Sequence[Kind],
        windows: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(
            scope,
            name,
            api_version=API,
            kind="AppProject",
            namespace=NAMESPACE,
            annotations={WAVE: str(wave), "kubernetes.io/description": description},
            spec={
                "sourceRepos": list(repositories),
                "destinations": [{"server": SERVER, "namespace": one} for one in namespaces],
                "clusterResourceWhitelist": [one.body() for one in cluster_kinds],
                "namespaceResourceWhitelist": [one.body() for one in namespaced_kinds],
                **({"syncWindows": [dict(one) for one in windows]} if windows else {}),
            },
        )
