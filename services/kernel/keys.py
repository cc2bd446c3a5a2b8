"""Every Redis key, in one place. All start with the environment's name, since two environments may share a server."""

from dataclasses import dataclass
from uuid import UUID

from blueprint.queue import celery_prefix


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds the keys of one environment.

    >>> Keys("dev").session("s1")
    'dev:session:s1'
    """

    env: str

    @property
    def celery_prefix(self) -> str:
        """Before every key that kombu writes: queues, `unacked`, bindings."""
        return celery_prefix(self.env)

    def events(self, generation_id: UUID | str) -> str:
        """Stream: the events of one generation; entry `<seq>-0` is the row's event number `seq`."""
        return f"{self.env}:events:{generation_id}"

    @property
    def wake(self) -> str:
        """Channel: the id of a generation whose stream has grown."""
        return f"{self.env}:wake"

    def session(self, session_id: str) -> str:
        """Hash: a signed-in session and the refresh tokens it knows."""
        return f"{self.env}:session:{session_id}"

    def user_sessions(self, user_id: UUID | str) -> str:
        """Set: the sessions of a user, to end them all."""
        return f"{self.env}:user-sessions:{user_id}"

    @property
    def pace(self) -> str:
        """Hash: seconds a megapixel-step of each model takes, a running average that the ETA reads."""
        return f"{self.env}:pace"

    @property
    def census(self) -> str:
        """String: the last count of users and credits, as JSON."""
        return f"{self.env}:census"

    @property
    def workers(self) -> str:
        """Sorted set: workers by the time of their last sign, in seconds of the epoch."""
        return f"{self.env}:workers"
