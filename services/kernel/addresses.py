"""Addresses of PostgreSQL: what a setting's URL may say beyond what the driver understands.

`sslmode=verify-full` needs no `sslrootcert`: Aurora's certificates are signed by authorities of RDS's own, which no
operating system knows, and the platform carries those of its regions. (ElastiCache's authorities are public ones.)
`passwordfile=/path` takes the place of a password in the URL: the file is read for each new connection, so that a
mounted Secret may follow a rotation while the process runs.
"""

from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

from blueprint.data import RDS_AUTHORITIES

DRIVER = "postgresql+psycopg://"
PASSWORD_FILE = "passwordfile"  # noqa: S105 (a name in a query)
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


def password_file(url: str) -> tuple[str, Path | None]:
    """The URL without `passwordfile`, and the file that it names.

    >>> password_file("postgresql+psycopg://app@db/studio?sslmode=require&passwordfile=/run/secrets/app")
    ('postgresql+psycopg://app@db/studio?sslmode=require', PosixPath('/run/secrets/app'))
    """
    address, _, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    files = [unquote(value) for name, _, value in pairs if name == PASSWORD_FILE]
    kept = "&".join("".join(pair) for pair in pairs if pair[0] != PASSWORD_FILE)
    return f"{address}?{kept}" if kept else address, Path(files[0]) if files else None


def libpq(url: str) -> str:
    """The URL for psycopg alone, with the password that the file holds now.

    >>> libpq("postgresql+psycopg://app:pw@127.0.0.1/studio")
    'postgresql://app:pw@127.0.0.1/studio'

    Raises:
        OSError: the file of the password cannot be read.
    """
    address, file = password_file(with_authorities(url))
    scheme, rest = "postgresql://", address.removeprefix(DRIVER).removeprefix("postgresql://")
    if file is None:
        return f"{scheme}{rest}"
    user, at, host = rest.partition("@")
    return f"{scheme}{user}:{quote(file.read_text().strip(), safe='')}{at}{host}"
