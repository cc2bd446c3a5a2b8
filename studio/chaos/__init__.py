"""Chaos: many users at once while workers are killed, Valkey is emptied and killed, and PostgreSQL is killed.

`./pingvas chaos` runs a studio of its own in a folder of its own, breaks it on purpose, and then checks that every
accepted request ended once, was charged once or not at all, and left nothing behind. Not to be confused with
`tests/`: it takes minutes, though a short form of it is a test.
"""
