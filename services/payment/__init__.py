"""Plans, balances and the ledger."""
