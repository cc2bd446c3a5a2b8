"""AWS's public list prices in US dollars, as of `DATED`, for the regions that the platform can stand in.

On demand, before taxes, discounts and the free tier of new accounts. Prices move: compare with the page that `page`
names before money depends on one, change it here and move `DATED`. What is no list price says so in `assumption`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType

DATED = date(2025, 6, 1)
HOURS = 730
"""Hours of a month, 8,760 a year by 12, as AWS's own calculator counts."""
CURRENCY = "USD"
_REGIONS = ("us-east-1", "ap-northeast-2")


@dataclass(frozen=True, slots=True)
class Price:
    """One price: dollars a `unit`, by region. An `hour` is one of one thing; `GB` of traffic, `GB-month` of storage."""

    name: str
    unit: str
    usd: Mapping[str, Decimal]
    page: str
    assumption: str = ""


def _price(name: str, unit: str, page: str, *usd: str, assumption: str = "") -> Price:
    """One value for both regions, or one for each in the order of `_REGIONS`."""
    values = usd if len(usd) == len(_REGIONS) else usd * len(_REGIONS)
    prices = {region: Decimal(value) for region, value in zip(_REGIONS, values, strict=True)}
    return Price(name, unit, MappingProxyType(prices), f"https://aws.amazon.com/{page}/", assumption)


_EC2 = "ec2/pricing/on-demand"
_VIEWERS = "the viewers are where the region is: North America and Europe, or Korea"
_ALL = (
    _price("eks-cluster", "hour", "eks/pricing", "0.10"),
    _price("t3.micro", "hour", _EC2, "0.0104", "0.0130"),
    _price("t3.small", "hour", _EC2, "0.0208", "0.0260"),
    _price("t3.medium", "hour", _EC2, "0.0416", "0.0520"),
    _price("t4g.micro", "hour", _EC2, "0.0084", "0.0104"),
    _price("t4g.small", "hour", _EC2, "0.0168", "0.0208"),
    _price("t4g.medium", "hour", _EC2, "0.0336", "0.0416"),
    _price("m5.large", "hour", _EC2, "0.096", "0.118"),
    _price("m6i.large", "hour", _EC2, "0.096", "0.118"),
    _price("m6g.large", "hour", _EC2, "0.077", "0.094"),
    _price("g4dn.xlarge", "hour", _EC2, "0.526", "0.647"),
    _price("ebs-gp3", "GB-month", "ebs/pricing", "0.08", "0.0912"),
    _price("public-ipv4", "hour", "vpc/pricing", "0.005"),
    _price("nat-hour", "hour", "vpc/pricing", "0.045", "0.059"),
    _price("nat-gb", "GB", "vpc/pricing", "0.045", "0.059"),
    _price("interface-endpoint", "hour", "privatelink/pricing", "0.01", "0.013"),
    _price("between-zones", "GB", _EC2, "0.02", assumption="0.01 out of one zone and 0.01 into the other"),
    _price("alb-hour", "hour", "elasticloadbalancing/pricing", "0.0225"),
    _price("alb-lcu", "hour", "elasticloadbalancing/pricing", "0.008"),
    _price("aurora-acu", "hour", "rds/aurora/pricing", "0.12", "0.20"),
    _price("aurora-storage", "GB-month", "rds/aurora/pricing", "0.10", "0.12"),
    _price("aurora-io", "million requests", "rds/aurora/pricing", "0.20", "0.24"),
    _price("aurora-backup", "GB-month", "rds/aurora/pricing", "0.021", "0.023"),
    _price("cache.t4g.medium redis", "hour", "elasticache/pricing", "0.065", "0.095"),
    _price("cache.r6g.large redis", "hour", "elasticache/pricing", "0.206", "0.247"),
    _price("cache.t4g.medium valkey", "hour", "elasticache/pricing", "0.052", "0.076"),
    _price("cache.r6g.large valkey", "hour", "elasticache/pricing", "0.1648", "0.1976"),
    _price("cache-backup", "GB-month", "elasticache/pricing", "0.085"),
    _price("efs-standard", "GB-month", "efs/pricing", "0.30", "0.33"),
    _price("efs-backup", "GB-month", "backup/pricing", "0.05"),
    _price("s3-standard", "GB-month", "s3/pricing", "0.023", "0.025"),
    _price("s3-put", "thousand requests", "s3/pricing", "0.005", "0.0045"),
    _price("cloudfront-gb", "GB", "cloudfront/pricing", "0.085", "0.120", assumption=_VIEWERS),
    _price("logs-gb", "GB", "cloudwatch/pricing", "0.50", "0.76"),
    _price("alarm", "alarm-month", "cloudwatch/pricing", "0.10"),
    _price("secret", "secret-month", "secrets-manager/pricing", "0.40"),
    _price("kms-key", "key-month", "kms/pricing", "1.00"),
    _price("kms-requests", "million requests", "kms/pricing", "3.00"),
    _price("ecr", "GB-month", "ecr/pricing", "0.10"),
    _price("waf-acl", "ACL-month", "waf/pricing", "5.00"),
    _price("waf-rule", "rule-month", "waf/pricing", "1.00"),
    _price("waf-requests", "million requests", "waf/pricing", "0.60"),
    _price("hosted-zone", "zone-month", "route53/pricing", "0.50"),
    _price("guardduty-events", "million events", "guardduty/pricing", "4.00"),
    _price("guardduty-network", "GB", "guardduty/pricing", "1.00"),
    _price("cloudtrail-data", "million events", "cloudtrail/pricing", "1.00"),
)
PRICES: MappingProxyType[str, Price] = MappingProxyType({price.name: price for price in _ALL})
SPOT_SHARE = Decimal("0.30")
"""Spot as a share of the on-demand price. An assumption, the documents' discount of 70 %: Spot moves by the hour, zone
and type, and g4dn.xlarge often stands above it. `aws ec2 describe-spot-price-history` knows."""


def usd(name: str, region: str) -> Decimal:
    """Dollars a unit.

    Raises:
        KeyError: the file has no such price, or none for that region; the message says which.

    >>> usd("nat-hour", "us-east-1"), usd("nat-hour", "ap-northeast-2")
    (Decimal('0.045'), Decimal('0.059'))
    """
    known = PRICES.get(name)
    if known is None or region not in known.usd:
        raise KeyError(f"blueprint/costs/prices.py has no price for {name} in {region}")
    return known.usd[region]


def spot(instance: str, region: str) -> Decimal:
    """An hour of a Spot instance, by the assumed share.

    >>> spot("t3.medium", "us-east-1")
    Decimal('0.012480')
    """
    return usd(instance, region) * SPOT_SHARE
