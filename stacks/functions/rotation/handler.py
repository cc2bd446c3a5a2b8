"""Rotates the password of a PostgreSQL role: the function that Secrets Manager calls, one step a call.

The role signs in with its old password and gives itself the new one, so that no other secret is needed. Python's
runtime on Lambda has no PostgreSQL driver, and what a rotation needs of the protocol fits below: TLS, SCRAM-SHA-256
(RFC 5802, RFC 7677), one statement. The new password itself is never sent: PostgreSQL gets its verifier.

`CA` in the environment is the authority, in PEM, that must have signed the server's certificate.
"""

import base64
import hashlib
import hmac
import json
import logging
import os
import secrets
import socket
import ssl
import string
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

LOG = logging.getLogger(__name__)
"""Lambda writes its records as JSON lines."""
ITERATIONS = 4096
"""PostgreSQL's own number (scram_iterations)."""
PASSWORD_LENGTH = 40
ALPHABET = string.ascii_letters + string.digits
"""No character that a URL, a shell or a template would read as its own; 40 of them are 238 bits."""
SECONDS = 40
"""To connect and for each answer: a paused cluster takes about 15 s to wake."""
INVALID_LOGIN = ("28000", "28P01")
"""SQLSTATE of a role that is not there, and of a wrong password."""
SSL_REQUEST, PROTOCOL_3 = 80877103, 196608


class ProtocolError(RuntimeError):
    """The server said something that a PostgreSQL which may be trusted does not say."""


class ServerError(RuntimeError):
    """The server refused; `code` is its SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class Connection:
    """One signed-in connection to PostgreSQL."""

    def __init__(self, *, host: str, port: int, user: str, password: str, dbname: str, context: ssl.SSLContext) -> None:
        raw = socket.create_connection((host, port), timeout=SECONDS)
        try:
            raw.sendall(struct.pack("!II", 8, SSL_REQUEST))
            if raw.recv(1) != b"S":
                raise ProtocolError("the server does not speak TLS")
            self._socket = context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise
        try:
            self._sign_in(user, password, dbname)
        except BaseException:
            self._socket.close()
            raise

    def run(self, statement: str) -> None:
        """Runs one statement and leaves its rows.

        Raises:
            ServerError: the server refused it.
        """
        self._send(b"Q", statement.encode() + b"\0")
        refusal: ServerError | None = None
        while True:
            kind, body = self._receive()
            if kind == b"E":
                refusal = _refusal(body)
            elif kind == b"Z":
                break
        if refusal:
            raise refusal

    def close(self) -> None:
        try:
            self._send(b"X", b"")
        finally:
            self._socket.close()

    def _sign_in(self, user: str, password: str, dbname: str) -> None:
        pairs = {"user": user, "database": dbname, "application_name": "pingvas-rotation"}
        body = b"".join(f"{name}\0{value}\0".encode() for name, value in pairs.items()) + b"\0"
        self._socket.sendall(struct.pack("!II", len(body) + 8, PROTOCOL_3) + body)
        mechanisms = self._authentication(10)
        if b"SCRAM-SHA-256" not in mechanisms.split(b"\0"):
            raise ProtocolError("the server does not offer SCRAM-SHA-256")
        scram = Scram(password, secrets.token_urlsafe(24))
        first = scram.first.encode()
        self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
        self._send(b"p", scram.final(self._authentication(11).decode()).encode())
        scram.verify(self._authentication(12).decode())
        self._authentication(0)
        while self._message()[0] != b"Z":
            pass

    def _authentication(self, wanted: int) -> bytes:
        """The body of the next message, which must be this step of the sign-in."""
        kind, body = self._message()
        if kind != b"R" or struct.unpack("!I", body[:4])[0] != wanted:
            raise ProtocolError(f"step {wanted} of the sign-in did not come")
        return body[4:]

    def _message(self) -> tuple[bytes, bytes]:
        kind, body = self._receive()
        if kind == b"E":
            raise _refusal(body)
        return kind, body

    def _send(self, kind: bytes, body: bytes) -> None:
        self._socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _receive(self) -> tuple[bytes, bytes]:
        kind, length = struct.unpack("!cI", self._exactly(5))
        return kind, self._exactly(length - 4)

    def _exactly(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise ProtocolError("the server hung up")
            parts += part
        return parts


class Scram:
    """The client's half of SCRAM-SHA-256 without channel binding; passwords are ASCII, so SASLprep changes nothing."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password = password
        self._nonce = nonce
        self._bare = f"n=,r={nonce}"
        self._signature = b""
        self.first = f"n,,{self._bare}"

    def final(self, server_first: str) -> str:
        """The answer to the server's first message."""
        fields = _fields(server_first)
        if not fields["r"].startswith(self._nonce) or fields["r"] == self._nonce:
            raise ProtocolError("the server's nonce does not continue ours")
        salted = _salted(self._password, base64.b64decode(fields["s"]), int(fields["i"]))
        bare = f"c=biws,r={fields['r']}"
        message = f"{self._bare},{server_first},{bare}".encode()
        key = _hmac(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, _hmac(hashlib.sha256(key).digest(), message), strict=True))
        self._signature = _hmac(_hmac(salted, b"Server Key"), message)
        return f"{bare},p={base64.b64encode(proof).decode()}"

    def verify(self, server_final: str) -> None:
        """Makes sure that the server knows the password's verifier too."""
        if not hmac.compare_digest(base64.b64decode(_fields(server_final)["v"]), self._signature):
            raise ProtocolError("the server's signature is wrong")


def verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL keeps of a password; given in a password's place, it is stored as it is."""
    salted = _salted(password, salt, ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, _hmac(salted, b"Server Key"))]
    return f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def handler(event: dict[str, str], context: object) -> None:
    """One step of a rotation: createSecret, setSecret, testSecret or finishSecret, each safe to repeat.

    Raises:
        ValueError: the call is none of Secrets Manager's, or the secret is not what it has to be.
        ServerError: no password that Secrets Manager remembers lets the role in; before the bootstrap Job has run
            there is no role.
    """
    import boto3

    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    rotation = Rotation(boto3.client("secretsmanager"), secret, token)
    try:
        steps = {
            "createSecret": rotation.create,
            "setSecret": rotation.set,
            "testSecret": rotation.test,
            "finishSecret": rotation.finish,
        }
        if step not in steps:
            raise ValueError(f"{step!r} is no step of a rotation")
        if rotation.pending():
            steps[step]()
    except Exception as error:
        LOG.error(
            "rotation failed", extra={"secret": secret, "step": step, "reason": f"{type(error).__name__}: {error}"}
        )
        raise
    LOG.info("rotation step done", extra={"secret": secret, "step": step})


class Rotation:
    """The steps on one secret and one version of it."""

    def __init__(self, client: Any, secret: str, token: str) -> None:
        self._client = client
        self._secret = secret
        self._token = token

    def pending(self) -> bool:
        """Whether this version is still to become the current one.

        Raises:
            ValueError: Secrets Manager knows nothing of such a rotation.
        """
        found = self._client.describe_secret(SecretId=self._secret)
        stages = found.get("VersionIdsToStages", {}).get(self._token, [])
        if not found.get("RotationEnabled"):
            raise ValueError("the secret does not rotate")
        if "AWSCURRENT" in stages:
            return False
        if "AWSPENDING" not in stages:
            raise ValueError("the version was not made for a rotation")
        return True

    def create(self) -> None:
        try:
            self._value("AWSPENDING", self._token)
        except self._client.exceptions.ResourceNotFoundException:
            value = self._value("AWSCURRENT")
            value["password"] = "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))
            self._client.put_secret_value(
                SecretId=self._secret,
                ClientRequestToken=self._token,
                SecretString=json.dumps(value),
                VersionStages=["AWSPENDING"],
            )

    def set(self) -> None:
        pending, current = self._value("AWSPENDING", self._token), self._value("AWSCURRENT")
        if any(pending[key] != current[key] for key in ("username", "host", "port")):
            raise ValueError("the pending version is of another role or another server")
        statement = f"ALTER ROLE CURRENT_USER PASSWORD '{verifier(pending['password'], secrets.token_bytes(16))}'"
        refusal: ServerError | None = None
        for stage in ("AWSPENDING", "AWSCURRENT", "AWSPREVIOUS"):
            try:
                with signed_in(self._value(stage)) as connection:
                    if stage != "AWSPENDING":
                        connection.run(statement)
                    return
            except self._client.exceptions.ResourceNotFoundException:
                continue
            except ServerError as error:
                if error.code not in INVALID_LOGIN:
                    raise
                refusal = error
        _nobody(refusal)

    def test(self) -> None:
        """Signs in with the new password.

        Secrets Manager also calls this step alone, with the current value, when a schedule is made: the first
        deployment does so before the bootstrap Job has made the role, which is no fault.
        """
        current = self._value("AWSCURRENT")
        try:
            value = self._value("AWSPENDING", self._token)
        except self._client.exceptions.ResourceNotFoundException:
            value = current
        try:
            with signed_in(value) as connection:
                connection.run("SELECT 1")
        except ServerError as error:
            if error.code not in INVALID_LOGIN or value != current:
                raise
            LOG.warning("the role cannot sign in yet", extra={"secret": self._secret, "reason": str(error)})

    def finish(self) -> None:
        stages = self._client.describe_secret(SecretId=self._secret)["VersionIdsToStages"]
        current = next(version for version, names in stages.items() if "AWSCURRENT" in names)
        self._client.update_secret_version_stage(
            SecretId=self._secret, VersionStage="AWSCURRENT", MoveToVersionId=self._token, RemoveFromVersionId=current
        )

    def _value(self, stage: str, token: str | None = None) -> dict[str, Any]:
        version = {"VersionId": token} if token else {}
        found = self._client.get_secret_value(SecretId=self._secret, VersionStage=stage, **version)
        value: dict[str, Any] = json.loads(found["SecretString"])
        missing = [key for key in ("username", "password", "host", "port", "dbname") if not value.get(key)]
        if missing:
            raise ValueError(f"the secret's {stage} lacks {', '.join(missing)}")
        return value


@contextmanager
def signed_in(secret: dict[str, Any]) -> Iterator[Connection]:
    """A connection with what a secret says; its server is verified by the authority in `CA`."""
    connection = Connection(
        host=secret["host"],
        port=int(secret["port"]),
        user=secret["username"],
        password=secret["password"],
        dbname=secret["dbname"],
        context=ssl.create_default_context(cadata=os.environ["CA"]),
    )
    try:
        yield connection
    finally:
        connection.close()


def _nobody(refusal: ServerError | None) -> NoReturn:
    raise refusal or ValueError("the secret has no version to sign in with")


def _refusal(body: bytes) -> ServerError:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return ServerError(fields.get(b"C", "?????"), fields.get(b"M", "no message"))


def _fields(message: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in message.split(","))
    return {name: value for name, _, value in pairs}


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
