"""Benchmarks: each prints a table and compares against a named baseline in the same run. Not tests: nothing is timed
to pass or fail."""
