"""Lambda: posts what the account cost, from Cost Explorer, as plain text to a topic, once a day.

The day told is the last one whose bill is complete; the day after it, which has just ended, is told as unfinished.
Credits and refunds are left out, as in the budget. One failed call fails the invocation, so that it is tried again and
then alarmed.

Environment: TOPIC_ARN, BUDGET (dollars a month), SETTLED (days until a day's bill is complete), SERVICES (lines),
TAG (the tag whose values are listed).
"""

import calendar
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

Costs = Mapping[date, Mapping[str, Decimal]]
"""Dollars by day and by name."""
ZERO = Decimal(0)
UNTAGGED = "no tag"
NOT_YET = (
    "Cost Explorer has no costs for these days yet. A new account has them about 24 hours after Cost Explorer "
    "was opened in the billing console for the first time."
)
NO_TAG = "  The tag is not activated for cost allocation (Billing, Cost allocation tags), or is less than a day old."


def handler(event: Mapping[str, Any], context: object) -> dict[str, str]:
    """Posts the report of the time that the schedule gives, so that a late retry tells the same day."""
    today = datetime.fromisoformat(event["time"]).astimezone(UTC).date()
    settled, tag = int(os.environ["SETTLED"]), os.environ["TAG"]
    day = today - timedelta(days=1 + settled)
    costs = boto3.client("ce", region_name="us-east-1")
    try:
        services = spending(costs, day, today, {"Type": "DIMENSION", "Key": "SERVICE"})
        tagged = spending(costs, day, today, {"Type": "TAG", "Key": tag})
    except ClientError as error:
        if error.response["Error"]["Code"] != "DataUnavailableException":
            raise
        services, tagged = {}, {}
    text = report(
        services,
        tagged,
        day=day,
        today=today,
        budget=Decimal(os.environ["BUDGET"]),
        lines=int(os.environ["SERVICES"]),
        tag=tag,
    )
    subject = f"Pingvas Studio: cost of {day:%d %B %Y}"
    answer = boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject=subject, Message=text)
    print(json.dumps({"event": "report sent", "day": str(day), "message": answer["MessageId"]}))  # noqa: T201
    return {"day": str(day)}


def spending(client: Any, day: date, today: date, group: Mapping[str, str]) -> Costs:
    """Daily costs by `group` to yesterday, from the month's first day or, if earlier, the day before `day`."""
    start = min(day.replace(day=1), day - timedelta(days=1))
    found: dict[date, dict[str, Decimal]] = {}
    for result in _pages(client, start, today, group):
        names = found.setdefault(date.fromisoformat(result["TimePeriod"]["Start"]), defaultdict(Decimal))
        for one in result["Groups"]:
            name = one["Keys"][0].removeprefix(f"{group['Key']}$") or UNTAGGED
            names[name] += Decimal(one["Metrics"]["UnblendedCost"]["Amount"])
    return found


def _pages(client: Any, start: date, end: date, group: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = client.get_cost_and_usage(
            TimePeriod={"Start": str(start), "End": str(end)},
            Granularity="DAILY",
            Metrics=["UnblendedCost"],
            Filter={"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}},
            GroupBy=[group],
            **token,
        )
        yield from page["ResultsByTime"]
        if not page.get("NextPageToken"):
            return
        token = {"NextPageToken": page["NextPageToken"]}


def report(services: Costs, tagged: Costs, *, day: date, today: date, budget: Decimal, lines: int, tag: str) -> str:
    """The report as text. Days are UTC days, amounts dollars; the month is the month of `day`."""
    title = f"Cost of {day:%d %B %Y}, in US dollars, by UTC days, without credits and refunds"
    if not any(amount for names in services.values() for amount in names.values()):
        return f"{title}\n\n{NOT_YET}\n"
    before, unfinished = day - timedelta(days=1), today - timedelta(days=1)
    spent, month = _sum(services.get(day, {})), _month(services, day)
    total = _sum(month)
    days = calendar.monthrange(day.year, day.month)[1]
    pace = total / day.day * days
    over = f"{_money(pace - budget)} above the budget" if pace > budget else "within the budget"
    out = [
        title,
        "",
        f"{'Day':<16}{_money(spent):>12}   {_change(spent, _sum(services.get(before, {})))}",
        f"{'Month to date':<16}{_money(total):>12}   {day.day} of {days} days, "
        f"{total / budget:.0%} of the budget of {_money(budget)}",
        f"{'At this pace':<16}{_money(pace):>12}   at the end of the month: {over}",
    ]
    if unfinished != day:
        out.append(
            f"{f'{unfinished:%d %B}':<16}{_money(_sum(services.get(unfinished, {}))):>12}   so far; not complete"
        )
    out += ["", *_table("By service", services.get(day, {}), month, lines)]
    marked = _month(tagged, day)
    out += ["", *_table(f"By {tag}", tagged.get(day, {}), marked, lines)]
    if set(marked) <= {UNTAGGED}:
        out.append(NO_TAG)
    return "\n".join(out) + "\n"


def _table(title: str, day: Mapping[str, Decimal], month: Mapping[str, Decimal], lines: int) -> list[str]:
    ordered = sorted(month, key=lambda name: (-month[name], name))
    shown, others = ordered[:lines], ordered[lines:]
    rows = [(name, day.get(name, ZERO), month[name]) for name in shown]
    if others:
        rows.append((f"{len(others)} other{'s' if len(others) > 1 else ''}", _sum(day, others), _sum(month, others)))
    return [
        f"{title:<48}{'day':>12}{'month':>12}",
        *(f"  {name[:44]:<46}{_money(one):>12}{_money(all_):>12}" for name, one, all_ in rows),
    ]


def _month(costs: Costs, day: date) -> dict[str, Decimal]:
    names: dict[str, Decimal] = defaultdict(Decimal)
    for one, spent in costs.items():
        if (one.year, one.month) == (day.year, day.month) and one <= day:
            for name, amount in spent.items():
                names[name] += amount
    return names


def _sum(names: Mapping[str, Decimal], of: list[str] | None = None) -> Decimal:
    return sum((names.get(name, ZERO) for name in (names if of is None else of)), ZERO)


def _change(now: Decimal, before: Decimal) -> str:
    if not before:
        return "nothing the day before"
    change = now - before
    sign = "-" if change < 0 else "+"
    return f"{sign}{_money(abs(change))} ({change / before:+.0%}) against the day before"


def _money(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount >= 0 else f"-${-amount:,.2f}"
