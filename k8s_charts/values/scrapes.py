"""How often a chart's monitor is asked, and how long the answer may take.

Charts bring timeouts of their own, made for thirty seconds. The Prometheus operator leaves out, with no more than an
event, every monitor whose timeout is longer than its interval.
"""

from blueprint.monitoring import PROMETHEUS

INTERVAL = f"{PROMETHEUS.scrape_seconds}s"
TIMEOUT = f"{min(PROMETHEUS.scrape_seconds, 10)}s"
"""Prometheus' own, ten seconds, unless the next question comes earlier."""
