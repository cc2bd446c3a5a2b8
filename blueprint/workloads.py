"""Workloads that call AWS from the cluster: one IAM role each, bound to one service account by EKS Pod Identity.

A workload without a role here calls no AWS API: user and payment, the migrations, ArgoCD, KEDA.
"""

from dataclasses import dataclass
from types import MappingProxyType

from blueprint.environments import CLUSTER_ENVIRONMENTS, EnvironmentName

INPUT_PREFIX = "inputs/"
"""Where an image bucket has the pictures that users send; CloudFront serves `blueprint.buckets.IMAGE_PREFIX` alone."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One role. `name` is also the last part of the role's name and of its output."""

    name: str
    namespace: str
    service_account: str
    purpose: str
    environment: EnvironmentName | None = None

    @property
    def role(self) -> str:
        """The IAM role's fixed name."""
        return f"pingvas-{self.name}"


def _application(name: str, purpose: str) -> tuple[Workload, ...]:
    return tuple(Workload(f"{one.name}-{name}", one.namespace, name, purpose, one.name) for one in CLUSTER_ENVIRONMENTS)


_ALL = (
    *_application("generation-service", "reads and writes input pictures of its environment's image bucket"),
    *_application("gallery-service", "reads, writes and deletes pictures of its environment's image bucket"),
    *_application("model-service", "reads and writes the models bucket"),
    *_application("gpu-worker", "writes pictures to its environment's image bucket, reads inputs and models"),
    *(
        Workload(
            f"{one.name}-external-secrets",
            "external-secrets",
            f"external-secrets-{one.name}",
            f"reads the secrets below pingvas/{one.name}/",
            one.name,
        )
        for one in CLUSTER_ENVIRONMENTS
    ),
    Workload(
        "shared-external-secrets",
        "external-secrets",
        "external-secrets-shared",
        "reads the secrets below pingvas/shared/, for Grafana",
    ),
    Workload(
        "bootstrap-external-secrets",
        "external-secrets",
        "external-secrets-bootstrap",
        "reads the secrets of Aurora's master and of database roles, for the Job that makes schemas and roles",
    ),
    Workload(
        "karpenter", "karpenter", "karpenter", "starts and ends this cluster's nodes, reads its interruption queue"
    ),
    Workload(
        "aws-load-balancer-controller",
        "kube-system",
        "aws-load-balancer-controller",
        "registers pods with the ten target groups that CDK makes",
    ),
    Workload("vpc-cni", "kube-system", "aws-node", "gives pods addresses of the VPC"),
    Workload("ebs-csi", "kube-system", "ebs-csi-controller-sa", "makes volumes for the cluster's claims"),
    # Of the node's half: it mounts, while the controller's would make access points, and those are made here.
    Workload("efs-csi", "kube-system", "efs-csi-node-sa", "mounts the shared file system's access points"),
    Workload(
        "alertmanager", "monitoring", "alertmanager", "publishes the alarms that Prometheus watches, as CloudWatch does"
    ),
    Workload("cloudwatch-exporter", "monitoring", "cloudwatch-exporter", "reads metrics"),
    Workload("fluent-bit", "monitoring", "fluent-bit", "writes logs to CloudWatch Logs and to the logs bucket"),
    Workload("velero", "velero", "velero", "backs the cluster's state up to the backups bucket"),
)
WORKLOADS: MappingProxyType[str, Workload] = MappingProxyType({workload.name: workload for workload in _ALL})
