"""What workloads use that other stacks made."""

from collections.abc import Sequence
from dataclasses import dataclass

from stacks.components.names import bucket_arn
from stacks.components.policies import Here
from stacks.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the workloads use of other stacks: keys, the file system, Aurora's master secret, by ARN."""

    settings: Settings
    here: Here
    storage_key: str
    secrets_key: str
    volume_key: str
    file_system: str
    access_points: Sequence[str]
    master_secret: str

    def bucket(self, name: str) -> str:
        return bucket_arn(name, self.settings)
