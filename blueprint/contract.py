"""What the AWS layer tells Kubernetes and the applications: every output by name, and what reads it.

An output is an SSM parameter `/pingvas/<name>`, published by exactly one stack (`stacks.components.stack`). Charts and
settings name outputs by the constants and functions here, so neither side can drift without a test failing.
"""

from dataclasses import dataclass
from types import MappingProxyType

from blueprint.data import AURORA, BUCKETS, EFS
from blueprint.delivery import IMAGES
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.services import SERVICES
from blueprint.workloads import WORKLOADS

PREFIX = "/pingvas"


@dataclass(frozen=True, slots=True)
class Output:
    """One fact that only a deployment knows. `stack` is the construct id of the stack that publishes it."""

    name: str
    stack: str
    meaning: str

    @property
    def parameter(self) -> str:
        """The name of its SSM parameter.

        >>> OUTPUTS["aurora/writer-endpoint"].parameter
        '/pingvas/aurora/writer-endpoint'
        """
        return f"{PREFIX}/{self.name}"


def target_group(environment: str, service: str) -> str:
    return f"target-groups/{environment}-{service}-service"


def redis_endpoint(environment: str, purpose: str = "primary") -> str:
    """`purpose`: `primary`, or `reader` for cache reads that may be stale."""
    return f"redis/{environment}/{purpose}-endpoint"


def bucket(name: str) -> str:
    return f"buckets/{name}"


def role(workload: str) -> str:
    return f"roles/{workload}"


def repository(image: str) -> str:
    return f"repositories/{image}"


_ENVIRONMENTS = tuple(one.name for one in CLUSTER_ENVIRONMENTS)
_ALL = (
    Output("network/vpc-id", "Network", "the VPC"),
    Output("network/public-subnet-ids", "Network", "comma-separated, one a zone: the load balancer's"),
    Output("network/private-subnet-ids", "Network", "comma-separated, one a zone: nodes and pods"),
    Output("network/data-subnet-ids", "Network", "comma-separated, one a zone: Aurora, ElastiCache, EFS"),
    Output("network/alb-security-group-id", "Network", "the load balancer's group"),
    Output("network/node-security-group-id", "Network", "the group that every node carries"),
    Output("dns/zone-id", "Dns", "the hosted zone"),
    Output("aurora/writer-endpoint", "Data", "host that accepts writes"),
    Output("aurora/reader-endpoint", "Data", "host whose answers may be some milliseconds old"),
    Output("aurora/master-secret-arn", "Data", "the master's secret, which RDS makes and rotates"),
    *(
        Output(redis_endpoint(one, purpose), "Data", f"host, TLS, of {one}'s Redis for {use}")
        for one in _ENVIRONMENTS
        for purpose, use in (("primary", "writes and the queue"), ("reader", "cache reads"))
    ),
    Output("efs/file-system-id", "Data", "the shared file system"),
    *(
        Output(
            f"efs/{point.name}-access-point-id",
            "Data",
            f"mounts {point.path} for {'the model service, which writes' if point.writes else 'workers, which read'}",
        )
        for point in EFS.access_points
    ),
    *(Output(bucket(one.name), "Storage", f"name of the bucket {one.name}") for one in BUCKETS),
    Output("cluster/name", "Cluster", "the EKS cluster"),
    Output("cluster/endpoint", "Cluster", "its API server"),
    Output("cluster/security-group-id", "Cluster", "the group that EKS makes for the control plane"),
    Output("cluster/node-role-name", "Cluster", "the role of Karpenter's nodes, for the EC2NodeClasses"),
    Output("cluster/interruption-queue", "Cluster", "name of Karpenter's SQS queue"),
    Output("cluster/key-arn", "Cluster", "the KMS key of volumes, for node classes and the StorageClass"),
    Output("cluster/log-group", "Cluster", "where Fluent Bit writes container logs"),
    *(Output(role(name), "Cluster", workload.purpose) for name, workload in WORKLOADS.items()),
    *(
        Output(target_group(one, service), "Ingress", f"ARN; pods of {one}'s {service}-service register here")
        for one in _ENVIRONMENTS
        for service in SERVICES
    ),
    *(Output(f"cdn/{one}/distribution-id", "Edge", f"{one}'s CloudFront distribution") for one in _ENVIRONMENTS),
    *(Output(f"cdn/{one}/key-group-id", "Edge", f"whose signatures open {one}'s pictures") for one in _ENVIRONMENTS),
    Output("vpn/address", "Network", "the VPN's Elastic IP"),
    *(Output(repository(one), "Delivery", f"URI of the repository of {one}") for one in IMAGES),
    Output("delivery/github-role", "Delivery", "ARN of the role that GitHub Actions assumes"),
    Output("delivery/github-pull-request-role", "Delivery", "ARN of the role that pull requests assume: images only"),
    *(
        Output(f"topics/{one}", "Observability", f"ARN of the SNS topic of {one} alarms")
        for one in ("critical", "warning", "info")
    ),
)
OUTPUTS: MappingProxyType[str, Output] = MappingProxyType({output.name: output for output in _ALL})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a setting of the services comes from in the cloud: outputs, secrets (without environment), or a constant.

    `{env}`, `{schema}` and `{redis_mode}` stand for the environment's own.
    """

    outputs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    constant: str = ""


SETTINGS: MappingProxyType[str, Source] = MappingProxyType(
    {
        "PINGVAS_ENV": Source(constant="{env}"),
        "PINGVAS_DATABASE_URL": Source(outputs=("aurora/writer-endpoint",), secrets=("db-app",)),
        "PINGVAS_DATABASE_READER_URL": Source(outputs=("aurora/reader-endpoint",), secrets=("db-app",)),
        "PINGVAS_DATABASE_WORKER_URL": Source(outputs=("aurora/writer-endpoint",), secrets=("db-worker",)),
        "PINGVAS_DATABASE_OWNER_URL": Source(outputs=("aurora/writer-endpoint",), secrets=("db-owner",)),
        "PINGVAS_DATABASE_SCHEMA": Source(constant="{schema}"),
        "PINGVAS_DATABASE_POOL": Source(constant=str(AURORA.pool)),
        "PINGVAS_REDIS_MODE": Source(constant="{redis_mode}"),
        "PINGVAS_REDIS_URL": Source(outputs=("redis/{env}/primary-endpoint",), secrets=("redis-auth",)),
        "PINGVAS_STORAGE_URL": Source(outputs=("buckets/pingvas-{env}-images",)),
        "PINGVAS_MODELS_DIR": Source(outputs=("efs/models-access-point-id",), constant="/models"),
        "PINGVAS_JWT_SECRET": Source(secrets=("jwt-secret",)),
    }
)
"""The settings that a deployment decides; `redis-auth` exists where the environment's Redis wants AUTH."""
