"""The baseline of `bench create`: a hand-written minimal FastAPI route, one insert and one push, and nothing else.

No sign-in, no credits, no idempotency, no row-level security, no outbox: what accepting a job costs at the least.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import redis.asyncio
from fastapi import FastAPI
from psycopg import AsyncConnection
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine


class Body(BaseModel):
    prompt: str
    steps: int = 30


def create_app() -> FastAPI:
    engine = create_async_engine(os.environ["BENCH_DATABASE_URL"], pool_size=10, max_overflow=0)
    queue = redis.asyncio.Redis.from_url(os.environ["BENCH_REDIS_URL"])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()
        await queue.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/jobs", status_code=202)
    async def create(body: Body) -> dict[str, str]:
        job = str(uuid4())
        async with engine.connect() as connection:
            raw: AsyncConnection[object] = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
            await raw.execute(
                "INSERT INTO bench_jobs (id, request) VALUES (%s, %s)", (job, json.dumps({"prompt": body.prompt}))
            )
            await raw.commit()
        await queue.lpush("bench", job)
        return {"id": job}

    return app
