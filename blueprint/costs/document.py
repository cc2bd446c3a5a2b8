"""The final architecture document's monthly table, row by row as it stands there. US dollars.

Its total is exact; several amounts do not follow from the prices beside them. `at_its_price` says what would.
"""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from blueprint.costs.prices import HOURS

TOTAL = Decimal("1249.37")


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One row. `unit_price` is an hour's where `hourly`, a month's otherwise; None where the table has none.

    `why` says where the amount differs from count by price, and `note` what the table remarks.
    """

    key: str
    service: str
    specification: str
    amount: Decimal
    count: Decimal | None = None
    unit_price: Decimal | None = None
    hourly: bool = True
    why: str = ""

    @property
    def at_its_price(self) -> Decimal:
        """Count by price, by 730 hours; the amount itself where the table gives no price.

        >>> DOCUMENT["eks"].at_its_price, DOCUMENT["eks"].amount
        (Decimal('73.00'), Decimal('72.00'))
        """
        if self.count is None or self.unit_price is None:
            return self.amount
        return (self.count * self.unit_price * (HOURS if self.hourly else 1)).quantize(Decimal("0.01"))


def _row(
    key: str, service: str, specification: str, amount: str, *by: str, hourly: bool = True, why: str = ""
) -> DocumentRow:
    count, price = (Decimal(by[0]), Decimal(by[1])) if by else (None, None)
    return DocumentRow(key, service, specification, Decimal(amount), count, price, hourly, why)


_720 = "the document counts 720 hours, a month has 730"
_ALL = (
    _row("eks", "EKS control plane", "managed", "72.00", "1", "0.10", why=_720),
    _row("system-nodes", "System nodes", "t3.medium Spot", "18.24", "2", "0.0125", why="its price gives a cent more"),
    _row(
        "gpu-nodes",
        "GPU nodes",
        "g4dn.xlarge Spot, about 3",
        "200.00",
        "3",
        "0.118",
        why="its amount buys 2.3 nodes around the clock",
    ),
    _row("aurora-writer", "Aurora writer", "Serverless v2, 1 ACU", "87.00", "1", "0.12", why="725 hours"),
    _row("aurora-reader", "Aurora reader", "Serverless v2, 1 ACU", "87.00", "1", "0.12", why="725 hours"),
    _row("redis-dev", "Redis dev", "cache.t4g.medium", "49.64", "1", "0.068"),
    _row(
        "redis-prod",
        "Redis prod",
        "3 cache.r6g.large",
        "467.09",
        "3",
        "0.211",
        why="five dollars more than its price gives, 462.09",
    ),
    _row("nat", "NAT gateway", "one", "32.40", "1", "0.045", why=_720),
    _row("alb", "Load balancer", "without capacity units", "18.00", "1", "0.025", why=_720),
    _row("efs", "EFS", "100 GB, Standard", "30.00"),
    _row("s3-dev", "S3 dev", "500 GB", "11.50"),
    _row("s3-prod", "S3 prod", "2 TB", "46.00"),
    _row("s3-models", "S3 models", "500 GB", "11.50"),
    _row("cloudfront", "CloudFront", "1 TB", "20.00"),
    _row("data-transfer", "Data transfer", "NAT, between zones", "60.00"),
    _row("cloudwatch", "CloudWatch", "logs and metrics", "30.00"),
    _row("secrets", "Secrets Manager", "10 secrets", "4.00", "10", "0.40", hourly=False),
    _row("ecr", "ECR", "50 GB", "5.00", "50", "0.10", hourly=False),
)
DOCUMENT: MappingProxyType[str, DocumentRow] = MappingProxyType({row.key: row for row in _ALL})
