"""Karpenter's custom resources, `karpenter.sh/v1` and `karpenter.k8s.aws/v1`.

What the API server would refuse by the CRDs' own rules is refused here, before anything is
written. Source: kubernetes-sigs/karpenter and aws/karpenter-provider-aws, pkg/apis/crds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from constructs import Construct

from blueprint.pools import Taint
from blueprint.rules import demand
from k8s_charts.folder import CustomResource
from k8s_charts.text import document

Reason = Literal["Underutilized", "Empty", "Drifted"]
Architecture = Literal["amd64", "arm64"]
RESTRICTED_TAGS = ("karpenter.sh/nodepool", "karpenter.sh/managed-by", "karpenter.sh/nodeclaim")
RESERVED_DOMAINS = ("kubernetes.io", "k8s.io", "karpenter.sh", "karpenter.k8s.aws")
"""Whose labels a NodePool may not make up."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many nodes, in number or per cent, may end at once for these reasons; "0" is none. No budget is no bound."""

    nodes: str
    reasons: tuple[Reason, ...]

    def body(self) -> dict[str, Any]:
        return {"nodes": self.nodes, "reasons": list(self.reasons)}


class NodePool(CustomResource):
    """Which nodes Karpenter may start, how many in all, and when it may end them. `expire_hours`: None is Never;
    `grace_seconds`: None waits for pods without bound.

    Raises:
        RuleError: a label, a limit or a budget that the API server would refuse; the message names the pool.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        node_class: str,
        instance_types: Sequence[str],
        architectures: Sequence[Architecture],
        labels: Mapping[str, str],
        taints: Sequence[Taint],
        limits: Mapping[str, str],
        consolidate_seconds: int,
        budgets: Sequence[Budget],
        expire_hours: int | None,
        grace_seconds: int | None,
    ) -> None:
        setting = f"node_pools.{name}"
        demand(bool(instance_types), f"{setting}.types", list(instance_types), "must name one instance type or more")
        demand(bool(limits), f"{setting}.limits", dict(limits), "must bound what a mistake can cost")
        for label in labels:
            domain = label.rpartition("/")[0]
            demand(
                not any(domain == one or domain.endswith(f".{one}") for one in RESERVED_DOMAINS),
                f"{setting}.labels",
                label,
                "is a reserved domain",
            )
        covered = [reason for budget in budgets for reason in budget.reasons]
        demand(
            sorted(covered) == sorted(("Drifted", "Empty", "Underutilized")),
            f"{setting}.budgets",
            covered,
            "must name each reason once: a reason without a budget has no bound",
        )
        requirements = {
            "karpenter.sh/capacity-type": ["spot"],
            "kubernetes.io/os": ["linux"],
            "kubernetes.io/arch": list(architectures),
            "node.kubernetes.io/instance-type": list(instance_types),
        }
        spec: dict[str, Any] = {
            "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": node_class},
            "requirements": [{"key": key, "operator": "In", "values": values} for key, values in requirements.items()],
            "expireAfter": "Never" if expire_hours is None else f"{expire_hours}h",
        }
        if taints:
            spec["taints"] = [{"key": one.key, "value": one.value, "effect": one.effect} for one in taints]
        if grace_seconds is not None:
            spec["terminationGracePeriod"] = f"{grace_seconds}s"
        super().__init__(
            scope,
            f"NodePool-{name}",
            api_version="karpenter.sh/v1",
            kind="NodePool",
            name=name,
            spec={
                "template": {"metadata": {"labels": dict(labels)}, "spec": spec},
                "limits": dict(limits),
                "disruption": {
                    "consolidationPolicy": "WhenEmptyOrUnderutilized",
                    "consolidateAfter": f"{consolidate_seconds}s",
                    "budgets": [one.body() for one in budgets],
                },
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RootVolume:
    """The volume `/dev/xvda`, gp3, encrypted with a key of ours, gone with its instance."""

    gib: int
    key_arn: str

    def body(self) -> dict[str, Any]:
        return {
            "deviceName": "/dev/xvda",
            "rootVolume": True,
            "ebs": {
                "volumeType": "gp3",
                "volumeSize": f"{self.gib}Gi",
                "encrypted": True,
                "kmsKeyID": self.key_arn,
                "deleteOnTermination": True,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDisks:
    """How a node keeps images: on its own NVMe disks, and fetched by what its NodeConfig says, if anything."""

    raid0: bool = False
    node_config: Mapping[str, Any] = field(default_factory=dict)


class EC2NodeClass(CustomResource):
    """What a node is made of. Its metadata service wants tokens and is one hop away: no pod reaches it.

    Raises:
        RuleError: a tag that is Karpenter's own.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        ami: str,
        role: str,
        subnet_tags: Mapping[str, str],
        security_group_tags: Sequence[Mapping[str, str]],
        root: RootVolume,
        tags: Mapping[str, str],
        detailed_monitoring: bool,
        disks: LocalDisks,
    ) -> None:
        for tag in tags:
            demand(
                tag not in RESTRICTED_TAGS and not tag.startswith(("kubernetes.io/cluster", "karpenter.k8s.aws/")),
                f"node_classes.{name}.tags",
                tag,
                "is Karpenter's own",
            )
        spec: dict[str, Any] = {
            "amiSelectorTerms": [{"alias": ami}],
            "role": role,
            "subnetSelectorTerms": [{"tags": dict(subnet_tags)}],
            "securityGroupSelectorTerms": [{"tags": dict(one)} for one in security_group_tags],
            "associatePublicIPAddress": False,
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpProtocolIPv6": "disabled",
                "httpPutResponseHopLimit": 1,
                "httpTokens": "required",
            },
            "blockDeviceMappings": [root.body()],
            "detailedMonitoring": detailed_monitoring,
            "tags": dict(tags),
        }
        if disks.raid0:
            spec["instanceStorePolicy"] = "RAID0"
        if disks.node_config:
            spec["userData"] = document(dict(disks.node_config), header=False)
        super().__init__(
            scope, f"NodeClass-{name}", api_version="karpenter.k8s.aws/v1", kind="EC2NodeClass", name=name, spec=spec
        )
