"""The whole studio on one machine: embedded PostgreSQL and Valkey, the five services, the worker, the commands."""
