"""argocd/ and bootstrap/: projects, applications and the one that brings up all others.

    bootstrap/   projects and the application `pingvas`; applied once by hand, then by ArgoCD itself
    argocd/      every other application: Helm charts, folders of platform/, and sets of one application an environment

`pingvas` applies argocd/ wave by wave and waits for the health of each.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from blueprint.charts import CHARTS, Chart, Wave
from blueprint.delivery import FOLLOWING, PLATFORM_BRANCH, REPOSITORY_URL
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.in_cluster import IN_CLUSTER_CHARTS
from blueprint.rules import demand
from blueprint.services import SERVICES
from k8s_charts import projects
from k8s_charts.components.argocd import (
    IGNORE_HEALTH,
    NAMESPACE,
    SYNC_OPTIONS,
    Application,
    ApplicationSet,
    Ignored,
    Source,
    Sync,
    specification,
)
from k8s_charts.folder import Folder, GitOps

ROOT = "pingvas"
BOOTSTRAP = "bootstrap"
APPLICATIONS = "argocd"
WAVES: Mapping[str, Wave] = MappingProxyType(
    {
        "cluster": Wave.GROUND,
        "network": Wave.CRDS,
        "karpenter": Wave.POOLS,
        "nvidia": Wave.POOLS,
        "storage": Wave.POOLS,
        "secret-stores": Wave.SECRETS,
        "grafana": Wave.SECRETS,
        "monitoring": Wave.CUSTOM,
        "database": Wave.CUSTOM,
    }
)
"""When each folder of platform/ comes. `storage` writes claims into namespaces that `cluster` makes."""
ENVIRONMENTS = "environments"
"""Guard rails, with the platform's rights, since quotas and policies bind an environment: from the reviewed branch
alone, and in place before anything that they bind."""
IN_CLUSTER = "in-cluster"
"""Folders of the alternatives to the managed edge and cache, which are there when a setting asks for them: what both
environments share, a namespace among it, and what stands in one of them, routes among it, which come after the chart
that routes."""
BINDINGS = Ignored(
    group="elbv2.k8s.aws",
    kind="TargetGroupBinding",
    pointers=("/spec/targetGroupARN", "/spec/vpcID", "/spec/ipAddressType"),
)
"""The load balancer controller fills them in when a binding is made, and refuses that they change."""
IGNORED: Mapping[str, tuple[Ignored, ...]] = MappingProxyType(
    {
        # the chart makes another certificate at every rendering
        "aws-load-balancer-controller": (
            Ignored(kind="Secret", name="aws-load-balancer-tls", pointers=("/data",)),
            *(
                Ignored(
                    group="admissionregistration.k8s.io",
                    kind=kind,
                    name="aws-load-balancer-webhook",
                    expressions=(".webhooks[]?.clientConfig.caBundle",),
                )
                for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
            ),
        ),
        # its operator and cert controller put their own authority in
        "keda": (
            Ignored(
                group="admissionregistration.k8s.io",
                kind="ValidatingWebhookConfiguration",
                expressions=(".webhooks[]?.clientConfig.caBundle",),
            ),
            Ignored(group="apiregistration.k8s.io", kind="APIService", pointers=("/spec/caBundle",)),
        ),
        "external-secrets-shared": (
            Ignored(
                group="admissionregistration.k8s.io",
                kind="ValidatingWebhookConfiguration",
                expressions=(".webhooks[]?.clientConfig.caBundle",),
            ),
            Ignored(kind="Secret", name="external-secrets-shared-webhook", pointers=("/data",)),
        ),
    }
)
"""By chart, what controllers write into objects that the chart makes."""
DEFINITIONS_APART = ("karpenter", "kube-prometheus-stack")
"""Charts whose own copy of the definitions is skipped, since a chart of its own brings them."""
DEFINITIONS = ("karpenter-crd", "prometheus-operator-crds", "external-secrets-crds")
"""Charts of nothing else, which prune nothing: with a definition every object of its kind would go."""
AUTOMATED_PATCH = """\
{{- if .automated }}
spec:
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
{{- end }}
"""
AUTOMATED = Sync(automated=True)
APART = {SYNC_OPTIONS: "Prune=false", IGNORE_HEALTH: "true"}
"""Of the application of all others: no deletion in Git takes it away, and the one that manages it, which it waits for,
does not wait for it in turn."""


def add(app: GitOps) -> None:
    """Adds the folders; called after all others, since it makes an application of each.

    Raises:
        RuleError: a folder of platform/ has no wave.
    """
    made = {folder.path: folder for folder in app.folders()}
    charts = [chart for chart in (*CHARTS.values(), *IN_CLUSTER_CHARTS) if f"addons/{chart.name}" in made]
    applications = Folder(app, APPLICATIONS)
    bootstrap = Folder(app, BOOTSTRAP)
    projects.add(bootstrap, charts)
    Application(
        bootstrap,
        ROOT,
        wave=Wave.PROJECTS,
        # Without end: it waits for everything, and nobody would start it again.
        spec=_spec(_git(APPLICATIONS, PLATFORM_BRANCH), namespace=NAMESPACE, sync=Sync(automated=True, retries=-1)),
        annotations=APART,
    )
    _folder(applications, BOOTSTRAP, path=BOOTSTRAP, wave=Wave.PROJECTS, namespace=NAMESPACE)
    for chart in charts:
        _chart(applications, chart)
    for path, folder in made.items():
        kind, _, name = path.partition("/")
        if kind == "platform":
            demand(name in WAVES, f"argocd.WAVES[{name!r}]", None, "a folder of platform/ needs the wave it comes in")
            _folder(applications, f"platform-{name}", path=path, wave=WAVES[name], namespace=folder.namespace_of_all)
        elif kind == ENVIRONMENTS:
            _folder(applications, f"{name}-environment", path=path, wave=Wave.CRDS, namespace=folder.namespace_of_all)
        elif kind == IN_CLUSTER:
            wave = Wave.CRDS if folder.namespace_of_all is None else Wave.RUNNERS
            _folder(applications, path.replace("/", "-"), path=path, wave=wave, namespace=folder.namespace_of_all)
    _sets(applications)


def _git(path: str, branch: str) -> Source:
    return Source(repository=REPOSITORY_URL, revision=branch, path=f"gitops/{path}")


def _spec(*sources: Source, namespace: str, sync: Sync = AUTOMATED, ignored: Sequence[Ignored] = ()) -> dict[str, Any]:
    return specification(project=projects.PLATFORM, sources=sources, namespace=namespace, sync=sync, ignored=ignored)


def _folder(applications: Folder, name: str, *, path: str, wave: Wave, namespace: str | None) -> None:
    """A folder whose objects name their namespaces themselves has ArgoCD's own as destination: an application without
    one is refused by every project that lists namespaces."""
    spec = _spec(_git(path, PLATFORM_BRANCH), namespace=namespace or NAMESPACE)
    Application(applications, name, wave=wave, spec=spec)


def _chart(applications: Folder, chart: Chart) -> None:
    """A chart at its pinned version, with the values that lie in Git beside this application."""
    helm: dict[str, Any] = {
        "releaseName": chart.release_name,
        "valueFiles": [f"$values/gitops/addons/{chart.name}/values.yaml"],
        **({"skipCrds": True} if chart.name in DEFINITIONS_APART else {}),
    }
    sources = (
        Source(repository=chart.source, revision=chart.version, chart=chart.chart, helm=helm),
        Source(repository=REPOSITORY_URL, revision=PLATFORM_BRANCH, ref="values"),
    )
    sync = Sync(automated=True, prune=chart.name not in DEFINITIONS)
    spec = _spec(*sources, namespace=chart.namespace, sync=sync, ignored=IGNORED.get(chart.name, ()))
    Application(applications, chart.name, wave=chart.wave, spec=spec)


def _sets(applications: Folder) -> None:
    environments = {"list": {"elements": [_element(one.name) for one in CLUSTER_ENVIRONMENTS]}}
    services = {"list": {"elements": [{"app": service.title} for service in SERVICES.values()]}}
    _set(applications, "pingvas-services", {"matrix": {"generators": [environments, services]}}, "{{ .app }}")
    _set(applications, "pingvas-workers", environments, "gpu-worker")
    _set(applications, "pingvas-migrations", environments, "migrations")


def _element(environment: str) -> dict[str, Any]:
    following = FOLLOWING[environment]
    return {"environment": environment, "branch": following.branch, "automated": following.automated}


def _set(applications: Folder, name: str, generator: Mapping[str, Any], app: str) -> None:
    """Applications of the environments' own rights. Whether one syncs by itself is the patch's: a template has only
    text."""
    source = _git(f"overlays/{{{{ .environment }}}}/{app}", "{{ .branch }}")
    ApplicationSet(
        applications,
        name,
        wave=Wave.APPLICATIONS,
        generators=[generator],
        template={
            "metadata": {
                "name": f"{{{{ .environment }}}}-{app}",
                "namespace": NAMESPACE,
                "labels": {"pingvas.com/environment": "{{ .environment }}"},
            },
            "spec": specification(
                project=projects.project("{{ .environment }}"),
                sources=[source],
                namespace="{{ .environment }}",
                sync=Sync(automated=False, retries=5),
                ignored=(BINDINGS,),
            ),
        },
        patch=AUTOMATED_PATCH,
    )
