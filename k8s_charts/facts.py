"""Deployment facts: what only an account knows (`gitops/facts.yaml`), by the names of `blueprint.contract`.

Until `./pingvas synth --from-account` has read them, each is a placeholder of the right form, so that everything can be
synthesized, reviewed and validated without an account. Names and tags that the blueprint fixes are not facts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from blueprint.buckets import BUCKETS
from blueprint.contract import OUTPUTS, bucket, redis_endpoint
from blueprint.data import EFS
from blueprint.delivery import repository_name
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.in_cluster import EDGE_AND_CACHE, EdgeAndCache
from blueprint.regions import DEFAULT_REGION, REGIONS
from blueprint.rules import RuleError, demand
from k8s_charts.text import document

FILE = "facts.yaml"
ACCOUNT = "000000000000"
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = MappingProxyType(
    {
        "aurora/writer-endpoint": (_HOST, "aurora-writer.placeholder.invalid"),
        "aurora/reader-endpoint": (_HOST, "aurora-reader.placeholder.invalid"),
        "aurora/master-secret-arn": (
            re.compile(r"arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+"),
            f"arn:aws:secretsmanager:{DEFAULT_REGION}:{ACCOUNT}:secret:rds!cluster-placeholder",
        ),
        **{redis_endpoint(one.name): (_HOST, f"redis-{one.name}.placeholder.invalid") for one in CLUSTER_ENVIRONMENTS},
        "efs/file-system-id": (re.compile(r"fs-[0-9a-f]{8,17}"), f"fs-{'0' * 17}"),
        **{
            f"efs/{point.name}-access-point-id": (re.compile(r"fsap-[0-9a-f]{8,17}"), f"fsap-{number:017x}")
            for number, point in enumerate(EFS.access_points)
        },
        **{
            bucket(one.name): (re.compile(r"[a-z0-9.-]{3,63}"), f"{one.name}-{ACCOUNT}-{DEFAULT_REGION}")
            for one in BUCKETS
        },
        "cluster/endpoint": (re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?"), "https://cluster.placeholder.invalid"),
        "cluster/key-arn": (
            re.compile(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/.+"),
            f"arn:aws:kms:{DEFAULT_REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
        ),
        "network/vpc-id": (re.compile(r"vpc-[0-9a-f]{8,17}"), f"vpc-{'0' * 17}"),
    }
)
NEEDED = tuple(_FORMS)
"""The outputs of the AWS layer that manifests name."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Where the manifests are to run. `outputs` holds every name of `NEEDED`; `edge_and_cache` is a choice, not a fact:
    whether the load balancer's routing and the caches are AWS's or pods (`blueprint.in_cluster`).
    `interface_endpoints` is the AWS layer's setting: with it AWS's APIs answer in the data subnets."""

    account: str
    region: str
    outputs: Mapping[str, str]
    edge_and_cache: EdgeAndCache = "aws"
    interface_endpoints: bool = False

    def __getitem__(self, output: str) -> str:
        """The value of an output.

        Raises:
            KeyError: `NEEDED` does not name it.
        """
        return self.outputs[output]

    @property
    def in_cluster(self) -> bool:
        """Whether ingress-nginx and Redis run in the cluster."""
        return self.edge_and_cache == "in-cluster"

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The facts that nobody has filled yet."""
        unknown = ("account",) if self.account == ACCOUNT else ()
        return (*unknown, *(name for name, (_, example) in _FORMS.items() if self.outputs[name] == example))

    def repository(self, image: str) -> str:
        """The URI of an image's repository, without a tag.

        >>> placeholders().repository("web")
        '000000000000.dkr.ecr.us-east-1.amazonaws.com/pingvas/web'
        """
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{repository_name(image)}"

    def text(self) -> str:
        """As the file holds them."""
        return document(
            {
                "account": self.account,
                "region": self.region,
                "edge_and_cache": self.edge_and_cache,
                "interface_endpoints": self.interface_endpoints,
                "outputs": dict(self.outputs),
            }
        )


def placeholders() -> Facts:
    """What stands in the file before an account has been read."""
    return Facts(ACCOUNT, DEFAULT_REGION, MappingProxyType({name: example for name, (_, example) in _FORMS.items()}))


def checked(
    account: str,
    region: str,
    outputs: Mapping[str, str],
    edge_and_cache: str = "aws",
    interface_endpoints: object = False,
) -> Facts:
    """Facts whose form is right.

    Raises:
        RuleError: one is missing, unknown or malformed; the message names it.
    """
    demand(bool(re.fullmatch(r"\d{12}", account)), "facts.account", account, "must be 12 digits, in quotes")
    demand(region in REGIONS, "facts.region", region, f"must be one of {', '.join(REGIONS)}")
    demand(
        edge_and_cache in EDGE_AND_CACHE,
        "facts.edge_and_cache",
        edge_and_cache,
        f"must be one of {', '.join(EDGE_AND_CACHE)}",
    )
    demand(
        isinstance(interface_endpoints, bool),
        "facts.interface_endpoints",
        interface_endpoints,
        "must be true or false",
    )
    for name, value in outputs.items():
        demand(name in OUTPUTS, f"facts.outputs.{name}", value, "is no output of the AWS layer (blueprint/contract.py)")
        demand(name in _FORMS, f"facts.outputs.{name}", value, "is read by no manifest (k8s_charts/facts.py)")
    for name, (form, example) in _FORMS.items():
        demand(name in outputs, f"facts.outputs.{name}", None, "is missing; ./pingvas synth --from-account reads it")
        demand(
            isinstance(outputs[name], str) and bool(form.fullmatch(outputs[name])),
            f"facts.outputs.{name}",
            outputs[name],
            f"is malformed; it looks like {example}",
        )
    return Facts(
        account,
        region,
        MappingProxyType({name: outputs[name] for name in _FORMS}),
        "in-cluster" if edge_and_cache == "in-cluster" else "aws",
        interface_endpoints is True,
    )


def load(gitops: Path) -> Facts:
    """The facts of a `gitops/` folder, placeholders where it has none yet.

    Raises:
        RuleError: the file is not YAML, or a fact is missing, unknown or malformed.
    """
    path = gitops / FILE
    if not path.is_file():
        return placeholders()
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RuleError("facts", path, f"is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(read, dict) or not isinstance(read.get("outputs"), dict):
        raise RuleError("facts", path, "must have account, region and outputs")
    return checked(
        str(read.get("account")),
        str(read.get("region")),
        read["outputs"],
        str(read.get("edge_and_cache", EDGE_AND_CACHE[0])),
        read.get("interface_endpoints", False),
    )
