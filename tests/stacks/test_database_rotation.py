"""The function that rotates passwords of database roles: a real PostgreSQL behind TLS, and moto's Secrets Manager."""

import base64
import json
import logging
import secrets
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from moto import mock_aws
from moto.secretsmanager.models import secretsmanager_backends
from psycopg import sql

from stacks.functions.rotation.handler import (
    PASSWORD_LENGTH,
    Connection,
    ProtocolError,
    Scram,
    ServerError,
    handler,
    verifier,
)
from studio.postgres import Postgres
from studio.processes import LOOPBACK
from tests.support.tls import Certificates, certificates, tls_front

REGION, ACCOUNT = "us-east-1", "123456789012"
PATH = "pingvas/dev/db-app"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@pytest.fixture(scope="module")
def files(place: Path) -> Certificates:
    return certificates(place)


@pytest.fixture(scope="module")
def port(postgres: Postgres, files: Certificates) -> Iterator[int]:
    with tls_front(files, postgres._port, postgres=True) as port:
        yield port


class Role:
    """A role of the database, and its secret at Secrets Manager."""

    def __init__(self, server: Postgres, port: int) -> None:
        self.client: Any = boto3.client("secretsmanager", REGION)
        self.name = f"pingvas_dev_{secrets.token_hex(4)}"
        self.value: dict[str, Any] = {
            "username": self.name,
            "password": secrets.token_hex(16),
            "engine": "aurora-postgresql",
            "host": LOOPBACK,
            "port": port,
            "dbname": "postgres",
            "dbClusterIdentifier": "pingvas-shared-aurora",
        }
        self.client.create_secret(Name=PATH, SecretString=json.dumps(self.value))
        self.secret = secretsmanager_backends[ACCOUNT][REGION].secrets[PATH]
        self.secret.rotation_requested = self.secret.rotation_enabled = True
        self._server = server

    def make(self, password: str | None = None) -> None:
        """What the bootstrap Job does."""
        with psycopg.connect(self._server.url().replace("+psycopg", ""), autocommit=True) as connection:
            name = sql.Identifier(self.name)
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(name, password or self.value["password"]))
            connection.execute(sql.SQL("ALTER ROLE {} SET log_statement = 'all'").format(name))

    def begin(self, value: dict[str, Any] | None = None) -> str:
        """What Secrets Manager does before it calls the function: a pending version, without a value as yet."""
        token = str(uuid4())
        version: dict[str, Any] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
        self.secret.versions[token] = version | ({"secret_string": json.dumps(value)} if value else {})
        return token

    def step(self, name: str, token: str) -> None:
        handler({"SecretId": PATH, "ClientRequestToken": token, "Step": name}, None)

    def current(self, stage: str = "AWSCURRENT") -> dict[str, Any]:
        found = self.client.get_secret_value(SecretId=PATH, VersionStage=stage)
        return dict(json.loads(found["SecretString"]))

    def lets_in(self, password: str) -> bool:
        try:
            psycopg.connect(self._server.url(self.name, password).replace("+psycopg", "")).close()
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error)
            return False
        return True


@pytest.fixture
def role(postgres: Postgres, port: int, files: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Role]:
    monkeypatch.setenv("CA", files.authority.read_text())
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield Role(postgres, port)


def test_a_rotation_ends_with_a_new_password_that_lets_in_and_an_old_one_that_does_not(role: Role) -> None:
    role.make()
    token = role.begin()
    for step in STEPS:
        role.step(step, token)
    new = role.current()
    assert len(new["password"]) == PASSWORD_LENGTH
    assert new["password"].isascii() and new["password"].isalnum(), "URLs are made of it"
    assert {**new, "password": role.value["password"]} == role.value, "nothing else may change"
    assert role.lets_in(new["password"])
    assert not role.lets_in(role.value["password"])
    assert role.current("AWSPREVIOUS") == role.value


def test_every_step_may_come_twice(role: Role) -> None:
    role.make()
    token = role.begin()
    for step in STEPS:
        role.step(step, token)
        role.step(step, token)
    assert role.lets_in(role.current()["password"])


def test_a_second_rotation_follows_the_first(role: Role) -> None:
    role.make()
    for _ in range(2):
        token = role.begin()
        for step in STEPS:
            role.step(step, token)
    assert role.lets_in(role.current()["password"])
    assert role.current("AWSPREVIOUS")["password"] != role.value["password"]


def test_a_role_that_kept_its_previous_password_is_rotated_from_that(role: Role) -> None:
    previous = role.value["password"]
    role.make(previous)
    role.client.put_secret_value(
        SecretId=PATH, SecretString=json.dumps({**role.value, "password": secrets.token_hex(16)})
    )
    token = role.begin()
    for step in STEPS:
        role.step(step, token)
    assert role.lets_in(role.current()["password"])
    assert not role.lets_in(previous)


