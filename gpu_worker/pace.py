"""How fast this fleet renders each model, for the ETA: a running average in Redis."""

import redis
from redis.exceptions import RedisError

from services.kernel.keys import Keys
from services.kernel.logs import get_logger

log = get_logger("pace")
WEIGHT = 0.3
"""Of the newest job in the average."""


class Pace:
    """Seconds a megapixel-step of each model takes. Workers overwrite each other; the average bears it."""

    def __init__(self, client: "redis.Redis", keys: Keys) -> None:
        self._redis = client
        self._key = keys.pace
        self._seen: dict[str, float] = {}

    def measured(self, model: str, seconds: float, work: float) -> None:
        """Takes in a job of `work` megapixel-steps that rendered for `seconds`."""
        if work <= 0:
            return
        newest = seconds / work
        before = self._seen.get(model)
        try:
            if before is None:
                stored = self._redis.hget(self._key, model)
                before = float(str(stored, "utf-8")) if isinstance(stored, bytes) else newest
            self._seen[model] = before + WEIGHT * (newest - before)
            self._redis.hset(self._key, model, f"{self._seen[model]:.6g}")
        except (RedisError, ValueError) as error:
            log.warning("pace not told", error=repr(error))
