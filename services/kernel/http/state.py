"""What a service's process holds, made when it starts and closed when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from services.kernel.db import Database
from services.kernel.keys import Keys
from services.kernel.metrics import HttpMetrics
from services.kernel.redis import async_client, close
from services.kernel.settings import Settings
from services.kernel.storage import Storage
from services.kernel.tokens import Tokens


@dataclass(slots=True)
class Kernel:
    """The parts that endpoints reach through `kernel_of(request)`."""

    settings: Settings
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    on_stop: list[Callable[[], None]] = field(default_factory=list)
    """Called when the server is told to stop, before it waits for what is still open: ends streams."""
    db: Database = field(init=False)
    redis: Redis = field(init=False)
    keys: Keys = field(init=False)
    tokens: Tokens = field(init=False)
    metrics: HttpMetrics = field(init=False)

    def __post_init__(self) -> None:
        self.db = Database(self.settings)
        self.redis = async_client(self.settings.redis_url.get_secret_value())
        self.keys = Keys(self.settings.env)
        self.tokens = Tokens(self.settings)
        self.metrics = HttpMetrics(self.registry)

    def storage(self) -> Storage:
        """The image store, for the services that read it."""
        return Storage(self.settings.storage_url)

    async def close(self) -> None:
        await self.db.close()
        await close(self.redis)


def kernel_of(where: Request | FastAPI) -> Kernel:
    app = where.app if isinstance(where, Request) else where
    return cast(Kernel, app.state.kernel)
