"""The ten tables, as SQLAlchemy Core: one schema an environment holds them, and Alembic's own beside them.

Every table with an owner has Row-Level Security forced (see `migrations/`): the role `app` sees the rows of the
tenant that its transaction names, `worker`, `backup` and `owner` see all.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, INTERVAL, JSONB, TIMESTAMP, UUID

REVISION = "0001"
"""The newest of `migrations/versions`, which no service's image has: what this code needs the schema to be at, or
beyond. Revisions are numbers that grow."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> sa.Column[object]:
    return sa.Column("id", UUID, primary_key=True)


def _time(name: str, *, now: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if now else None
    return sa.Column(name, TIMESTAMP(timezone=True), nullable=not now, server_default=default)


def _owner(*, nullable: bool = False) -> sa.Column[object]:
    return sa.Column("user_id", UUID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _count(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text(str(default)))


users = sa.Table(
    "users",
    metadata,
    _id(),
    _text("email"),
    _text("display_name"),
    _text("plan", default="free"),
    _count("balance"),
    _count("held"),
    _time("created_at", now=True),
    _time("updated_at", now=True),
    sa.CheckConstraint("held >= 0 AND balance >= held", name="credits"),
)
"""`balance` and `held` are the sums of the user's ledger entries, kept in the entries' own transactions."""

oauth_identities = sa.Table(
    "oauth_identities",
    metadata,
    _id(),
    _owner(),
    _text("provider"),
    _text("subject"),
    _text("email", nullable=True),
    _time("created_at", now=True),
    sa.UniqueConstraint("provider", "subject"),
    sa.Index(None, "user_id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _id(),
    _owner(),
    _text("name"),
    _text("prefix"),
    sa.Column("key_hash", BYTEA, nullable=False, unique=True),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    _time("created_at", now=True),
    _time("last_used_at"),
    _time("expires_at"),
    _time("revoked_at"),
    sa.Index(None, "user_id"),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    _id(),
    _owner(),
    _text("plan"),
    _text("status"),
    _text("provider"),
    _text("provider_reference", nullable=True),
    _time("current_period_end"),
    _time("created_at", now=True),
    _time("updated_at", now=True),
    sa.UniqueConstraint("provider", "provider_reference"),
    sa.Index(None, "user_id"),
)

webhook_events = sa.Table(
    "webhook_events",
    metadata,
    _id(),
    _owner(nullable=True),
    _text("direction"),
    _text("source"),
    _text("event"),
    _text("dedupe_key"),
    sa.Column("payload", JSONB, nullable=False),
    _time("created_at", now=True),
    _time("processed_at"),
    _text("failure", nullable=True),
    sa.UniqueConstraint("direction", "source", "dedupe_key"),
    sa.CheckConstraint("direction IN ('in', 'out')", name="direction"),
)

credit_entries = sa.Table(
    "credit_entries",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _owner(),
    _text("kind"),
    _count("amount"),
    _count("held"),
    _text("business_key"),
    sa.Column("generation_id", UUID, nullable=True),
    _time("created_at", now=True),
    sa.UniqueConstraint("user_id", "business_key"),
    sa.Index(None, "generation_id"),
    sa.CheckConstraint("kind IN ('grant', 'hold', 'charge', 'release', 'refund', 'expiry')", name="kind"),
)
"""Append-only. `amount` changes the balance, `held` what is set aside of it; see `services.kernel.ledger`."""

generations = sa.Table(
    "generations",
    metadata,
    _id(),
    _owner(),
    _text("status"),
    _text("kind", default="text_to_image"),
    _text("model"),
    sa.Column("request", JSONB, nullable=False),
    sa.Column("warnings", JSONB, nullable=False, server_default="[]"),
    _count("price"),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("work", sa.Double, nullable=False),
    _text("idempotency_key", nullable=True),
    sa.Column("request_hash", BYTEA, nullable=False),
    _text("request_id"),
    sa.Column("retry_of", UUID, nullable=True),
    _count("attempt"),
    _count("failures"),
    _count("event_seq"),
    _count("step"),
    _time("created_at", now=True),
    _time("due_at", now=True),
    _time("published_at"),
    _time("started_at"),
    _time("finished_at"),
    _time("cancel_requested_at"),
    _time("lease_expires_at"),
    _text("worker", nullable=True),
    sa.Column("duration", INTERVAL, nullable=True),
    _time("reaped_at"),
    _text("error_code", nullable=True),
    _text("error_message", nullable=True),
    sa.UniqueConstraint("user_id", "idempotency_key"),
    sa.CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed', 'canceled')", name="status"),
    sa.CheckConstraint("price >= 0", name="price"),
    sa.CheckConstraint("(status = 'running') = (lease_expires_at IS NOT NULL)", name="lease"),
    sa.Index("ix_generations_user_id_id", "user_id", sa.text("id DESC")),
    sa.Index("ix_generations_queued", "due_at", "id", postgresql_where=sa.text("status = 'queued'")),
    sa.Index(
        "ix_generations_unreaped",
        "finished_at",
        postgresql_where=sa.text("finished_at IS NOT NULL AND reaped_at IS NULL"),
    ),
    sa.Index("ix_generations_running", "lease_expires_at", postgresql_where=sa.text("status = 'running'")),
    sa.Index("ix_generations_active", "user_id", postgresql_where=sa.text("status IN ('queued', 'running')")),
)
"""One row a generation: the row decides, the queue only wakes workers (see `services.kernel.jobs`).

`work` is megapixel-steps, `due_at` the fairness rule's order, `step` counts denoising steps of the running attempt."""

images = sa.Table(
    "images",
    metadata,
    _id(),
    _owner(),
    sa.Column("generation_id", UUID, sa.ForeignKey("generations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("board_id", UUID, sa.ForeignKey("boards.id", ondelete="SET NULL"), nullable=True),
    sa.Column("position", sa.SmallInteger, nullable=False),
    _text("object_key"),
    _text("thumbnail_key"),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    _count("bytes"),
    sa.Column("sha256", BYTEA, nullable=False),
    _count("seed"),
    sa.Column("parameters", JSONB, nullable=False),
    sa.Column("starred", sa.Boolean, nullable=False, server_default=sa.text("false")),
    _time("created_at", now=True),
    _time("deleted_at"),
    sa.UniqueConstraint("generation_id", "position"),
    sa.Index("ix_images_user_id_id", "user_id", sa.text("id DESC"), postgresql_where=sa.text("deleted_at IS NULL")),
    sa.Index("ix_images_deleted", "deleted_at", postgresql_where=sa.text("deleted_at IS NOT NULL")),
)
"""A deleted image keeps its row until its objects are gone, so that no object is ever without a row."""

boards = sa.Table(
    "boards",
    metadata,
    _id(),
    _owner(),
    _text("name"),
    _time("created_at", now=True),
    sa.UniqueConstraint("user_id", "name"),
)

models = sa.Table(
    "models",
    metadata,
    _id(),
    _owner(nullable=True),
    _text("name"),
    _text("kind"),
    _text("base"),
    _text("path"),
    _text("title"),
    _text("description"),
    _text("licence"),
    _text("minimum_plan", default="free"),
    sa.Column("defaults", JSONB, nullable=False),
    sa.Column("available", sa.Boolean, nullable=False, server_default=sa.text("true")),
    _time("created_at", now=True),
    _time("updated_at", now=True),
    sa.Index("uq_models_shared_name", "name", unique=True, postgresql_where=sa.text("user_id IS NULL")),
    sa.Index(
        "uq_models_owned_name",
        "user_id",
        "name",
        unique=True,
        postgresql_where=sa.text("user_id IS NOT NULL"),
    ),
)
"""Models without an owner are everybody's to use; `path` is below the models folder: `sdxl/<name>`."""
