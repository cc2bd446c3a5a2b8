"""Business: who is there, on which plan, and where the credits go."""

from k8s_charts.dashboards.board import ENVIRONMENT, Board, Panel, Query, Row, grown

_OF = ENVIRONMENT
_LARGEST = "max by (environment, {0}) ({1}{{{2}}})"
"""Every replica of the generation service tells the same count."""


def _count(metric: str, label: str) -> str:
    """A count of the census, environments added up."""
    return f"sum by ({label}) ({_LARGEST.format(label, metric, _OF)})"


def _a_day(metric: str, by: str) -> Query:
    return Query(f"sum by ({by}) ({grown(metric, _OF, '1d')})", f"{{{{{by}}}}}")


BOARD = Board(
    name="business",
    title="Business",
    hours=24 * 7,
    refresh="5m",
    rows=(
        Row(
            "Users",
            (
                Panel(
                    title="Active users",
                    queries=[Query(_count("users_active", "days"), "in {{days}} days")],
                    kind="stat",
                    text="Who asked for a picture.",
                ),
                Panel(
                    title="Users by plan",
                    queries=[Query(_count("users_registered", "plan"), "{{plan}}")],
                    kind="piechart",
                ),
                Panel(
                    title="Users by plan, over time",
                    queries=[Query(_count("users_registered", "plan"), "{{plan}}")],
                    stacked=True,
                ),
                Panel(
                    title="Active users, over time",
                    queries=[Query(_count("users_active", "days"), "in {{days}} days")],
                ),
            ),
        ),
        Row(
            "Credits",
            (
                Panel(title="Credits spent in a day, by model", queries=[_a_day("credits_consumed_total", "model")]),
                Panel(
                    title="Credits that users own",
                    queries=[Query(_count("credits_balance", "plan"), "{{plan}}")],
                    stacked=True,
                    text="What the platform owes in pictures.",
                ),
                Panel(
                    title="Credits set aside",
                    queries=[Query(_count("credits_held", "plan"), "{{plan}}")],
                    text="For jobs that wait or run; they come back or are spent.",
                ),
            ),
        ),
        Row(
            "Use",
            (
                Panel(title="Accepted in a day, by plan", queries=[_a_day("generation_requests_total", "plan")]),
                Panel(title="Accepted in a day, by model", queries=[_a_day("generation_requests_total", "model")]),
                Panel(title="Images in a day, by model", queries=[_a_day("images_generated_total", "model")]),
                Panel(
                    title="Credits an image",
                    queries=[
                        Query(
                            f"{_a_day('credits_consumed_total', 'model').expr}"
                            f" / ({_a_day('images_generated_total', 'model').expr} > 0)",
                            "{{model}}",
                        )
                    ],
                ),
            ),
        ),
    ),
)
