"""KEDA's kinds, of the fields that the pinned version has (`blueprint.charts`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Construct

from k8s_charts.folder import CustomResource

API_VERSION = "keda.sh/v1alpha1"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that KEDA counts. `name` is how a formula calls it, `counted` its scaler's `type` and `metadata`,
    `authentication` a TriggerAuthentication."""

    name: str
    counted: Mapping[str, object]
    authentication: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        reference = {"authenticationRef": {"name": self.authentication}} if self.authentication else {}
        return {**self.counted, "name": self.name, "metricType": "AverageValue", **reference}


@dataclass(frozen=True, slots=True)
class Pace:
    """How the HPA may move: after `stabilization_seconds` of one opinion, by `pods` in `period_seconds`."""

    stabilization_seconds: int
    pods: int
    period_seconds: int

    @property
    def body(self) -> dict[str, Any]:
        return {
            "stabilizationWindowSeconds": self.stabilization_seconds,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": self.pods, "periodSeconds": self.period_seconds}],
        }


class TriggerAuthentication(CustomResource):
    """Parameters of triggers out of Secrets of the same namespace: parameter -> (Secret, key)."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        secrets: Mapping[str, tuple[str, str]],
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            scope,
            f"{name}-authentication",
            api_version=API_VERSION,
            kind="TriggerAuthentication",
            name=name,
            namespace=namespace,
            labels=labels,
            annotations=annotations,
            spec={
                "secretTargetRef": [
                    {"parameter": parameter, "name": secret, "key": key} for parameter, (secret, key) in secrets.items()
                ]
            },
        )


class ScaledObject(CustomResource):
    """Scales a Deployment by the sum of its triggers, from none.

    The HPA would take the largest of several triggers; scalingModifiers make one metric of them. It is active above 0.
    There is no `fallback`: with it, and with Redis away, KEDA takes the workers for idle and scales them to zero unless
    it names replicas, which would start nodes for nothing. Without it the count stays as it is while a trigger fails.
    Source: KEDA, pkg/scaling/executor/scale_scaledobjects.go and pkg/scaling/modifiers/formula.go.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        deployment: str,
        triggers: Sequence[Trigger],
        target: int,
        maximum: int,
        polling_seconds: int,
        cooldown_seconds: int,
        initial_cooldown_seconds: int,
        up: Pace,
        down: Pace,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            scope,
            f"{name}-scaling",
            api_version=API_VERSION,
            kind="ScaledObject",
            name=name,
            namespace=namespace,
            labels=labels,
            annotations=annotations,
            spec={
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
                "pollingInterval": polling_seconds,
                "cooldownPeriod": cooldown_seconds,
                "initialCooldownPeriod": initial_cooldown_seconds,
                "minReplicaCount": 0,
                "maxReplicaCount": maximum,
                "advanced": {
                    "horizontalPodAutoscalerConfig": {"behavior": {"scaleUp": up.body, "scaleDown": down.body}},
                    "scalingModifiers": {
                        "formula": " + ".join(one.name for one in triggers),
                        "target": str(target),
                        "activationTarget": "0",
                        "metricType": "AverageValue",
                    },
                },
                "triggers": [one.body for one in triggers],
            },
        )
