"""Credits: an append-only ledger whose sums the users' rows repeat.

An entry changes the balance by `amount` and what is set aside of it by `held`:

    kind      amount   held     business key
    grant     +n        0       plan:<plan>:<month>, order:<id> ...
    hold       0       +price   hold:<generation>
    charge    -price   -price   settle:<generation>
    release    0       -price   settle:<generation>
    refund    +n        0       refund:<...>

A business key is unique for a user. Charge and release share theirs, so a generation is settled once or not at all,
whoever tries; and `held >= 0 AND balance >= held` is a constraint of the users' table, so nothing can be overspent.
"""

import sqlalchemy as sa

GRANT = sa.text("""
    WITH entry AS (
        INSERT INTO credit_entries (user_id, kind, amount, business_key)
        VALUES (:user_id, 'grant', :amount, :business_key)
        ON CONFLICT (user_id, business_key) DO NOTHING
        RETURNING user_id, amount)
    UPDATE users SET balance = balance + entry.amount, updated_at = now() FROM entry WHERE users.id = entry.user_id
""")
"""Grants credits once a business key: touches a row the first time, none afterwards."""

SETTLE_CHARGE = """
    entry AS (
        INSERT INTO credit_entries (user_id, kind, amount, held, business_key, generation_id)
        SELECT user_id, 'charge', -price, -price, 'settle:' || id, id FROM done),
    account AS (
        UPDATE users SET balance = users.balance - done.price, held = users.held - done.price, updated_at = now()
        FROM done WHERE users.id = done.user_id)"""

SETTLE_RELEASE = """
    entry AS (
        INSERT INTO credit_entries (user_id, kind, amount, held, business_key, generation_id)
        SELECT user_id, 'release', 0, -price, 'settle:' || id, id
        FROM done WHERE status IN ('canceled', 'failed')),
    account AS (
        UPDATE users SET held = users.held - ended.price, updated_at = now()
        FROM (SELECT user_id, sum(price) AS price FROM done WHERE status IN ('canceled', 'failed') GROUP BY user_id)
            AS ended
        WHERE users.id = ended.user_id)"""
"""Two parts of a statement that has a `done` of generations (id, user_id, price, status) before them."""

AUDIT = sa.text("""
    SELECT users.id AS user_id, users.balance, users.held,
        coalesce(sums.balance, 0) AS entries_balance, coalesce(sums.held, 0) AS entries_held
    FROM users LEFT JOIN (
        SELECT user_id, sum(amount)::bigint AS balance, sum(held)::bigint AS held FROM credit_entries GROUP BY user_id
    ) AS sums ON sums.user_id = users.id
    WHERE (CAST(:user_id AS uuid) IS NULL OR users.id = :user_id)
        AND (users.balance, users.held) IS DISTINCT FROM (coalesce(sums.balance, 0), coalesce(sums.held, 0))
    ORDER BY users.id
""")
"""Users whose row differs from the sums of their entries: none, ever. `user_id` null asks about all that are seen."""
