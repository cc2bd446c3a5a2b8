"""The buckets: what each keeps, for how long, and who writes where in the logs' one. Days."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket; a lifecycle step that a bucket lacks is None.

    `delete_old_after` is how long an overwritten or deleted object can still be brought back. `replicated` buckets are
    copied where the setting `replication_region` says. `prefix` is what CloudFront may read of it: all below it, `""`
    for everything, None for nothing.
    """

    name: str
    infrequent_access_after: int | None = None
    glacier_after: int | None = None
    delete_after: int | None = None
    intelligent_tiering: bool = False
    delete_old_after: int = 30
    replicated: bool = False
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class LogPrefixes:
    """Folders of the logs bucket, one a writer; each may write to its own only."""

    alb: str = "alb"
    cloudfront: str = "cloudfront"
    s3: str = "s3"
    containers: str = "containers"


IMAGE_PREFIX = "images/"
"""What CloudFront serves of an image bucket; inputs and whatever else lies there stay the services' own."""
LOGS_BUCKET = "pingvas-logs-shared"
ASSETS_BUCKET = "pingvas-assets"
MODELS_BUCKET = "pingvas-models-shared"
BACKUPS_BUCKET = "pingvas-backups"
LOG_PREFIXES = LogPrefixes()
ABORT_UPLOADS_AFTER = 7
"""Parts of uploads that never ended cost money and show in no listing."""
BUCKETS = (
    Bucket("pingvas-dev-images", infrequent_access_after=90, prefix=IMAGE_PREFIX),
    Bucket("pingvas-prod-images", infrequent_access_after=90, glacier_after=180, replicated=True, prefix=IMAGE_PREFIX),
    Bucket(MODELS_BUCKET, intelligent_tiering=True, replicated=True),
    Bucket(LOGS_BUCKET, delete_after=30, delete_old_after=1),
    Bucket(ASSETS_BUCKET, replicated=True, prefix=""),
    Bucket(BACKUPS_BUCKET, delete_after=30, delete_old_after=7, replicated=True),
)


def image_bucket(environment: str) -> str:
    """The name, before account and region, of an environment's bucket of pictures.

    >>> image_bucket("dev")
    'pingvas-dev-images'
    """
    return f"pingvas-{environment}-images"
