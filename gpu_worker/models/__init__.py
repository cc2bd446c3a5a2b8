"""Models: loading, keeping and running them. The only part of the worker that knows torch and diffusers.

Importing this package costs nothing; `cache` is where the rest of the worker comes in.
"""
