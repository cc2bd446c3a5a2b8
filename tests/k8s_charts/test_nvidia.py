"""The device plugin: on each GPU node, with no more rights than a socket of kubelet's takes."""

from typing import Any

import pytest

from blueprint.components import COMPONENTS
from blueprint.instances import INSTANCE_TYPES
from blueprint.pools import GPU
from tests.support.manifests import Manifests
from tests.support.nodes import pools
from tests.support.quotas import quantity


@pytest.fixture(scope="module")
def spec(manifests: Manifests) -> dict[str, Any]:
    pod = manifests.one("DaemonSet", "nvidia-device-plugin", namespace="kube-system").pod
    assert pod is not None
    found: dict[str, Any] = pod["spec"]
    return found


@pytest.fixture(scope="module")
def container(spec: dict[str, Any]) -> dict[str, Any]:
    (one,) = spec["containers"]
    return dict(one)


def test_it_runs_on_every_gpu_node_and_on_no_other(manifests: Manifests, spec: dict[str, Any]) -> None:
    homes = {
        kind.name
        for pool in pools(manifests).values()
        for kind in INSTANCE_TYPES.values()
        if (node := pool.node(kind)) and node.takes(spec)
    }
    assert homes == {kind.name for kind in GPU.types}


def test_a_taint_that_a_node_gets_on_its_way_out_does_not_take_its_gpu_away(spec: dict[str, Any]) -> None:
    assert {"operator": "Exists"} in spec["tolerations"]


def test_it_asks_for_what_the_capacity_proof_counts_and_for_no_gpu(container: dict[str, Any]) -> None:
    row = COMPONENTS["nvidia-device-plugin"]
    requests = {name: float(quantity(value)) for name, value in container["resources"]["requests"].items()}
    assert requests == {"cpu": row.cpu, "memory": row.memory_mib * 2**20}
    assert row.memory_limit_mib is not None
    assert quantity(container["resources"]["limits"]["memory"]) == row.memory_limit_mib * 2**20
    assert "nvidia.com/gpu" not in container["resources"]["limits"], "its own GPU would be one less for work"


def test_a_gpu_is_one_pods_alone(manifests: Manifests, container: dict[str, Any]) -> None:
    """Sharing is set by a configuration file, which it has none of."""
    settings = {one["name"]: one["value"] for one in container["env"]}
    assert settings["MIG_STRATEGY"] == "none"
    assert not {"CONFIG_FILE", "MPS_ROOT"} & set(settings)
    assert "args" not in container
    assert [one.kind for one in manifests.built("platform/nvidia")] == ["ServiceAccount", "DaemonSet"]


def test_a_node_whose_driver_is_not_there_says_so(container: dict[str, Any]) -> None:
    assert {"name": "FAIL_ON_INIT_ERROR", "value": "true"} in container["env"]


def test_its_image_is_a_release_that_nobody_can_push_over(container: dict[str, Any]) -> None:
    name, _, digest = container["image"].partition("@sha256:")
    assert name.startswith("nvcr.io/nvidia/k8s-device-plugin:v")
    assert len(digest) == 64


def test_of_the_node_it_has_one_folder_and_of_roots_rights_none(
    spec: dict[str, Any], container: dict[str, Any]
) -> None:
    assert spec["volumes"] == [
        {"name": "sockets", "hostPath": {"path": "/var/lib/kubelet/device-plugins", "type": "Directory"}}
    ]
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in security
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


def test_it_has_no_token_and_no_role(manifests: Manifests, spec: dict[str, Any]) -> None:
    assert spec["automountServiceAccountToken"] is False
    account = manifests.one("ServiceAccount", spec["serviceAccountName"], namespace="kube-system")
    assert account.body["automountServiceAccountToken"] is False
    for one in (*manifests.of("RoleBinding"), *manifests.of("ClusterRoleBinding")):
        assert account.name not in [subject["name"] for subject in one.body["subjects"]], str(one)


def test_it_stays_when_a_node_is_short_of_room(spec: dict[str, Any]) -> None:
    assert spec["priorityClassName"] == "system-node-critical"
