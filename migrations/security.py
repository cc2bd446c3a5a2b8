"""Row-Level Security and grants, as SQL that migrations run.

The role `app` sees what its transaction's tenant owns. Aurora's master cannot give BYPASSRLS to anyone, so the
roles `owner`, `worker` and `backup` get a policy of their own that is always true. The functions below are the two
doors through which `app` learns whose an identity or an API key is, before there is a tenant: each wants something
that only its holder knows, and answers with no more than an id.
"""

from blueprint.environments import Environment

TENANT = "nullif(current_setting('app.user_id', true), '')::uuid"
OWNED = {
    "users": "id",
    "oauth_identities": "user_id",
    "api_keys": "user_id",
    "subscriptions": "user_id",
    "webhook_events": "user_id",
    "credit_entries": "user_id",
    "generations": "user_id",
    "images": "user_id",
    "boards": "user_id",
    "models": "user_id",
}
READABLE_WITHOUT_OWNER = ("models",)
APPEND_ONLY = ("credit_entries",)


def policies(environment: Environment) -> list[str]:
    """Statements that force Row-Level Security on every table with an owner."""
    app = environment.role("app")
    statements = []
    for table, column in OWNED.items():
        own = f"{column} = (SELECT {TENANT})"
        seen = f"{own} OR {column} IS NULL" if table in READABLE_WITHOUT_OWNER else own
        statements += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant_read ON {table} FOR SELECT TO {app} USING ({seen})",
            f"CREATE POLICY tenant_insert ON {table} FOR INSERT TO {app} WITH CHECK ({own})",
            f"CREATE POLICY tenant_update ON {table} FOR UPDATE TO {app} USING ({own}) WITH CHECK ({own})",
            f"CREATE POLICY tenant_delete ON {table} FOR DELETE TO {app} USING ({own})",
        ]
        statements += [
            f"CREATE POLICY {purpose}_all ON {table} TO {environment.role(purpose)} USING (true)"
            + ("" if purpose == "backup" else " WITH CHECK (true)")
            for purpose in ("owner", "worker", "backup")
        ]
    return statements


def grants(environment: Environment) -> list[str]:
    """What each role may do; the ledger can be appended to and read, never changed."""
    app, worker, backup = (environment.role(purpose) for purpose in ("app", "worker", "backup"))
    tables = ", ".join(OWNED)
    ledger = ", ".join(APPEND_ONLY)
    return [
        f"REVOKE ALL ON {tables} FROM PUBLIC",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {app}, {worker}",
        f"GRANT SELECT ON {tables} TO {backup}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {ledger} FROM {app}, {worker}",
        # The bootstrap's default privileges give them every table of the owner's, Alembic's too.
        f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON alembic_version FROM {app}, {worker}",
    ]


def functions(environment: Environment) -> list[str]:
    """The doors: who holds this identity, who holds the key with this hash."""
    app, schema = environment.role("app"), environment.schema
    return [
        f"""
        CREATE FUNCTION identity_user(identity_provider text, identity_subject text) RETURNS uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
            SELECT user_id FROM oauth_identities WHERE provider = identity_provider AND subject = identity_subject
        $$""",
        f"""
        CREATE FUNCTION api_key_holder(hash bytea) RETURNS TABLE (id uuid, user_id uuid, scopes text[])
        LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
            UPDATE api_keys SET last_used_at = now()
            WHERE key_hash = hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
            RETURNING id, user_id, scopes
        $$""",
        "REVOKE ALL ON FUNCTION identity_user(text, text), api_key_holder(bytea) FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION identity_user(text, text), api_key_holder(bytea) TO {app}",
    ]
