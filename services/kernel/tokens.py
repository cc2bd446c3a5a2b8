"""Access tokens: JWT by HS256, 30 minutes (RFC 7519); and API keys, of which only a hash is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from blueprint.security import SCOPES, SECURITY
from services.kernel.errors import UnauthorizedError
from services.kernel.settings import Settings

API_KEY_PREFIX = "pv_"


class MissingTokenError(UnauthorizedError):
    code, title = "missing_token", "Sign in first: no bearer token was sent"


class InvalidTokenError(UnauthorizedError):
    code, title = "invalid_token", "This token is not valid"


class ExpiredTokenError(UnauthorizedError):
    code, title = "expired_token", "This token has expired; refresh it or sign in again"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a user, by a session or by an API key, and what they may do."""

    user_id: UUID
    scopes: frozenset[str]
    session_id: str | None = None
    api_key_id: UUID | None = None


class Tokens:
    """Signs and reads the access tokens of one environment."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.require("jwt_secret").get_secret_value()
        self._audience = f"pingvas-{settings.env}"

    def access(self, user_id: UUID, session_id: str) -> str:
        """An access token for a signed-in session."""
        now = datetime.now(UTC)
        claims = {
            "iss": SECURITY.jwt_issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": session_id,
            "iat": now,
            "exp": now + timedelta(seconds=SECURITY.access_token),
        }
        return jwt.encode(claims, self._secret, algorithm=SECURITY.jwt_algorithm)

    def principal(self, token: str) -> Principal:
        """Reads an access token.

        Raises:
            ExpiredTokenError, InvalidTokenError: by what is wrong with it.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[SECURITY.jwt_algorithm],
                audience=self._audience,
                issuer=SECURITY.jwt_issuer,
                options={"require": ["exp", "sub", "sid", "aud", "iss"]},
            )
            return Principal(UUID(claims["sub"]), frozenset(SCOPES), session_id=claims["sid"])
        except jwt.ExpiredSignatureError as error:
            raise ExpiredTokenError from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise InvalidTokenError from error


def new_api_key(env: str) -> str:
    """A fresh key, shown once: `pv_<env>_<256 random bits>`."""
    return f"{API_KEY_PREFIX}{env}_{secrets.token_urlsafe(32)}"


def secret_hash(secret: str) -> bytes:
    """SHA-256 of a secret of full entropy, which needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()
