"""What the AWS layer tells Kubernetes and the applications: every output by name, and what reads it.

An output is an SSM parameter `/pingvas/<name>`, published by exactly one stack (`stacks.components.stack`). Charts and
settings name outputs by the constants and functions here, so neither side can drift without a test failing.
"""

from dataclasses import dataclass
from types import MappingProxyType

from blueprint.addons import ADDONS
from blueprint.buckets import BUCKETS
from blueprint.cluster import CONTAINER_LOG_GROUP, INTERRUPTION_QUEUE, KARPENTER_NODE_ROLE, NAME
from blueprint.data import AURORA, EFS
from blueprint.delivery import IMAGES, WEB, repository_name
from blueprint.edge import target_group as target_group_name
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.notices import topic
from blueprint.services import SERVICES
from blueprint.workloads import WORKLOADS

PREFIX = "/pingvas"


@dataclass(frozen=True, slots=True)
class Output:
    """One fact that only a deployment knows. `stack` is the construct id of the stack that publishes it.

    Manifests copy its value (`k8s_charts.facts`), or use what it stands for under `known_as`, a name that the blueprint
    fixes; `read_by` says who else it is for.
    """

    name: str
    stack: str
    meaning: str
    known_as: str = ""
    read_by: str = ""

    @property
    def parameter(self) -> str:
        """The name of its SSM parameter.

        >>> OUTPUTS["aurora/writer-endpoint"].parameter
        '/pingvas/aurora/writer-endpoint'
        """
        return f"{PREFIX}/{self.name}"


def target_group(environment: str, service: str) -> str:
    return f"target-groups/{environment}-{service}-service"


def redis_endpoint(environment: str) -> str:
    return f"redis/{environment}/primary-endpoint"


def bucket(name: str) -> str:
    return f"buckets/{name}"


def role(workload: str) -> str:
    return f"roles/{workload}"


def repository(image: str) -> str:
    return f"repositories/{image}"


_PEOPLE = "people who operate it"
_WORKFLOWS = "delivery"
_ENVIRONMENTS = tuple(one.name for one in CLUSTER_ENVIRONMENTS)
_EKS = frozenset(addon.workload for addon in ADDONS if addon.workload)
"""Workloads that EKS itself installs, so that no manifest names them."""
INTERFACE_ENDPOINTS_OUTPUT = "network/interface-endpoints"
"""The one output whose value is no text of a manifest: it decides which policies there are."""
_ALL = (
    Output("network/vpc-id", "Network", "the VPC"),
    Output("network/public-subnet-ids", "Network", "comma-separated, one a zone: the load balancer's", read_by=_PEOPLE),
    Output("network/private-subnet-ids", "Network", "comma-separated, one a zone: nodes and pods", read_by=_PEOPLE),
    Output("network/data-subnet-ids", "Network", "comma-separated: Aurora, ElastiCache, EFS", read_by=_PEOPLE),
    Output("network/alb-security-group-id", "Network", "the load balancer's group", read_by=_PEOPLE),
    Output("network/node-security-group-id", "Network", "the group that every node carries", read_by=_PEOPLE),
    Output(
        INTERFACE_ENDPOINTS_OUTPUT,
        "Network",
        "true where AWS's APIs answer in the data subnets",
        read_by="network policies, as `interface_endpoints` of gitops/facts.yaml",
    ),
    Output("dns/zone-id", "Dns", "the hosted zone", read_by=_PEOPLE),
    Output("aurora/writer-endpoint", "Data", "host that accepts writes"),
    Output("aurora/reader-endpoint", "Data", "host whose answers may be some milliseconds old"),
    Output("aurora/master-secret-arn", "Data", "the master's secret, which RDS makes and rotates"),
    *(Output(redis_endpoint(one), "Data", f"host, TLS, of {one}'s Redis") for one in _ENVIRONMENTS),
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
    Output("cluster/name", "Cluster", "the EKS cluster", known_as=NAME),
    Output("cluster/endpoint", "Cluster", "its API server"),
    Output("cluster/security-group-id", "Cluster", "the group that EKS makes for the control plane", read_by=_PEOPLE),
    Output("cluster/node-role-name", "Cluster", "the role of Karpenter's nodes", known_as=KARPENTER_NODE_ROLE),
    Output("cluster/interruption-queue", "Cluster", "name of Karpenter's SQS queue", known_as=INTERRUPTION_QUEUE),
    Output("cluster/key-arn", "Cluster", "the KMS key of volumes, for node classes and the StorageClass"),
    Output("cluster/log-group", "Cluster", "where Fluent Bit writes container logs", known_as=CONTAINER_LOG_GROUP),
    *(
        Output(role(name), "Cluster", one.purpose, read_by="EKS's own add-on")
        if name in _EKS
        else Output(role(name), "Cluster", one.purpose, known_as=one.service_account)
        for name, one in WORKLOADS.items()
    ),
    *(
        Output(
            target_group(one, service),
            "Ingress",
            f"ARN; pods of {one}'s {service}-service register here",
            known_as=target_group_name(one, service),
        )
        for one in _ENVIRONMENTS
        for service in SERVICES
    ),
    *(
        Output(f"cdn/{one}/distribution-id", "Edge", f"{one}'s CloudFront distribution", read_by=_WORKFLOWS)
        for one in _ENVIRONMENTS
    ),
    *(
        Output(f"cdn/{one}/key-group-id", "Edge", f"whose signatures open {one}'s pictures", read_by=_PEOPLE)
        for one in _ENVIRONMENTS
    ),
    Output("vpn/address", "Network", "the VPN's Elastic IP", read_by=_PEOPLE),
    *(
        Output(repository(one), "Delivery", f"URI of the repository of {one}", known_as=repository_name(one))
        for one in IMAGES
        if one != WEB
    ),
    Output(repository(WEB), "Delivery", "URI of the repository of the studio's pages", read_by=_WORKFLOWS),
    Output("delivery/github-role", "Delivery", "ARN of the role that GitHub Actions assumes", read_by=_WORKFLOWS),
    Output(
        "delivery/github-pull-request-role",
        "Delivery",
        "ARN of the role that pull requests assume: images only",
        read_by=_WORKFLOWS,
    ),
    *(
        Output(f"topics/{one}", "Observability", f"ARN of the SNS topic of {one} alarms", known_as=topic(one))
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
