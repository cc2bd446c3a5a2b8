"""Who asks: `Authorization: Bearer` with an access token or an API key."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from services.kernel.errors import ForbiddenError
from services.kernel.http.state import kernel_of
from services.kernel.tokens import API_KEY_PREFIX, InvalidTokenError, MissingTokenError, Principal, secret_hash

API_KEY_HOLDER = sa.text("SELECT id, user_id, scopes FROM api_key_holder(:hash)")
_scheme = HTTPBearer(auto_error=False, description="An access token, or an API key that starts with `pv_`")


class ScopeMissingError(ForbiddenError):
    code, title = "scope_missing", "This API key may not do that"


async def authenticated(request: Request, _: Annotated[object, Depends(_scheme)]) -> Principal:
    """The principal of a request.

    Raises:
        MissingTokenError, InvalidTokenError, ExpiredTokenError: 401, each with its own code.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise MissingTokenError
    token = token.strip()
    kernel = kernel_of(request)
    if not token.startswith(API_KEY_PREFIX):
        return kernel.tokens.principal(token)
    async with kernel.db.write() as session:
        holder = await session.first(API_KEY_HOLDER, {"hash": secret_hash(token)})
    if holder is None:
        raise InvalidTokenError("This API key is unknown, revoked or expired")
    return Principal(holder["user_id"], frozenset(holder["scopes"]), api_key_id=holder["id"])


Me = Annotated[Principal, Depends(authenticated)]


def scope(name: str) -> Callable[[Principal], Awaitable[None]]:
    """A dependency that wants a scope: `dependencies=[Depends(scope("generate"))]`."""

    async def wanted(me: Me) -> None:
        if name not in me.scopes:
            raise ScopeMissingError(f"This API key lacks the scope {name!r}", scope=name)

    return wanted
