"""Values such as AWS gives the outputs of the contract."""

from types import MappingProxyType

from blueprint.regions import DEFAULT_REGION
from k8s_charts.facts import NEEDED, Facts
from studio.cloud.rehearse.process import ACCOUNT


def value(output: str, region: str = DEFAULT_REGION) -> str:
    """What the parameter of an output would hold in `ACCOUNT`."""
    examples = {
        "aurora/master-secret-arn": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:rds!cluster-1f-AbCdEf",
        "cluster/endpoint": f"https://0123456789ABCDEF.gr7.{region}.eks.amazonaws.com",
        "cluster/key-arn": f"arn:aws:kms:{region}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "network/vpc-id": "vpc-0a1b2c3d4e5f60718",
        "efs/file-system-id": "fs-0a1b2c3d4e5f60718",
    }
    if output in examples:
        return examples[output]
    if output.endswith("access-point-id"):
        return "fsap-0a1b2c3d4e5f60718"
    if output.endswith("-endpoint"):
        return f"{output.replace('/', '-')}.abcdef.{region}.rds.amazonaws.com"
    if output.startswith("buckets/"):
        return f"{output.removeprefix('buckets/')}-{ACCOUNT}-{region}"
    return "something"


def facts(**changed: str) -> Facts:
    """Facts of `ACCOUNT`, none a placeholder."""
    return Facts(ACCOUNT, DEFAULT_REGION, MappingProxyType({name: value(name) for name in NEEDED} | changed))
