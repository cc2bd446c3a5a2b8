"""The regions the platform can stand in, and what differs between them."""

from dataclasses import dataclass
from types import MappingProxyType

GLOBAL_REGION = "us-east-1"
"""Where CloudFront wants its Web ACL, its viewer certificate and its log sources, wherever the platform stands."""


@dataclass(frozen=True, slots=True)
class Region:
    """One region. `zones` are the default availability zones, one a subnet of each tier.

    `cloudfront_prefix_list` is the managed prefix list `com.amazonaws.global.cloudfront.origin-facing` there;
    `./pingvas deploy` compares it with what the account sees. `excluded_zone_ids` are zones that cannot hold an EKS
    control plane (EKS user guide, "Network requirements"); names map to ids differently in every account.
    """

    name: str
    zones: tuple[str, str, str]
    cloudfront_prefix_list: str
    excluded_zone_ids: tuple[str, ...] = ()


_ALL = (
    Region("us-east-1", ("us-east-1a", "us-east-1b", "us-east-1c"), "pl-3b927c52", ("use1-az3",)),
    Region("ap-northeast-2", ("ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2c"), "pl-22a6434b"),
)
REGIONS: MappingProxyType[str, Region] = MappingProxyType({region.name: region for region in _ALL})
DEFAULT_REGION = "us-east-1"
