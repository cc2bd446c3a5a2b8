"""Aurora, ElastiCache, EFS and their backups, by their sizes. Days unless a name says otherwise.

Windows are UTC. They lie in Korea's night (16:00 UTC is 01:00 there), one after the other, so that no backup meets a
maintenance and the two environments are never maintained at the same time.
"""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
RDS_AUTHORITIES = Path(__file__).with_name("rds.pem")
"""The roots of `Aurora.certificate` in each region of `blueprint.regions`, from AWS's truststore.pki.rds.amazonaws.com.
Clients verify the server with them; they are in no operating system's own store."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of minutes that begins at `hour`:`minute` UTC, on one day of the week or, without `day`, on each.

    It ends on the day it begins.
    """

    hour: int
    minute: int
    minutes: int
    day: Day | None = None

    def __str__(self) -> str:
        """As RDS and ElastiCache write it.

        >>> str(Window(17, 0, 30)), str(Window(18, 30, 30, day="sun"))
        ('17:00-17:30', 'sun:18:30-sun:19:00')
        """
        end = self.hour * 60 + self.minute + self.minutes
        day = f"{self.day}:" if self.day else ""
        return f"{day}{self.hour:02}:{self.minute:02}-{day}{end // 60:02}:{end % 60:02}"

    @property
    def cron(self) -> str:
        """Its beginning as AWS Backup's schedule.

        >>> Window(21, 0, 60).cron, Window(22, 0, 60, day="sat").cron
        ('cron(0 21 ? * * *)', 'cron(0 22 ? * SAT *)')
        """
        return f"cron({self.minute} {self.hour} ? * {self.day.upper() if self.day else '*'} *)"

    def overlaps(self, other: "Window") -> bool:
        """Whether some minute belongs to both.

        >>> Window(17, 0, 30).overlaps(Window(17, 29, 60, day="sun"))
        True
        """
        days = self.day is None or other.day is None or self.day == other.day
        mine, theirs = self.hour * 60 + self.minute, other.hour * 60 + other.minute
        return days and mine < theirs + other.minutes and theirs < mine + self.minutes


