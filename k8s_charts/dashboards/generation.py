"""Generation: what is asked for, how long it waits, how long it takes, how it ends."""

from k8s_charts.dashboards.board import ENVIRONMENT, Board, Panel, Query, Row, grown, quantiles

_OF = ENVIRONMENT
_WORKERS = f'up{{{_OF}, service="gpu-worker"}}'
_SUCCEEDED = f'{_OF}, status="succeeded"'
_ENDED = "generation_duration_seconds_count"
_FAILED = "100 * sum by (environment) ({}) / (sum by (environment) ({}) > 0)".format(
    *(grown(_ENDED, f'{_OF}, status=~"{status}"', "15m") for status in ("failed", "succeeded|failed"))
)


def _a_minute(metric: str, by: str) -> list[Query]:
    return [Query(f"sum by ({by}) ({grown(metric, _OF, '5m')}) / 5", f"{{{{{by}}}}}")]


BOARD = Board(
    name="generation",
    title="Generation",
    rows=(
        Row(
            "Now",
            (
                Panel(
                    title="Jobs that wait",
                    queries=[Query(f"max by (environment) (queue_length{{{_OF}}})", "{{environment}}")],
                    kind="stat",
                    alarm="queue-length",
                    height=4,
                ),
                Panel(
                    title="Workers that answer",
                    queries=[Query(f"sum by (environment) ({_WORKERS})", "{{environment}}")],
                    kind="stat",
                    height=4,
                ),
                Panel(
                    title="P95 of the wait",
                    queries=[quantiles("generation_queue_wait_seconds", _OF, by="environment", short_lived=True)[1]],
                    unit="s",
                    kind="stat",
                    alarm="queue-wait",
                    height=4,
                ),
                Panel(
                    title="Failed, of all that ended",
                    queries=[Query(_FAILED, "{{environment}}")],
                    unit="percent",
                    kind="stat",
                    height=4,
                ),
            ),
        ),
        Row(
            "Queue",
            (
                Panel(
                    title="Jobs that wait for a worker",
                    queries=[Query(f"max by (environment) (queue_length{{{_OF}}})", "{{environment}}")],
                    alarm="queue-length",
                ),
                Panel(
                    title="From acceptance to the claim",
                    queries=quantiles("generation_queue_wait_seconds", _OF, short_lived=True),
                    unit="s",
                    alarm="queue-wait",
                ),
                Panel(
                    title="Workers",
                    queries=[Query(f"sum by (environment) ({_WORKERS})", "{{environment}}")],
                    text="Pods whose model is loaded.",
                ),
            ),
        ),
        Row(
            "Demand and result",
            (
                Panel(
                    title="Accepted a minute, by plan",
                    queries=_a_minute("generation_requests_total", "plan"),
                    stacked=True,
                ),
                Panel(
                    title="Ended a minute, by result",
                    queries=_a_minute(_ENDED, "status"),
                    stacked=True,
                ),
                Panel(
                    title="Images a minute, by model",
                    queries=_a_minute("images_generated_total", "model"),
                    stacked=True,
                ),
                Panel(title="Failed, of all that ended", queries=[Query(_FAILED, "{{environment}}")], unit="percent"),
            ),
        ),
        Row(
            "Rendering",
            (
                Panel(
                    title="From the claim to the end",
                    queries=quantiles("generation_duration_seconds", _SUCCEEDED, short_lived=True),
                    unit="s",
                ),
                Panel(
                    title="P95 by model",
                    queries=[
                        quantiles("generation_duration_seconds", _SUCCEEDED, by="model", short_lived=True)[1],
                    ],
                    unit="s",
                ),
                Panel(
                    title="Recovered in an hour",
                    queries=[
                        Query(
                            f"sum by (environment) (increase(job_leases_expired_total{{{_OF}}}[1h]))",
                            "{{environment}}: workers that fell silent",
                        ),
                        Query(
                            f"sum by (environment) (increase(queue_republished_total{{{_OF}}}[1h]))",
                            "{{environment}}: wake-ups sent again",
                        ),
                    ],
                ),
            ),
        ),
        Row(
            "API of the generation service",
            (
                Panel(
                    title="Time to the answer",
                    queries=quantiles("http_request_duration_seconds", f'{_OF}, service="generation-service"'),
                    unit="s",
                ),
                Panel(
                    title="Requests, by status",
                    queries=[
                        Query(
                            f'sum by (status) (rate(http_requests_total{{{_OF}, service="generation-service"}}[5m]))',
                            "{{status}}",
                        )
                    ],
                    unit="reqps",
                    stacked=True,
                ),
            ),
        ),
    ),
)
