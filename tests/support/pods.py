"""A pod's surroundings as the kubelet makes them: variables and mounted files, of ConfigMaps and of Secrets to come."""

import re
from typing import Any

from tests.support.manifests import Manifests, Object

DUMMY = "Zk3" * 16
"""What stands for every value of Secrets Manager: long enough, and no placeholder."""
_REFERENCE = re.compile(r"\{\{\s*\.(\w+)\s*(?:\|[^}]*)?\}\}")


def workloads(manifests: Manifests, *namespaces: str) -> list[Object]:
    """Everything that makes pods in these namespaces."""
    return [one for one in manifests.all() if one.pod is not None and one.namespace in namespaces]


def secret(manifests: Manifests, namespace: str, name: str) -> dict[str, str]:
    """What External Secrets will put into a Secret."""
    external = [
        one
        for one in manifests.of("ExternalSecret", namespace=namespace)
        if one.body["spec"].get("target", {}).get("name", one.name) == name
    ]
    assert len(external) == 1, f"{len(external)} ExternalSecrets make {namespace}/{name}"
    spec = external[0].body["spec"]
    known = {entry["secretKey"] for entry in spec.get("data", [])}
    written = spec.get("target", {}).get("template", {}).get("data")
    if written is None:
        return dict.fromkeys(known, DUMMY)

    def value(found: re.Match[str]) -> str:
        assert found.group(1) in known, f"{external[0]} uses {found.group(1)}, which it does not read"
        return DUMMY

    return {key: _REFERENCE.sub(value, str(text)) for key, text in written.items()}


def config(manifests: Manifests, namespace: str, name: str) -> dict[str, str]:
    return {
        str(key): str(value)
        for key, value in manifests.one("ConfigMap", name, namespace=namespace).body["data"].items()
    }


def variables(manifests: Manifests, workload: Object, container: dict[str, Any]) -> dict[str, str]:
    """A container's environment."""
    namespace = str(workload.namespace)
    made: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            made |= config(manifests, namespace, source["configMapRef"]["name"])
        else:
            made |= secret(manifests, namespace, source["secretRef"]["name"])
    for entry in container.get("env", []):
        reference = entry.get("valueFrom", {})
        if "value" in entry:
            made[entry["name"]] = str(entry["value"])
        elif "configMapKeyRef" in reference:
            key = reference["configMapKeyRef"]
            made[entry["name"]] = config(manifests, namespace, key["name"])[key["key"]]
        elif "secretKeyRef" in reference:
            key = reference["secretKeyRef"]
            made[entry["name"]] = secret(manifests, namespace, key["name"])[key["key"]]
        else:
            made[entry["name"]] = f"<{next(iter(reference))}>"
    return made


def mounted(manifests: Manifests, workload: Object, container: dict[str, Any]) -> set[str]:
    """The paths of files that come from Secrets."""
    pod = workload.pod
    assert pod is not None
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    found: set[str] = set()
    for mount in container.get("volumeMounts", []):
        volume = volumes[mount["name"]]
        sources = [volume["secret"]] if "secret" in volume else volume.get("projected", {}).get("sources", [])
        for entry in sources:
            source = entry.get("secret", entry)
            name = source.get("secretName") or source.get("name")
            if not name:
                continue
            keys = secret(manifests, str(workload.namespace), name)
            items = source.get("items") or [{"key": key, "path": key} for key in keys]
            assert {item["key"] for item in items} <= set(keys), f"{workload} mounts keys that {name} has not"
            found |= {f"{mount['mountPath']}/{item['path']}" for item in items}
    return found
