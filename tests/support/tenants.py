"""Tenants as tests need them: a user with credits on a plan, and an access token of hers."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from services.kernel.db import sync_engine
from services.kernel.ids import new_id
from services.kernel.ledger import GRANT
from services.kernel.settings import Settings
from services.kernel.tokens import Tokens

INSERT = sa.text("INSERT INTO users (id, email, display_name, plan) VALUES (:id, :email, 'Test', :plan)")
MODEL = sa.text("""
    INSERT INTO models (id, name, kind, base, path, title, description, licence, defaults)
    VALUES (:id, :name, 'sdxl', 'sdxl', 'sdxl/' || :name, :name, '', 'test', CAST(:defaults AS jsonb))
    ON CONFLICT (name) WHERE user_id IS NULL DO UPDATE SET available = true, defaults = excluded.defaults
""")
DEFAULTS = (
    '{"width": 64, "height": 64, "steps": 4, "guidance_scale": 5.0, "native_sizes": [[64, 64]], "max_side": 256,'
    ' "reason": null,'
    ' "vocabulary": ["a", "red", "blue", "circle", "square", "on", "background"]}'
)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user, and the header that makes a request hers."""

    id: UUID
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Registry:
    """Writes tenants and reads any table, in the role `worker`, which sees them all."""

    def __init__(self, settings: Settings) -> None:
        self._engine = sync_engine(settings, role="worker")
        self._tokens = Tokens(settings)

    def tenant(self, *, balance: int = 100, plan: str = "pro") -> Tenant:
        user_id = new_id()
        with self._engine.begin() as connection:
            connection.execute(INSERT, {"id": user_id, "email": f"{user_id}@example.com", "plan": plan})
            if balance:
                connection.execute(GRANT, {"user_id": user_id, "amount": balance, "business_key": "test"})
        return Tenant(user_id, self._tokens.access(user_id, "test"))

    def model(self, name: str = "tiny", defaults: str = DEFAULTS) -> str:
        with self._engine.begin() as connection:
            connection.execute(MODEL, {"id": new_id(), "name": name, "defaults": defaults})
        return name

    def rows(self, statement: str, **parameters: object) -> list[sa.RowMapping]:
        """Runs SQL as it stands and returns its rows, if it has any."""
        with self._engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return list(result.mappings().all()) if result.returns_rows else []

    def account(self, tenant: Tenant) -> tuple[int, int]:
        """Balance and held credits; the ledger's own sums are checked against them on the way."""
        (row,) = self.rows("SELECT balance, held FROM users WHERE id = :id", id=tenant.id)
        (sums,) = self.rows(
            "SELECT coalesce(sum(amount), 0) AS balance, coalesce(sum(held), 0) AS held FROM credit_entries"
            " WHERE user_id = :id",
            id=tenant.id,
        )
        assert (row["balance"], row["held"]) == (sums["balance"], sums["held"])
        return row["balance"], row["held"]

    def close(self) -> None:
        self._engine.dispose()