@dataclass(frozen=True, slots=True)
class Aurora:
    """The shared Aurora PostgreSQL cluster; capacity in Aurora capacity units (1 ACU is about 2 GiB and its CPU)."""

    cluster: str = "pingvas-shared-aurora"
    postgres: str = "17.9"
    family: str = "aurora-postgresql17"
    master: str = "pingvas_master"
    """The user that RDS makes; only the bootstrap Job signs in as it."""
    minimum_acu: float = 0.5
    maximum_acu: float = 4.0
    auto_pause_seconds: int = 1800
    """How long nobody must be connected before a cluster with a minimum of 0 pauses; 300 to 86400."""
    readers: int = 1
    reader_tier: int = 1
    """Failover order. In tiers 0 and 1 a reader is always as large as the writer whose place it may take."""
    backup_days: int = 7
    backup: Window = Window(17, 0, 30)
    maintenance: Window = Window(19, 0, 30, day="sun")
    instance_maintenance: tuple[Window, ...] = (Window(18, 30, 30, day="sun"), Window(18, 0, 30, day="sun"))
    """Of the writer, then of each reader: a reader is done before the writer, never both at once."""
    pool: int = 4
    """Connections that a process keeps to one endpoint as one role (PINGVAS_DATABASE_POOL). The services' own default,
    10, would ask the writer for more than the largest capacity holds when both environments run at their maxima."""
    certificate: str = "rds-ca-rsa2048-g1"
    """The authority that signs the instances' certificates; clients verify with `RDS_AUTHORITIES`."""
    monitoring_role: str = "pingvas-aurora-monitoring"
    monitoring_seconds: int = 60
    insights_days: int = 7
    """What Performance Insights keeps free of charge."""
    slow_statement_ms: int = 1000
    idle_transaction_ms: int = 60_000
    """A transaction this long without a statement is ended: it would hold locks and keep VACUUM from its work. The
    longest pause between statements of one transaction is the services' pool timeout, 10 s."""

    @property
    def instances(self) -> tuple[str, ...]:
        """Identifiers of the writer and the readers, as they are made; after a failover the roles have moved.

        >>> AURORA.instances
        ('pingvas-shared-aurora-1', 'pingvas-shared-aurora-2')
        """
        return tuple(f"{self.cluster}-{number}" for number in range(1, self.readers + 2))

    @property
    def log_group(self) -> str:
        """Where RDS writes PostgreSQL's log."""
        return f"/aws/rds/cluster/{self.cluster}/postgresql"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The function that rotates the passwords of database roles; how often stands in `blueprint.secrets`."""

    function: str = "pingvas-database-rotation"
    role: str = "pingvas-database-rotation"
    window_hours: int = 1
    """From midnight UTC, 09:00 in Korea: new connections fail until the pods have the new password, so people are
    at work when it happens."""
    timeout_seconds: int = 120
    memory_mib: int = 256

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.function}"


def authority(region: str) -> str:
    """The certificate, in PEM, of the authority that signs Aurora's certificates in a region.

    Raises:
        KeyError: `rds.pem` has none for the region.
    """
    for part in RDS_AUTHORITIES.read_text().split("# Amazon RDS ")[1:]:
        if part.startswith(f"{region} "):
            return part.partition("\n")[2]
    raise KeyError(region)


@dataclass(frozen=True, slots=True)
class Cache:
    """One ElastiCache replication group, cluster mode off (Celery's keys may not be spread over slots)."""

    name: str
    node_type: str
    replicas: int
    auth: bool
    snapshot_days: int
    maintenance: Window
    snapshot: Window | None = None

    @property
    def nodes(self) -> int:
        return self.replicas + 1

    @property
    def members(self) -> tuple[str, ...]:
        """Cache cluster ids, one a node: what CloudWatch's metrics are kept by.

        >>> CACHES["prod"].members
        ('pingvas-prod-redis-001', 'pingvas-prod-redis-002', 'pingvas-prod-redis-003')
        """
        return tuple(f"{self.name}-{number:03}" for number in range(1, self.nodes + 1))


@dataclass(frozen=True, slots=True)
class CacheEngine:
    """What both caches run: Valkey, which speaks Redis' protocol, costs a fifth less a node on ElastiCache, and is
    what the studio and the tests run."""

    name: str = "valkey"
    version: str = "8.2"
    family: str = "valkey8"
    eviction: str = "noeviction"
    """A full server refuses new work instead of forgetting old; cache keys end by their TTL."""


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """A way into the file system: every request through it is made below `path` and as `uid`:`gid`, whoever mounts.

    EFS thus keeps a reader from writing even where Kubernetes would let it: what lies below `path` belongs to the
    writer, and the file system's policy gives ClientWrite to the writers' access points alone.
    """

    name: str
    path: str
    uid: int
    gid: int
    writes: bool


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The shared file system. It is a copy: the bucket pingvas-models-shared can fill it again."""

    infrequent_access_after: int = 30
    """EFS offers 1, 7, 14, 30, 60, 90, 180, 270 and 365."""
    gid: int = 2000
    """The group of whoever reads or writes models: fsGroup and runAsGroup of the model service and the workers."""
    writer_uid: int = 2001
    """runAsUser of the model service."""
    reader_uid: int = 2002
    """runAsUser of the workers."""
    permissions: str = "0750"
    """Of the folders at the access points' roots."""
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("models", ("stable-diffusion", "sdxl", "flux", "controlnet", "lora")),
        ("shared", ("workflows", "styles")),
    )
    """Folders below each root; the model service makes them."""

    @property
    def access_points(self) -> tuple[AccessPoint, ...]:
        """A writing and a reading one for each folder.

        >>> [point.name for point in EFS.access_points]
        ['models', 'models-readonly', 'shared', 'shared-readonly']
        """
        return tuple(
            point
            for name, _ in self.kinds
            for point in (
                AccessPoint(name, f"/{name}", self.writer_uid, self.gid, writes=True),
                AccessPoint(f"{name}-readonly", f"/{name}", self.reader_uid, self.gid, writes=False),
            )
        )


@dataclass(frozen=True, slots=True)
class BackupRule:
    """When AWS Backup copies something into the vault, and how long the copy is kept."""

    name: str
    window: Window
    keep_days: int
    complete_minutes: int = 480


@dataclass(frozen=True, slots=True)
class Backups:
    """AWS Backup: beside Aurora's own backups, which end with the cluster, copies that outlive it."""

    vault: str = "pingvas-shared"
    plan: str = "pingvas-shared"
    role: str = "pingvas-backup"
    restore_role: str = "pingvas-restore"
    aurora: BackupRule = BackupRule("aurora-daily", Window(21, 0, 60), keep_days=7)
    efs: BackupRule = BackupRule("efs-weekly", Window(22, 0, 60, day="sat"), keep_days=30)


AURORA = Aurora()
ROTATION = Rotation()
CACHES: MappingProxyType[str, Cache] = MappingProxyType(
    {
        "dev": Cache(
            "pingvas-dev-redis",
            "cache.t4g.medium",
            replicas=0,
            auth=False,
            snapshot_days=0,
            maintenance=Window(19, 30, 60, day="sun"),
        ),
        "prod": Cache(
            "pingvas-prod-redis",
            "cache.r6g.large",
            replicas=2,
            auth=True,
            snapshot_days=7,
            maintenance=Window(19, 30, 60, day="mon"),
            snapshot=Window(16, 0, 60),
        ),
    }
)
CACHE_ENGINE = CacheEngine()
EFS = FileSystem()
BACKUPS = Backups()
LOG_DAYS = 90
"""How long the logs of Aurora, the caches and the rotation function are kept."""
