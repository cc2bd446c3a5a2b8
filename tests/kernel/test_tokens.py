"""Access tokens: what was expired, forged or meant for somebody else is refused, each with its own code."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from services.kernel.settings import Settings
from services.kernel.tokens import ExpiredTokenError, InvalidTokenError, Tokens, new_api_key, secret_hash

USER = uuid4()


def signed(settings: Settings, key: str | None = None, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {
        "iss": "pingvas",
        "aud": "pingvas-local",
        "sub": str(USER),
        "sid": "s1",
        "exp": datetime.now(UTC) + timedelta(minutes=1),
    } | changes
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key or settings.jwt_secret.get_secret_value(), algorithm=algorithm)


def test_our_own_token_is_read_again(settings: Settings) -> None:
    tokens = Tokens(settings)
    principal = tokens.principal(tokens.access(USER, "s1"))
    assert (principal.user_id, principal.session_id, principal.api_key_id) == (USER, "s1", None)
    assert "generate" in principal.scopes
    assert tokens.principal(signed(settings)).user_id == USER


def test_a_token_lives_thirty_minutes(settings: Settings) -> None:
    claims = jwt.decode(Tokens(settings).access(USER, "s1"), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 30 * 60


def test_an_expired_token_says_so(settings: Settings) -> None:
    with pytest.raises(ExpiredTokenError):
        Tokens(settings).principal(signed(settings, exp=datetime.now(UTC) - timedelta(seconds=1)))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "pingvas-prod"},
        {"aud": None},
        {"iss": "somebody"},
        {"iss": None},
        {"sub": "no uuid"},
        {"sub": None},
        {"sid": None},
        {"exp": None},
    ],
    ids=str,
)
def test_a_token_for_somebody_else_is_invalid(settings: Settings, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        Tokens(settings).principal(signed(settings, **changes))


def test_a_forged_token_is_invalid(settings: Settings) -> None:
    tokens = Tokens(settings)
    with pytest.raises(InvalidTokenError):
        tokens.principal(signed(settings, key="f" * 64))
    with pytest.raises(InvalidTokenError):
        tokens.principal(signed(settings, key=settings.jwt_secret.get_secret_value() * 2, algorithm="HS512"))
    head, body, signature = tokens.access(USER, "s1").split(".")
    other = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": str(uuid4())}
    swapped = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
    with pytest.raises(InvalidTokenError):
        tokens.principal(f"{head}.{swapped}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_a_token_without_a_signature_is_invalid(settings: Settings, algorithm: str) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = jwt.decode(signed(settings), options={"verify_signature": False})
    token = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}."
    with pytest.raises(InvalidTokenError):
        Tokens(settings).principal(token)


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "é.é.é", "\u2028"])
def test_nonsense_is_invalid(settings: Settings, token: str) -> None:
    with pytest.raises(InvalidTokenError):
        Tokens(settings).principal(token)


def test_api_keys_say_their_environment_and_hash_to_32_bytes() -> None:
    key = new_api_key("dev")
    assert key.startswith("pv_dev_")
    assert len(key) == len("pv_dev_") + 43
    assert key != new_api_key("dev")
    assert len(secret_hash(key)) == 32
