"""A role a workload, bound to one service account of the cluster by EKS Pod Identity, with what it needs."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from blueprint.cluster import NAME
from blueprint.workloads import WORKLOADS, Workload
from stacks.components.policies import Allow, Here, role
from stacks.components.workload_policies import MANAGED

POD_IDENTITY = "pods.eks.amazonaws.com"


class WorkloadRoles(Construct):
    """`roles` and `associations`, by the workload's name.

    The trust names the cluster, the namespace and the service account: an association made by somebody else, in
    another cluster or for another service account, cannot take the role.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (CDK's own word)
        *,
        cluster: eks.CfnCluster,
        policies: Mapping[str, Sequence[Allow]],
    ) -> None:
        super().__init__(scope, id)
        self.roles: dict[str, iam.CfnRole] = {}
        self.associations: dict[str, eks.CfnPodIdentityAssociation] = {}
        for name, workload in WORKLOADS.items():
            made = role(
                self,
                f"{name}-role",
                name=workload.role,
                description=f"{workload.namespace}/{workload.service_account} {workload.purpose}"[:1000],
                trust=_trust(workload, Here.of(self)),
                allows=policies.get(name, ()),
                managed=MANAGED.get(name),
            )
            self.roles[name] = made
            self.associations[name] = eks.CfnPodIdentityAssociation(
                self,
                name,
                cluster_name=cluster.ref,
                namespace=workload.namespace,
                service_account=workload.service_account,
                role_arn=made.attr_arn,
            )


def _trust(workload: Workload, here: Here) -> dict[str, Any]:
    """The tags are those that EKS gives the session ("Grant pods access to AWS resources based on tags")."""
    return {
        "Sid": "PodsOfOneServiceAccount",
        "Effect": "Allow",
        "Principal": {"Service": POD_IDENTITY},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": {
                "aws:RequestTag/eks-cluster-arn": here.arn("eks", f"cluster/{NAME}"),
                "aws:RequestTag/kubernetes-namespace": workload.namespace,
                "aws:RequestTag/kubernetes-service-account": workload.service_account,
            }
        },
    }
