"""What goes in and out of the user service."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

Scope = Literal["profile", "credits", "generate", "gallery", "models"]


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("may hold no control characters and no line breaks")
    return value


def _once(value: list[Scope]) -> list[Scope]:
    return list(dict.fromkeys(value))


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(_printable)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LocalSignIn(_Request):
    """Signs in without a password; the development environment alone has this."""

    email: Annotated[EmailStr, AfterValidator(str.lower)]
    display_name: Name | None = None


class Refresh(_Request):
    refresh_token: Token


class SignOut(_Request):
    """`everywhere` ends all sessions of the user, not this one alone."""

    refresh_token: Token
    everywhere: bool = False


class ProfileChange(_Request):
    display_name: Name


class ApiKeyRequest(_Request):
    """A key for programs: it may do what `scopes` say, until it is revoked or `expires_in_days` are over."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20), AfterValidator(_once)]
    expires_in_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class User(BaseModel):
    id: UUID
    email: str
    display_name: str
    plan: str


class Profile(User):
    created_at: datetime


class TokenPair(BaseModel):
    """`expires_in` is the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (a word of RFC 6750)
    expires_in: int
    user: User


class ApiKey(BaseModel):
    """`prefix` is how the key begins; the key itself cannot be shown again."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class NewApiKey(ApiKey):
    key: str


class ApiKeys(BaseModel):
    items: list[ApiKey]
