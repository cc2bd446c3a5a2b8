"""HTTP of the user service."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, status

from blueprint.security import SECURITY
from services.kernel.db import Row
from services.kernel.http.auth import Me, scope
from services.kernel.http.sessions import FreshReader, TransactionRoute, UnnamedWriter, Writer
from services.kernel.http.state import Kernel, kernel_of
from services.kernel.sessions import Refreshed, Sessions
from services.user import repository, service
from services.user.schemas import (
    ApiKey,
    ApiKeyRequest,
    ApiKeys,
    LocalSignIn,
    NewApiKey,
    Profile,
    ProfileChange,
    Refresh,
    SignOut,
    TokenPair,
    User,
)

local_router = APIRouter(prefix="/api/v1/auth", tags=["auth"], route_class=TransactionRoute)
"""Mounted in the environment `local` alone: elsewhere the path does not exist."""
router = APIRouter(prefix="/api/v1", route_class=TransactionRoute)


def sessions_of(request: Request) -> Sessions:
    kernel = kernel_of(request)
    return Sessions(kernel.settings, kernel.redis)


SignedIn = Annotated[Sessions, Depends(sessions_of)]
PROFILE = [Depends(scope("profile"))]


@local_router.post("/local")
async def sign_in_locally(body: LocalSignIn, request: Request, session: UnnamedWriter, sessions: SignedIn) -> TokenPair:
    """Signs in by an address alone, for development; a new address makes a new user with the plan's credits."""
    user, refreshed = await service.sign_in_locally(session, sessions, body.email, body.display_name)
    return _pair(kernel_of(request), user, refreshed)


@router.post("/auth/refresh", tags=["auth"])
async def refresh(body: Refresh, request: Request, sessions: SignedIn) -> TokenPair:
    """A new access token and the next refresh token; the old one may be repeated for a few seconds only."""
    kernel = kernel_of(request)
    refreshed = await sessions.refresh(body.refresh_token)
    async with kernel.db.read(refreshed.user_id, fresh=True) as session:
        user = await service.profile(session, refreshed.user_id)
    return _pair(kernel, user, refreshed)


@router.post("/auth/sign-out", tags=["auth"], status_code=status.HTTP_204_NO_CONTENT)
async def sign_out(body: SignOut, sessions: SignedIn) -> None:
    """Ends the session of a refresh token; doing it twice is fine."""
    await sessions.end(body.refresh_token, everywhere=body.everywhere)


@router.get("/me", tags=["profile"], dependencies=PROFILE)
async def me(session: FreshReader, principal: Me) -> Profile:
    """Who you are."""
    return Profile(**_profile(await service.profile(session, principal.user_id)))


@router.patch("/me", tags=["profile"], dependencies=PROFILE)
async def change_me(body: ProfileChange, session: Writer, principal: Me) -> Profile:
    """Changes how you are called."""
    return Profile(**_profile(await service.rename(session, principal.user_id, body.display_name)))


@router.get("/api-keys", tags=["api keys"], dependencies=PROFILE)
async def api_keys(session: FreshReader, principal: Me) -> ApiKeys:
    """Your API keys that are not revoked, newest first; of each only how it begins."""
    rows = await repository.api_keys(session, principal.user_id)
    return ApiKeys(items=[ApiKey(**row) for row in rows])


@router.post("/api-keys", tags=["api keys"], status_code=status.HTTP_201_CREATED)
async def create_api_key(body: ApiKeyRequest, request: Request, session: Writer, principal: Me) -> NewApiKey:
    """Makes an API key. The answer shows it; nothing shows it again."""
    env = kernel_of(request).settings.env
    row, key = await service.create_api_key(
        session, principal, env, name=body.name, scopes=list(body.scopes), days=body.expires_in_days
    )
    return NewApiKey(**row, key=key)


@router.delete("/api-keys/{key_id}", tags=["api keys"], status_code=status.HTTP_204_NO_CONTENT)
async def revoke_api_key(key_id: UUID, session: Writer, principal: Me) -> None:
    """Revokes an API key, at once and for good."""
    await service.revoke_api_key(session, principal, key_id)


def _profile(user: Row) -> dict[str, object]:
    return {name: user[name] for name in Profile.model_fields}


def _pair(kernel: Kernel, user: Row, refreshed: Refreshed) -> TokenPair:
    return TokenPair(
        access_token=kernel.tokens.access(refreshed.user_id, refreshed.session_id),
        refresh_token=refreshed.refresh_token,
        expires_in=SECURITY.access_token,
        user=User(**{name: user[name] for name in User.model_fields}),
    )
