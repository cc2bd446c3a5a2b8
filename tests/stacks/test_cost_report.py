"""The daily cost report, against boto3's own stubs: they refuse a call that AWS would refuse."""

import importlib.util
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

ROOT = Path(__file__).parents[2]
TOPIC = "arn:aws:sns:us-east-1:111122223333:pingvas-info"
FILTER = {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}}
SERVICE = {"Type": "DIMENSION", "Key": "SERVICE"}
TAG = {"Type": "TAG", "Key": "environment"}


def load(name: str) -> ModuleType:
    path = ROOT / "stacks" / "functions" / name / "handler.py"
    spec = importlib.util.spec_from_file_location(f"{name}_handler", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report = load("cost_report")


class Aws:
    """Cost Explorer and SNS as the function meets them; `sent` is what was published."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.clients = {name: boto3.client(name, region_name="us-east-1", **keys) for name in ("ce", "sns")}
        self.costs, self.topics = (Stubber(self.clients[name]) for name in ("ce", "sns"))
        self.sent: list[dict[str, str]] = []
        self.clients["sns"].meta.events.register("provide-client-params.sns.Publish", self._keep)

    def _keep(self, params: dict[str, str], **_: Any) -> None:
        self.sent.append(params)

    def page(
        self,
        start: str,
        end: str,
        group: dict[str, str],
        days: dict[str, dict[str, str]],
        *,
        token: str = "",
        more: str = "",
    ) -> None:
        results = [
            {
                "TimePeriod": {"Start": day, "End": day},
                "Estimated": True,
                "Groups": [
                    {"Keys": [name], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
                    for name, amount in names.items()
                ],
            }
            for day, names in days.items()
        ]
        self.costs.add_response(
            "get_cost_and_usage",
            {"ResultsByTime": results, **({"NextPageToken": more} if more else {})},
            {
                "TimePeriod": {"Start": start, "End": end},
                "Granularity": "DAILY",
                "Metrics": ["UnblendedCost"],
                "Filter": FILTER,
                "GroupBy": [group],
                **({"NextPageToken": token} if token else {}),
            },
        )

    def run(self, time: str = "2026-11-22T00:00:00Z") -> str:
        self.topics.add_response("publish", {"MessageId": "1"})
        report.handler({"time": time}, None)
        self.costs.assert_no_pending_responses()
        self.topics.assert_no_pending_responses()
        (message,) = self.sent
        assert message["TopicArn"] == TOPIC
        assert len(message["Subject"]) < 100 and message["Subject"].isascii()
        return message["Message"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    made = Aws()
    monkeypatch.setattr(report.boto3, "client", lambda name, **_: made.clients[name])
    environment = {"TOPIC_ARN": TOPIC, "BUDGET": "1500", "SETTLED": "1", "SERVICES": "2", "TAG": "environment"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with made.costs, made.topics:
        yield made


def test_a_usual_day_reads_like_this(aws: Aws) -> None:
    aws.page(
        "2026-11-01",
        "2026-11-22",
        SERVICE,
        {
            "2026-11-19": {"Amazon ElastiCache": "15", "Amazon Relational Database Service": "5"},
            "2026-11-20": {"Amazon ElastiCache": "15", "Amazon Relational Database Service": "6", "AWS WAF": "0.2"},
        },
        more="next",
    )
    aws.page(
        "2026-11-01",
        "2026-11-22",
        SERVICE,
        {"2026-11-20": {"Amazon Simple Storage Service": "0.8"}, "2026-11-21": {"Amazon ElastiCache": "7.125"}},
        token="next",
    )
    aws.page(
        "2026-11-01",
        "2026-11-22",
        TAG,
        {
            "2026-11-19": {"environment$prod": "12", "environment$": "8"},
            "2026-11-20": {"environment$prod": "13", "environment$shared": "2", "environment$": "7"},
        },
    )
    # The amounts of 21 November are told once, as unfinished, and belong to no sum.
    assert aws.run() == (
        "Cost of 20 November 2026, in US dollars, by UTC days, without credits and refunds\n"
        "\n"
        "Day                   $22.00   +$2.00 (+10%) against the day before\n"
        "Month to date         $42.00   20 of 30 days, 3% of the budget of $1,500.00\n"
        "At this pace          $63.00   at the end of the month: within the budget\n"
        "21 November            $7.12   so far; not complete\n"
        "\n"
        "By service                                               day       month\n"
        "  Amazon ElastiCache                                  $15.00      $30.00\n"
        "  Amazon Relational Database Service                   $6.00      $11.00\n"
        "  2 others                                             $1.00       $1.00\n"
        "\n"
        "By environment                                           day       month\n"
        "  prod                                                $13.00      $25.00\n"
        "  no tag                                               $7.00      $15.00\n"
        "  1 other                                              $2.00       $2.00\n"
    )


@pytest.mark.parametrize(
    ("time", "start", "day", "before"),
    [
        # the month's second day tells the last day of the month before: all of that month
        ("2026-11-02T00:00:00Z", "2026-10-01", "2026-10-31", "2026-10-30"),
        # and its third the first: one day of the month, compared with the month before
        ("2026-11-03T00:00:00Z", "2026-10-31", "2026-11-01", "2026-10-31"),
        ("2027-01-03T09:00:00+09:00", "2026-12-31", "2027-01-01", "2026-12-31"),
        ("2028-03-02T00:00:00Z", "2028-02-01", "2028-02-29", "2028-02-28"),
    ],
)
def test_months_begin_and_end(aws: Aws, time: str, start: str, day: str, before: str) -> None:
    spent = {before: {"EC2": "10"}, day: {"EC2": "30"}}
    end = "2027-01-03" if day == "2027-01-01" else time[:10]
    aws.page(start, end, SERVICE, spent)
    aws.page(start, end, TAG, {one: {"environment$dev": "1"} for one in spent})
    text = aws.run(time)
    assert "+$20.00 (+200%) against the day before" in text
    first = day.endswith("-01")
    month = "$30.00" if first else "$40.00"
    assert f"Month to date         {month}   {int(day[-2:])} of " in text


def test_what_is_over_the_budget_is_said(aws: Aws) -> None:
    aws.page("2026-11-01", "2026-11-22", SERVICE, {"2026-11-20": {"EC2": "1200"}})
    aws.page("2026-11-01", "2026-11-22", TAG, {"2026-11-20": {"environment$dev": "1200"}})
    text = aws.run()
    assert "80% of the budget of $1,500.00" in text
    assert "$1,800.00   at the end of the month: $300.00 above the budget" in text
    assert "nothing the day before" in text


def test_a_fall_is_told_as_one(aws: Aws) -> None:
    aws.page("2026-11-01", "2026-11-22", SERVICE, {"2026-11-19": {"EC2": "8"}, "2026-11-20": {"EC2": "6"}})
    aws.page("2026-11-01", "2026-11-22", TAG, {"2026-11-20": {"environment$dev": "6"}})
    assert "-$2.00 (-25%) against the day before" in aws.run()


def test_a_tag_that_nobody_activated_is_explained(aws: Aws) -> None:
    aws.page("2026-11-01", "2026-11-22", SERVICE, {"2026-11-20": {"EC2": "6"}})
    aws.page("2026-11-01", "2026-11-22", TAG, {"2026-11-20": {"environment$": "6"}})
    text = aws.run()
    assert "  no tag " in text
    assert "not activated for cost allocation" in text


def test_no_data_is_said_and_is_not_zero_dollars(aws: Aws) -> None:
    for group in (SERVICE, TAG):
        aws.page("2026-11-01", "2026-11-22", group, {"2026-11-19": {}, "2026-11-20": {}})
    text = aws.run()
    assert "no costs for these days yet" in text
    assert "$0.00" not in text


def test_an_account_that_is_too_new_hears_so(aws: Aws) -> None:
    aws.costs.add_client_error("get_cost_and_usage", "DataUnavailableException")
    assert "no costs for these days yet" in aws.run()


@pytest.mark.parametrize("code", ["LimitExceededException", "AccessDeniedException", "BillExpirationException"])
def test_an_error_fails_the_invocation_and_sends_nothing(aws: Aws, code: str) -> None:
    aws.costs.add_client_error("get_cost_and_usage", code)
    with pytest.raises(ClientError, match=code):
        report.handler({"time": "2026-11-22T00:00:00Z"}, None)
    assert not aws.sent


def test_a_half_read_bill_is_not_sent(aws: Aws) -> None:
    aws.page("2026-11-01", "2026-11-22", SERVICE, {"2026-11-20": {"EC2": "6"}}, more="next")
    aws.costs.add_client_error("get_cost_and_usage", "LimitExceededException")
    with pytest.raises(ClientError):
        report.handler({"time": "2026-11-22T00:00:00Z"}, None)
    assert not aws.sent


def test_amounts_are_decimal(aws: Aws) -> None:
    """Ten dimes are a dollar, which they are not in binary floating point."""
    aws.page("2026-11-01", "2026-11-22", SERVICE, {"2026-11-20": {f"S{one}": "0.1" for one in range(10)}})
    aws.page("2026-11-01", "2026-11-22", TAG, {})
    assert "Day                    $1.00 " in aws.run()
    assert report._sum({str(one): Decimal("0.1") for one in range(10)}) == 1
