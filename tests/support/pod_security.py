"""What a Pod Security level refuses (Kubernetes documentation, "Pod Security Standards"), control by control."""

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
"""What `baseline` lets a container add; `restricted` lets it add NET_BIND_SERVICE alone."""


def refusals(level: str, spec: Mapping[str, Any]) -> list[str]:
    """The controls of a level that a pod's specification breaks."""
    if level == "privileged":
        return []
    found = list(_baseline(spec))
    return found if level == "baseline" else [*found, *_restricted(spec)]


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for one in spec.get(kind, []):
            yield one["name"], {**one.get("securityContext", {}), "ports": one.get("ports", [])}


def _baseline(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field))
    yield from (f"hostPath {one['name']}" for one in spec.get("volumes", []) if "hostPath" in one)
    for name, own in _containers(spec):
        if own.get("privileged"):
            yield f"{name} is privileged"
        if set(own.get("capabilities", {}).get("add", [])) - CAPABILITIES:
            yield f"{name} adds capabilities"
        if any(port.get("hostPort") for port in own["ports"]):
            yield f"{name} takes a port of the node"
        if own.get("procMount", "Default") != "Default":
            yield f"{name} unmasks /proc"
        if own.get("seccompProfile", {}).get("type") == "Unconfined":
            yield f"{name} has no seccomp"


def _restricted(spec: Mapping[str, Any]) -> Iterator[str]:
    pod = spec.get("securityContext", {})
    for volume in spec.get("volumes", []):
        if set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']}"
    for name, own in _containers(spec):
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may escalate"
        if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
            yield f"{name} may be root"
        if own.get("runAsUser", pod.get("runAsUser", 1)) == 0:
            yield f"{name} is root"
        profile = own.get("seccompProfile", pod.get("seccompProfile", {}))
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{name} has no seccomp profile"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            yield f"{name} keeps capabilities"
