"""Aurora, ElastiCache, EFS and the buckets, by their sizes. Days unless a name says otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Aurora:
    """The shared Aurora PostgreSQL cluster; capacity in Aurora capacity units."""

    cluster: str = "pingvas-shared-aurora"
    postgres: str = "17.4"
    minimum_acu: float = 0.5
    maximum_acu: float = 4.0
    readers: int = 1
    backup_days: int = 7


@dataclass(frozen=True, slots=True)
class Cache:
    """One ElastiCache replication group, cluster mode off."""

    node_type: str
    replicas: int
    auth: bool
    snapshot_days: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket; a lifecycle step that a bucket lacks is None."""

    name: str
    infrequent_access_after: int | None = None
    glacier_after: int | None = None
    delete_after: int | None = None
    intelligent_tiering: bool = False


AURORA = Aurora()
CACHES = {
    "dev": Cache("cache.t4g.medium", replicas=0, auth=False, snapshot_days=0),
    "prod": Cache("cache.r6g.large", replicas=2, auth=True, snapshot_days=7),
}
EFS_INFREQUENT_ACCESS_AFTER = 30
BUCKETS = (
    Bucket("pingvas-dev-images", infrequent_access_after=90),
    Bucket("pingvas-prod-images", infrequent_access_after=90, glacier_after=180),
    Bucket("pingvas-models-shared", intelligent_tiering=True),
    Bucket("pingvas-logs-shared", delete_after=30),
    Bucket("pingvas-assets"),
    Bucket("pingvas-backups", delete_after=30),
)
