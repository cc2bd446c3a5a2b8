"""What the data layer makes, the services can use: TLS to PostgreSQL and Redis, the server verified."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy as sa
from psycopg import sql
from pydantic import SecretStr

from blueprint.data import RDS_AUTHORITIES
from blueprint.environments import LOCAL
from services.kernel import redis as kernel_redis
from services.kernel.addresses import libpq, with_authorities
from services.kernel.bootstrap import bootstrap
from services.kernel.db import Database, DatabaseUnavailableError, sync_engine
from services.kernel.queue import PublishError, celery_app
from services.kernel.settings import Settings
from studio.postgres import Postgres
from studio.processes import LOOPBACK
from studio.valkey import Valkey
from tests.support.tls import Certificates, certificates, tls_front

HOST = "pingvas-shared-aurora.cluster-abc.us-east-1.rds.amazonaws.com"


@pytest.fixture(scope="module")
def files(place: Path) -> Certificates:
    return certificates(place, name="kernel")


@pytest.fixture(scope="module")
def database_port(files: Certificates, postgres: Postgres) -> Iterator[int]:
    with tls_front(files, postgres._port, postgres=True) as port:
        yield port


@pytest.fixture(scope="module")
def redis_url(files: Certificates, valkey: Valkey) -> Iterator[str]:
    """As in prod: the token without a user, TLS, the server verified; in the cloud by public authorities."""
    login, _, address = valkey.url.removeprefix("redis://").rpartition("@")
    with tls_front(files, int(address.partition("/")[0].rpartition(":")[2]), postgres=False) as port:
        yield f"rediss://{login}@{LOOPBACK}:{port}/0?ssl_cert_reqs=required"


@pytest.fixture
def over_tls(settings: Settings, database_port: int, redis_url: str, files: Certificates) -> Settings:
    def url(given: SecretStr | None, query: str = f"sslrootcert={files.authority}") -> SecretStr:
        assert given is not None
        secret = sa.make_url(given.get_secret_value()).set(port=database_port)
        return SecretStr(f"{secret.render_as_string(hide_password=False)}?sslmode=verify-full&{query}")

    return settings.model_copy(
        update={
            "database_url": url(settings.database_url),
            "database_reader_url": url(settings.database_url),
            "database_worker_url": url(settings.database_worker_url),
            "database_owner_url": url(settings.database_owner_url, "connect_timeout=5"),
            "redis_url": SecretStr(f"{redis_url}&ssl_ca_certs={files.authority}"),
        }
    )


async def test_services_reach_a_database_that_they_verify(over_tls: Settings) -> None:
    db = Database(over_tls)
    await db.check()
    await db.close()


def test_workers_and_migrations_too(over_tls: Settings) -> None:
    engine = sync_engine(over_tls, role="worker")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == LOCAL.role("worker")
    engine.dispose()


async def test_a_password_that_rotates_is_read_anew_for_each_connection(
    over_tls: Settings, postgres: Postgres, passwords: dict[str, str], tmp_path: Path
) -> None:
    """As in a pod: the URL names the file of a mounted Secret, which follows what the rotation wrote."""
    file, role = tmp_path / "password", LOCAL.role("app")
    address = sa.make_url(over_tls.database_url.get_secret_value())
    named = address._replace(password=None).update_query_pairs([("passwordfile", str(file))])
    url = SecretStr(named.render_as_string(hide_password=False))
    db = Database(over_tls.model_copy(update={"database_url": url, "database_reader_url": None, "database_pool": 2}))
    who = sa.text("SELECT current_user, pg_sleep(0.05)")
    try:
        file.write_text(passwords["app"] + "\n")
        async with db.read() as old:
            assert await old.scalar(who) == role
            change_password(postgres, role, "rotated")
            assert await old.scalar(who) == role, "a connection outlives its password"
            with pytest.raises(DatabaseUnavailableError):
                await db.check()
            file.write_text("rotated")
            async with db.read() as new:
                assert await new.scalar(who) == role
    finally:
        change_password(postgres, role, passwords["app"])
        await db.close()


def change_password(postgres: Postgres, role: str, password: str) -> None:
    with psycopg.connect(postgres.admin_url.replace("+psycopg", ""), autocommit=True) as connection:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), password)
        connection.execute(statement)


def test_workers_read_it_too(over_tls: Settings, passwords: dict[str, str], tmp_path: Path) -> None:
    assert over_tls.database_worker_url is not None
    (tmp_path / "password").write_text(passwords["worker"])
    address = sa.make_url(over_tls.database_worker_url.get_secret_value())
    named = address._replace(password=None).update_query_pairs([("passwordfile", str(tmp_path / "password"))])
    url = SecretStr(named.render_as_string(hide_password=False))
    engine = sync_engine(over_tls.model_copy(update={"database_worker_url": url}), role="worker")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == LOCAL.role("worker")
    engine.dispose()


def test_a_server_that_rds_did_not_sign_is_refused(over_tls: Settings) -> None:
    engine = sync_engine(over_tls, role="owner")
    with pytest.raises(sa.exc.OperationalError, match="certificate verify failed"):
        engine.connect()


async def test_a_service_says_that_it_has_no_database_then(over_tls: Settings) -> None:
    db = Database(over_tls.model_copy(update={"database_url": over_tls.database_owner_url}))
    with pytest.raises(DatabaseUnavailableError):
        async with db.read(fresh=True) as session:
            await session.scalar(sa.text("SELECT 1"))
    await db.close()


def test_the_bootstrap_verifies_whom_it_gives_the_masters_password(
    postgres: Postgres, database_port: int, files: Certificates, passwords: dict[str, str]
) -> None:
    url = postgres.admin_url.replace(f":{postgres._port}/", f":{database_port}/") + "?sslmode=verify-full"
    with pytest.raises(Exception, match="certificate verify failed"):
        bootstrap(url, LOCAL.name, passwords)
    bootstrap(f"{url}&sslrootcert={files.authority}", LOCAL.name, passwords)


def test_psycopg_itself_gets_the_password_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("p/w@1\n")
    url = f"postgresql+psycopg://app@{HOST}:5432/pingvas_saas?passwordfile={tmp_path}/word&sslmode=verify-full"
    given = psycopg.conninfo.conninfo_to_dict(libpq(url))
    assert (given["user"], given["password"], given["host"]) == ("app", "p/w@1", HOST)
    assert (given["dbname"], given["sslrootcert"]) == ("pingvas_saas", str(RDS_AUTHORITIES))
    with pytest.raises(OSError, match="missing"):
        libpq(f"postgresql+psycopg://app@{HOST}/pingvas_saas?passwordfile=/missing")


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
def test_a_url_of_the_cloud_needs_no_file_named(mode: str) -> None:
    url = f"postgresql+psycopg://pingvas_prod_app:pw@{HOST}:5432/pingvas_saas?sslmode={mode}"
    given = sa.make_url(with_authorities(url))
    assert given.query == {"sslmode": mode, "sslrootcert": str(RDS_AUTHORITIES)}
    assert RDS_AUTHORITIES.is_file()
    assert given.set(query={}).render_as_string(hide_password=False) == url.partition("?")[0]


@pytest.mark.parametrize("query", ["", "?sslmode=require", "?sslmode=verify-full&sslrootcert=/etc/own.pem"])
def test_a_url_that_verifies_nobody_or_says_by_whom_stays(query: str) -> None:
    url = f"postgresql+psycopg://app:pw@{HOST}/pingvas_saas{query}"
    assert with_authorities(url) == url


def test_celery_and_redis_reach_a_redis_that_they_verify(over_tls: Settings) -> None:
    url = over_tls.redis_url.get_secret_value()
    client = kernel_redis.client(url)
    assert client.ping()
    client.close()
    with celery_app(over_tls).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        assert connection.connected


async def test_so_do_asynchronous_clients(over_tls: Settings) -> None:
    client = kernel_redis.async_client(over_tls.redis_url.get_secret_value())
    assert await client.ping()
    await kernel_redis.close(client)


def test_a_redis_of_an_unknown_authority_is_refused(over_tls: Settings, redis_url: str) -> None:
    with pytest.raises(redis.exceptions.ConnectionError, match="certificate verify failed"):
        kernel_redis.client(redis_url).ping()
    unknown = over_tls.model_copy(update={"redis_url": SecretStr(redis_url)})
    with celery_app(unknown).connection_for_write() as connection, pytest.raises(PublishError, match="certificate"):
        connection.ensure_connection(max_retries=1, timeout=5)
