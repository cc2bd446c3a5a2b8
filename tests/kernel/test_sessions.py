"""Refresh tokens rotate; a repetition at once is the same answer, a late one ends the session."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from blueprint.security import SECURITY
from services.kernel.keys import Keys
from services.kernel.redis import async_client
from services.kernel.sessions import (
    InvalidRefreshTokenError,
    RefreshTokenReusedError,
    SessionEndedError,
    Sessions,
)
from services.kernel.settings import Settings

KEYS = Keys("local")
USER = uuid4()


@pytest.fixture(scope="module")
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    client = async_client(settings.redis_url.get_secret_value())
    yield client
    await client.aclose()


@pytest.fixture
def sessions(settings: Settings, redis: Redis) -> Sessions:
    return Sessions(settings, redis)


async def opened(sessions: Sessions) -> tuple[str, str]:
    session_id, token = sessions.new()
    await sessions.open(session_id, USER)
    return session_id, token


async def age(redis: Redis, session_id: str) -> None:
    """Makes the last rotation as old as the reuse window and a second."""
    key = KEYS.session(session_id)
    rotated = int(await redis.hget(key, "rotated_ms") or 0)
    await redis.hset(key, "rotated_ms", rotated - (SECURITY.refresh_reuse_window + 1) * 1000)


async def test_each_use_gives_the_next_token(sessions: Sessions) -> None:
    session_id, first = await opened(sessions)
    second = await sessions.refresh(first)
    third = await sessions.refresh(second.refresh_token)
    assert (third.user_id, third.session_id) == (USER, session_id)
    assert len({first, second.refresh_token, third.refresh_token}) == 3


async def test_a_lost_answer_is_given_again(sessions: Sessions) -> None:
    _, first = await opened(sessions)
    once, twice = await sessions.refresh(first), await sessions.refresh(first)
    assert once == twice
    assert await sessions.refresh(once.refresh_token)


async def test_two_tabs_at_once_get_one_token(sessions: Sessions) -> None:
    _, first = await opened(sessions)
    answers = await asyncio.gather(*(sessions.refresh(first) for _ in range(10)))
    assert len({answer.refresh_token for answer in answers}) == 1


async def test_late_reuse_ends_the_session_for_both(sessions: Sessions, redis: Redis) -> None:
    session_id, first = await opened(sessions)
    second = (await sessions.refresh(first)).refresh_token
    await age(redis, session_id)
    with pytest.raises(RefreshTokenReusedError):
        await sessions.refresh(first)
    with pytest.raises(SessionEndedError):
        await sessions.refresh(second)
    assert not await redis.sismember(KEYS.user_sessions(USER), session_id)


async def test_a_token_before_the_last_is_reuse_at_once(sessions: Sessions) -> None:
    _, first = await opened(sessions)
    second = (await sessions.refresh(first)).refresh_token
    await sessions.refresh(second)
    with pytest.raises(RefreshTokenReusedError):
        await sessions.refresh(first)


async def test_guesses_end_nothing(sessions: Sessions, settings: Settings, redis: Redis) -> None:
    session_id, first = await opened(sessions)
    _, number, mac = first.split(".")
    other = Settings.model_validate({**settings.model_dump(), "jwt_secret": "o" * 64})
    stranger = Sessions(other, redis)
    guesses = [
        "",
        session_id,
        f"{session_id}.{number}.",
        f"{session_id}.2.{mac}",
        f"{session_id}.-1.{mac}",
        f"{session_id}.²x.{mac}",
        f"{session_id}.{number}.{mac[:-1]}é",
        f"other.{number}.{mac}",
        stranger._token(session_id, 1),
    ]
    for guess in guesses:
        with pytest.raises(InvalidRefreshTokenError):
            await sessions.refresh(guess)
        with pytest.raises(InvalidRefreshTokenError):
            await sessions.end(guess)
    assert await sessions.refresh(first)


async def test_signing_out_ends_one_session_or_all(sessions: Sessions) -> None:
    (_, one), (_, two), (_, three) = [await opened(sessions) for _ in range(3)]
    await sessions.end(one)
    await sessions.end(one)
    with pytest.raises(SessionEndedError):
        await sessions.refresh(one)
    second = (await sessions.refresh(two)).refresh_token
    await sessions.end(two, everywhere=True)
    for token in (second, three):
        with pytest.raises(SessionEndedError):
            await sessions.refresh(token)


async def test_what_redis_holds_is_no_token_and_expires(sessions: Sessions, redis: Redis) -> None:
    session_id, first = await opened(sessions)
    held = await redis.hgetall(KEYS.session(session_id))
    assert not any(first.rpartition(".")[2].encode() in value for value in held.values())
    for key in (KEYS.session(session_id), KEYS.user_sessions(USER)):
        assert 0 < await redis.ttl(key) <= SECURITY.refresh_token