def test_a_password_that_nobody_remembers_stops_the_rotation(role: Role) -> None:
    role.make("another")
    token = role.begin()
    role.step("createSecret", token)
    with pytest.raises(ServerError, match="password authentication failed"):
        role.step("setSecret", token)
    assert role.current() == role.value
    assert role.lets_in("another")


def test_making_the_schedule_before_the_role_is_there_is_no_fault(role: Role, caplog: pytest.LogCaptureFixture) -> None:
    role.step("testSecret", role.begin(role.value))
    role.step("testSecret", role.begin())
    assert [record.message for record in caplog.records].count("the role cannot sign in yet") == 2


def test_a_new_password_that_does_not_let_in_fails_the_test(role: Role) -> None:
    role.make()
    token = role.begin()
    role.step("createSecret", token)
    with pytest.raises(ServerError, match="28P01"):
        role.step("testSecret", token)


@pytest.mark.parametrize("key", ["username", "host", "port"])
def test_a_pending_version_of_another_role_or_server_is_refused(role: Role, key: str) -> None:
    role.make()
    token = role.begin({**role.value, key: "1"})
    with pytest.raises(ValueError, match="another role or another server"):
        role.step("setSecret", token)
    assert role.lets_in(role.value["password"])


def test_a_secret_that_is_not_attached_to_the_cluster_is_told_what_it_lacks(role: Role) -> None:
    role.client.put_secret_value(SecretId=PATH, SecretString='{"username": "a", "password": "b"}')
    with pytest.raises(ValueError, match="AWSCURRENT lacks host, port, dbname"):
        role.step("createSecret", role.begin())


def test_calls_that_are_no_rotation_are_refused(role: Role) -> None:
    token = role.begin()
    with pytest.raises(ValueError, match="no step"):
        role.step("dropSecret", token)
    with pytest.raises(ValueError, match="was not made for a rotation"):
        role.step("createSecret", str(uuid4()))
    role.secret.rotation_enabled = False
    with pytest.raises(ValueError, match="does not rotate"):
        role.step("createSecret", token)


def test_neither_password_reaches_a_log(role: Role, place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="stacks.functions.rotation.handler")
    role.make()
    token = role.begin()
    for step in STEPS:
        role.step(step, token)
    with pytest.raises(ValueError, match="no step"):
        role.step("dropSecret", role.begin(role.value))
    told = "".join(str(vars(record)) for record in caplog.records) + (place / "postgres.log").read_text()
    assert "ALTER ROLE CURRENT_USER PASSWORD 'SCRAM-SHA-256$4096:" in told
    assert role.current()["password"] not in told


def test_a_server_of_another_authority_gets_no_password(
    role: Role, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role.make()
    monkeypatch.setenv("CA", certificates(place, name="impostor").authority.read_text())
    with pytest.raises(OSError, match="certificate verify failed"):
        role.step("testSecret", role.begin(role.value))


def test_a_server_of_another_name_gets_no_password(role: Role, port: int, files: Certificates) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        Connection(
            host="localhost",
            port=port,
            user=role.name,
            password="x",
            dbname="postgres",
            context=ssl.create_default_context(cafile=files.authority),
        )


def test_a_server_without_tls_gets_no_password(role: Role, postgres: Postgres) -> None:
    with pytest.raises(ProtocolError, match="does not speak TLS"):
        role.step("testSecret", role.begin({**role.value, "port": postgres._port}))


def test_scram_is_that_of_the_rfc() -> None:
    """RFC 7677, section 3; it signs in as `user`, where PostgreSQL takes the name from the startup message."""
    scram = Scram("pencil", "rOprNGfwEbeRWgbNEkqO")
    scram._bare = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    final = scram.final(f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final == f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(ProtocolError, match="signature"):
        scram.verify("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize("nonce", ["another", "ours"])
def test_a_nonce_that_does_not_continue_ours_is_refused(nonce: str) -> None:
    with pytest.raises(ProtocolError, match="nonce"):
        Scram("pencil", "ours").final(f"r={nonce},s={base64.b64encode(b'salt').decode()},i=4096")


def test_the_verifier_is_postgresqls_own(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url().replace("+psycopg", "")) as connection:
        theirs = connection.pgconn.encrypt_password(b"pencil", b"user", b"scram-sha-256").decode()
    salt = base64.b64decode(theirs.split(":")[1].split("$")[0])
    assert verifier("pencil", salt) == theirs
