"""TLS to PostgreSQL: a URL that asks for a verified server gets the authorities to verify it by.

Aurora's certificates are signed by authorities of RDS's own, which no operating system knows; the platform carries
those of its regions. Redis needs nothing of the kind: ElastiCache's authorities are public ones.
"""

from urllib.parse import parse_qs, quote

from blueprint.data import RDS_AUTHORITIES

VERIFYING = ("verify-ca", "verify-full")


def with_authorities(url: str) -> str:
    """The URL, with `sslrootcert` where it verifies the server and does not say by whom.

    >>> with_authorities("postgresql+psycopg://app@db/studio?sslmode=verify-full")
    'postgresql+psycopg://app@db/studio?sslmode=verify-full&sslrootcert=.../rds.pem'
    >>> with_authorities("postgresql+psycopg://app@127.0.0.1/studio")
    'postgresql+psycopg://app@127.0.0.1/studio'
    """
    query = parse_qs(url.partition("?")[2])
    if query.get("sslmode", [""])[0] not in VERIFYING or "sslrootcert" in query:
        return url
    return f"{url}&sslrootcert={quote(str(RDS_AUTHORITIES))}"
