"""What every pod must have, whoever wrote it: rules that a schema cannot say.

Source: Kubernetes documentation, "Pod Security Standards" (restricted) and "Configure Good Security Practices".
"""

from collections.abc import Iterable, Iterator
from typing import Any

from studio.cloud.manifests.validation import Finding, name

WAIVED: dict[tuple[str, str], str] = {
    ("DaemonSet nvidia-device-plugin", "host-path"): "kubelet listens for device plugins on a socket of the node alone",
    (
        "DaemonSet nvidia-device-plugin",
        "non-root",
    ): "that socket's folder is root's; it keeps no capability of root",
    ("DaemonSet nvidia-device-plugin", "probes"): "it serves nothing: kubelet drops the GPUs of a plugin whose socket "
    "closes, and FAIL_ON_INIT_ERROR ends one that finds no GPU",
}
"""Findings that are as they must be, by (`Kind name`, rule), each with its reason."""


def judge(objects: Iterable[dict[str, Any]], waived: dict[tuple[str, str], str] | None = None) -> list[Finding]:
    """Judges every workload among the objects; waived findings are left out."""
    excused = WAIVED if waived is None else waived
    return [
        Finding(name(body), rule)
        for body in objects
        for rule in _rules(body)
        if (f"{body['kind']} {body['metadata']['name']}", rule.partition(":")[0]) not in excused
    ]


def template(body: dict[str, Any]) -> dict[str, Any] | None:
    """The pod template of a workload."""
    kind, spec = body["kind"], body.get("spec", {})
    if kind == "CronJob":
        kind, spec = "Job", spec["jobTemplate"]["spec"]
    return spec["template"] if kind in ("Deployment", "StatefulSet", "DaemonSet", "Job") else None


def _rules(body: dict[str, Any]) -> Iterator[str]:
    found = template(body)
    if found is None:
        return
    spec = found["spec"]
    if not found.get("metadata", {}).get("labels", {}).get("app.kubernetes.io/name"):
        yield "labels: the pod has no app.kubernetes.io/name"
    if spec.get("serviceAccountName", "default") == "default":
        yield "service-account: it is the namespace's default one"
    if spec.get("automountServiceAccountToken") is not False:
        yield "token: the pod does not say automountServiceAccountToken: false"
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"host: {field}"
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            yield f"host-path: {volume['name']}"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"empty-dir: {volume['name']} has no sizeLimit"
    security = spec.get("securityContext", {})
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "seccomp: the profile is not RuntimeDefault"
    probed = body["kind"] not in ("Job", "CronJob")
    for container in spec.get("initContainers", []):
        # One that ends may have none: the API server refuses it.
        yield from _container(container, security, probed=probed and container.get("restartPolicy") == "Always")
    for container in spec["containers"]:
        yield from _container(container, security, probed=probed)


def _container(container: dict[str, Any], pod: dict[str, Any], *, probed: bool) -> Iterator[str]:
    called = container["name"]
    own = container.get("securityContext", {})
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield f"non-root: {called}"
    if own.get("readOnlyRootFilesystem") is not True:
        yield f"read-only-root: {called}"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield f"privilege: {called}"
    if own.get("capabilities", {}).get("drop") != ["ALL"] or own.get("capabilities", {}).get("add"):
        yield f"capabilities: {called}"
    resources = container.get("resources", {})
    for kind, wanted in (("requests", ("cpu", "memory")), ("limits", ("memory",))):
        missing = [one for one in wanted if one not in resources.get(kind, {})]
        if missing:
            yield f"resources: {called} has no {kind} of {', '.join(missing)}"
    if probed:
        for probe in ("livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"probes: {called} has no {probe}"
    image = container["image"]
    if ":" in image.rpartition("/")[2] and image.rpartition(":")[2] in ("latest", ""):
        yield f"image: {called} runs {image}"
