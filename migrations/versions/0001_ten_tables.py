"""The ten tables, with Row-Level Security forced on each."""

from collections.abc import Sequence

from alembic import context, op

from migrations.security import functions, grants, policies
from services.kernel.settings import Settings
from services.kernel.tables import metadata

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    settings: Settings = context.config.attributes["settings"]
    metadata.create_all(op.get_bind(), checkfirst=False)
    for statement in (
        *policies(settings.environment),
        *grants(settings.environment),
        *functions(settings.environment),
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION api_key_holder(bytea), identity_user(text, text)")
    metadata.drop_all(op.get_bind(), checkfirst=False)
