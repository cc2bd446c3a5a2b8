"""Signed-in sessions in Redis, and refresh tokens that rotate at each use (RFC 9700, 4.14.2).

A refresh token is `<session>.<number>.<mac>`: the mac, HMAC-SHA256 under the environment's secret, proves that we made
it, so nobody ends a session by guessing, and nothing in Redis is worth stealing. Redis keeps the number that is valid:

    number = current                                   rotates: current + 1, with its token
    number = current - 1, within the reuse window      the same answer again: it was lost on its way, or two tabs asked
    any other number that we signed                    somebody uses a copy: the session ends

Each rotation is one script, so of two callers one rotates and the other reads what came of it.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import redis.asyncio

from blueprint.security import SECURITY
from services.kernel.errors import UnauthorizedError
from services.kernel.keys import Keys
from services.kernel.settings import Settings

_ROTATE = """
local user, current, rotated = unpack(redis.call('HMGET', KEYS[1], 'user', 'number', 'rotated_ms'))
if not user then return {'gone'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = tonumber(ARGV[1])
current = tonumber(current)
if number == current then
    redis.call('HSET', KEYS[1], 'number', current + 1, 'rotated_ms', now)
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    return {'rotated', user, current + 1}
end
if number == current - 1 and now - tonumber(rotated) <= tonumber(ARGV[2]) then
    return {'rotated', user, current}
end
redis.call('DEL', KEYS[1])
return {'reused', user}
"""


class InvalidRefreshTokenError(UnauthorizedError):
    code, title = "invalid_refresh_token", "This refresh token is not valid; sign in again"


class SessionEndedError(UnauthorizedError):
    code, title = "session_ended", "This session has ended; sign in again"


class RefreshTokenReusedError(UnauthorizedError):
    code, title = "refresh_token_reused", "This refresh token was used before; the session is ended for safety"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a rotation gave: whose session it is and the token that comes next."""

    user_id: UUID
    session_id: str
    refresh_token: str


class Sessions:
    """The sessions of one environment."""

    def __init__(self, settings: Settings, client: "redis.asyncio.Redis") -> None:
        self._secret = settings.require("jwt_secret").get_secret_value().encode()
        self._keys = Keys(settings.env)
        self._redis = client
        self._rotate = client.register_script(_ROTATE)

    def new(self) -> tuple[str, str]:
        """A session id and its first refresh token; `open` makes them valid."""
        session_id = secrets.token_urlsafe(18)
        return session_id, self._token(session_id, 1)

    async def open(self, session_id: str, user_id: UUID) -> None:
        """Writes a new session down. Lives `refresh_token` seconds after its last use."""
        key, index = self._keys.session(session_id), self._keys.user_sessions(user_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping={"user": str(user_id), "number": 1, "rotated_ms": 0})
            pipe.expire(key, SECURITY.refresh_token)
            pipe.sadd(index, session_id)
            pipe.expire(index, SECURITY.refresh_token)
            await pipe.execute()

    async def refresh(self, token: str) -> Refreshed:
        """Uses a refresh token.

        Raises:
            InvalidRefreshTokenError: not one of ours; nothing happens.
            SessionEndedError: signed out, or not used for too long.
            RefreshTokenReusedError: an older one; its session is ended.
        """
        session_id, number = self._read(token)
        window = SECURITY.refresh_reuse_window * 1000
        answer: list[Any] = await self._rotate(
            keys=[self._keys.session(session_id)], args=[number, window, SECURITY.refresh_token]
        )
        outcome = answer[0].decode()
        if outcome == "gone":
            raise SessionEndedError
        user_id = UUID(answer[1].decode())
        index = self._keys.user_sessions(user_id)
        if outcome == "reused":
            await self._redis.srem(index, session_id)
            raise RefreshTokenReusedError
        await self._redis.expire(index, SECURITY.refresh_token)
        return Refreshed(user_id, session_id, self._token(session_id, int(answer[2])))

    async def end(self, token: str, *, everywhere: bool = False) -> None:
        """Ends the session of a refresh token, or all of its user's; what has ended already is as good.

        Raises:
            InvalidRefreshTokenError: not one of ours.
        """
        session_id, _ = self._read(token)
        user = cast("bytes | None", await self._redis.hget(self._keys.session(session_id), "user"))
        if user is None:
            return
        index = self._keys.user_sessions(user.decode())
        ended = cast("set[bytes]", await self._redis.smembers(index)) if everywhere else {session_id.encode()}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(*(self._keys.session(one.decode()) for one in ended | {session_id.encode()}))
            pipe.srem(index, *ended, session_id)
            await pipe.execute()

    def _token(self, session_id: str, number: int) -> str:
        return f"{session_id}.{number}.{self._mac(session_id, number)}"

    def _mac(self, session_id: str, number: int) -> str:
        # The first word keeps these apart from the access tokens' signatures, made with the same secret.
        message = f"refresh:{session_id}:{number}".encode()
        return urlsafe_b64encode(hmac.digest(self._secret, message, hashlib.sha256)).decode().rstrip("=")

    def _read(self, token: str) -> tuple[str, int]:
        session_id, _, rest = token.partition(".")
        number, _, mac = rest.partition(".")
        if not (number.isascii() and number.isdecimal() and len(number) <= 12):
            raise InvalidRefreshTokenError
        if not hmac.compare_digest(mac.encode(), self._mac(session_id, int(number)).encode()):
            raise InvalidRefreshTokenError
        return session_id, int(number)
