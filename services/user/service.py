"""The rules of signing in, of a profile and of API keys."""

from functools import partial
from typing import Any
from uuid import UUID

from blueprint.plans import LOCAL_PLAN, PLANS
from blueprint.security import SECURITY
from services.kernel.db import ReadSession, Row, WriteSession
from services.kernel.ids import new_id
from services.kernel.sessions import Refreshed, Sessions
from services.kernel.tokens import API_KEY_PREFIX, Principal, new_api_key, secret_hash
from services.user import repository
from services.user.errors import (
    AccountGoneError,
    ApiKeyNotFoundError,
    SessionRequiredError,
    TooManyApiKeysError,
)

LOCAL_PROVIDER = "local"
SHOWN_CHARACTERS = 4


async def sign_in_locally(
    session: WriteSession, sessions: Sessions, email: str, display_name: str | None
) -> tuple[Row, Refreshed]:
    """Signs in whoever says so, as the user of this address; makes the user at the first time.

    The session is opened once the user is committed. Two first sign-ins at once make one user.
    """
    user_id = await repository.find_identity(session, LOCAL_PROVIDER, email)
    if user_id is None:
        user_id = new_id()
        await session.enter(user_id)
        name = display_name or email.partition("@")[0]
        await repository.add_user(session, {"id": user_id, "email": email, "display_name": name, "plan": LOCAL_PLAN})
        identity = {"id": new_id(), "user_id": user_id, "provider": LOCAL_PROVIDER, "subject": email, "email": email}
        await repository.add_identity(session, identity)
    else:
        await session.enter(user_id)
    user = await profile(session, user_id)
    await repository.grant(
        session, user_id, PLANS[user["plan"]].monthly_credits, f"plan:{user['plan']}:{user['month']}"
    )
    session_id, refresh_token = sessions.new()
    session.after_commit(partial(sessions.open, session_id, user_id))
    return user, Refreshed(user_id, session_id, refresh_token)


async def profile(session: ReadSession, user_id: UUID) -> Row:
    """The user's row.

    Raises:
        AccountGoneError: the token outlived its account.
    """
    user = await repository.user(session, user_id)
    if user is None:
        raise AccountGoneError
    return user


async def rename(session: WriteSession, user_id: UUID, display_name: str) -> Row:
    await repository.rename(session, user_id, display_name)
    return await profile(session, user_id)


async def create_api_key(
    session: WriteSession, me: Principal, env: str, *, name: str, scopes: list[str], days: int | None
) -> tuple[Row, str]:
    """A new key and its row; the key is not kept and cannot be shown again.

    Raises:
        SessionRequiredError: a key would make keys that may do more than itself.
        TooManyApiKeysError, AccountGoneError.
    """
    require_session(me)
    live = await repository.count_live_keys(session, me.user_id)
    if live >= SECURITY.api_keys_maximum:
        raise TooManyApiKeysError(
            f"{live} API keys are in use, and more than {SECURITY.api_keys_maximum} cannot be; revoke one first",
            limit=SECURITY.api_keys_maximum,
        )
    await profile(session, me.user_id)
    key = new_api_key(env)
    values: dict[str, Any] = {
        "id": new_id(),
        "user_id": me.user_id,
        "name": name,
        "prefix": key[: len(f"{API_KEY_PREFIX}{env}_") + SHOWN_CHARACTERS],
        "key_hash": secret_hash(key),
        "scopes": scopes,
        "days": days,
    }
    row = await repository.add_api_key(session, values)
    if row is None:
        raise AccountGoneError
    return row, key


async def revoke_api_key(session: WriteSession, me: Principal, key_id: UUID) -> None:
    """Revokes a key for good.

    Raises:
        SessionRequiredError, ApiKeyNotFoundError: not there, revoked already, or somebody else's.
    """
    require_session(me)
    if not await repository.revoke_api_key(session, me.user_id, key_id):
        raise ApiKeyNotFoundError(f"There is no API key {key_id}")


def require_session(me: Principal) -> None:
    """API keys are managed by people, never by API keys."""
    if me.session_id is None:
        raise SessionRequiredError
