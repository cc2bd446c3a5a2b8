"""What there is in the cluster: pods with their labels and ports, namespaces, policies; from rendered manifests.

Pods of Helm charts and of EKS's add-ons are in no manifest of ours: they come from `blueprint.components`, with the
labels by which policies select them.
"""

import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blueprint.components import COMPONENTS
from blueprint.in_cluster import NGINX_NAME
from blueprint.reach import DNS_PODS, NODE_NETWORK
from studio.cloud import toolchain
from studio.errors import UsageError

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_LABELS: Mapping[str, Mapping[str, str]] = {"coredns": DNS_PODS}
"""Of components whose pods are not labelled with their own name."""


@dataclass(frozen=True, slots=True)
class Pod:
    """All pods of one workload. `named` gives the number of a named port by its name and protocol."""

    namespace: str
    app: str
    labels: Mapping[str, str]
    named: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.namespace}/{self.app}"


@dataclass(frozen=True, slots=True)
class Estate:
    """Pods with a network of their own, labels by namespace, and NetworkPolicies as they were rendered.

    `on_nodes` are pods of their node's network, which no policy knows: they are addresses of the private subnets.
    """

    pods: tuple[Pod, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    policies: tuple[Mapping[str, Any], ...]
    on_nodes: tuple[str, ...] = ()

    def pod(self, name: str) -> Pod:
        return next(one for one in self.pods if one.name == name)


def estate(objects: Iterable[Mapping[str, Any]]) -> Estate:
    """The estate of rendered objects and of the platform's components."""
    bodies = list(objects)
    pods: dict[str, Pod] = {}
    on_nodes: list[str] = []
    for body in bodies:
        template = _template(body)
        if template is None:
            continue
        pod = _pod(body, template)
        if template["spec"].get("hostNetwork"):
            on_nodes.append(pod.name)
        else:
            pods[pod.name] = pod
    for component in COMPONENTS.values():
        pod = Pod(
            component.namespace, component.name, _LABELS.get(component.name, {"app.kubernetes.io/name": component.name})
        )
        if component.name in NODE_NETWORK:
            on_nodes.append(pod.name)
        elif pod.name not in pods:
            pods[pod.name] = pod
    if any(one["metadata"].get("namespace") == NGINX_NAME for one in bodies):
        labels = {"app.kubernetes.io/name": NGINX_NAME, "app.kubernetes.io/component": "controller"}
        pods[f"{NGINX_NAME}/{NGINX_NAME}"] = Pod(NGINX_NAME, NGINX_NAME, labels)
    namespaces = {one.namespace: {NAMESPACE_LABEL: one.namespace} for one in pods.values()}
    for body in bodies:
        if body["kind"] == "Namespace":
            name = body["metadata"]["name"]
            namespaces[name] = {**(body["metadata"].get("labels") or {}), NAMESPACE_LABEL: name}
    policies = tuple(one for one in bodies if one["kind"] == "NetworkPolicy")
    for one in policies:
        namespaces.setdefault(one["metadata"]["namespace"], {NAMESPACE_LABEL: one["metadata"]["namespace"]})
    return Estate(
        tuple(sorted(pods.values(), key=lambda one: one.name)), namespaces, policies, tuple(sorted(set(on_nodes)))
    )


def _template(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if body["kind"] not in WORKLOADS:
        return None
    if body["kind"] == "Pod":
        return body
    spec = body["spec"]["jobTemplate"]["spec"] if body["kind"] == "CronJob" else body["spec"]
    template: Mapping[str, Any] = spec["template"]
    return template


def _pod(body: Mapping[str, Any], template: Mapping[str, Any]) -> Pod:
    named = {
        (port["name"], port.get("protocol", "TCP").lower()): int(port["containerPort"])
        for container in template["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("name")
    }
    labels = (template.get("metadata") or {}).get("labels") or {}
    return Pod(body["metadata"].get("namespace", "default"), body["metadata"]["name"], dict(labels), named)


def rendered(root: Path) -> list[dict[str, Any]]:
    """Every object that ArgoCD would apply from a folder like gitops/, or every object of a folder of plain YAML.

    Raises:
        UsageError: the folder holds no manifests, or Kustomize refuses one of its parts.
    """
    folders = sorted(path.parent for path in root.rglob("kustomization.yaml"))
    applied = [path for path in folders if "base" not in path.relative_to(root).parts[:1]]
    if applied:
        with ThreadPoolExecutor(4) as threads:
            texts: Sequence[str] = list(threads.map(_kustomize, applied))
    else:
        texts = [path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.yaml"))]
    found = [one for text in texts for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]
    objects = [one for one in found if isinstance(one, dict) and "kind" in one and "metadata" in one]
    if not objects:
        raise UsageError(f"There are no manifests in {root}.")
    return objects


def workloads(objects: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there are pods among the objects."""
    return any(_template(one) is not None for one in objects)


def synthesized() -> list[dict[str, Any]]:
    """Every object of a fresh synthesis of this checkout."""
    from k8s_charts import tree
    from k8s_charts.facts import load
    from k8s_charts.main import GITOPS, build, files

    with tempfile.TemporaryDirectory() as folder:
        tree.write(Path(folder), files(build(load(GITOPS))))
        return rendered(Path(folder))


def _kustomize(folder: Path) -> str:
    done = subprocess.run([toolchain.kubectl(), "kustomize", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageError(f"Kustomize refuses {folder}: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
