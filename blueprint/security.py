"""Lifetimes and limits of sign-in. Seconds unless a name says otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Security:
    """Tokens and keys: HS256 access tokens of 30 minutes, refresh tokens that rotate at each use."""

    access_token: int = 30 * 60
    refresh_token: int = 30 * 24 * 3600
    refresh_reuse_window: int = 10
    """A refresh answered but lost on the way may be repeated this long; later reuse ends the session."""
    jwt_algorithm: str = "HS256"
    jwt_issuer: str = "pingvas"
    secret_bytes_minimum: int = 32
    api_keys_maximum: int = 20


SECURITY = Security()
SCOPES = ("profile", "credits", "generate", "gallery", "models")
"""What an API key may be limited to; a signed-in browser session has them all."""
