"""The EKS add-ons, in what order they come, and how they are configured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from blueprint.cluster import OWNED_TAG, SYSTEM


@dataclass(frozen=True, slots=True)
class Addon:
    """An EKS add-on. No version is pinned: EKS takes its default for the cluster's Kubernetes, which it has tested,
    and which differs by region and month; an upgrade of Kubernetes is when add-ons move.

    `before_nodes`: nodes do not become ready without it. `workload`: whose role its pods have. Configuration follows
    the add-on's own schema (`aws eks describe-addon-configuration`).
    """

    name: str
    before_nodes: bool = False
    workload: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)


_ON_SYSTEM_NODES = MappingProxyType({"nodeSelector": dict([SYSTEM.label])})
ADDONS = (
    Addon("eks-pod-identity-agent", before_nodes=True),
    Addon(
        "vpc-cni",
        before_nodes=True,
        workload="vpc-cni",
        configuration=MappingProxyType(
            {
                "enableNetworkPolicy": "true",
                "env": {
                    # strict denies whatever no policy allows, CoreDNS and the controllers at bootstrap included
                    "NETWORK_POLICY_ENFORCING_MODE": "standard",
                    "MINIMUM_IP_TARGET": "10",
                    "WARM_IP_TARGET": "2",
                },
            }
        ),
    ),
    Addon("kube-proxy", before_nodes=True),
    Addon("coredns", configuration=_ON_SYSTEM_NODES),
    Addon("metrics-server"),
    Addon(
        "aws-ebs-csi-driver",
        workload="ebs-csi",
        configuration=MappingProxyType({"controller": {**_ON_SYSTEM_NODES, "extraVolumeTags": {OWNED_TAG: "owned"}}}),
    ),
    Addon(
        "aws-efs-csi-driver",
        workload="efs-csi",
        configuration=MappingProxyType({"controller": dict(_ON_SYSTEM_NODES)}),
    ),
)
