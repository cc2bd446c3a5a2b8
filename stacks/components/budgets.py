"""The month's budget, cost anomalies and the daily cost report."""

import json

from aws_cdk import Aws
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from blueprint.finance import ANOMALY, BUDGET, ENVIRONMENT_TAG, PROJECT_TAG, REPORT, TEAM_EMAIL
from stacks.components.excuse import excuse
from stacks.components.functions import SmallFunction
from stacks.components.notifications import Topics, trust
from stacks.components.statements import allow, document

SCHEDULE = "pingvas-daily-cost-report"


class Budgets(Construct):
    """What may be spent, and who hears when it is more: the warning topic, and by e-mail the team."""

    def __init__(self, scope: Construct, id_: str, *, topics: Topics, amount: int) -> None:
        super().__init__(scope, id_)
        subscribers = [{"subscriptionType": "SNS", "address": topics.arns["warning"]}]
        if "email" not in topics.receivers.of("warning"):
            subscribers.append({"subscriptionType": "EMAIL", "address": TEAM_EMAIL})
        limits = [("ACTUAL", one) for one in BUDGET.actual] + [("FORECASTED", one) for one in BUDGET.forecast]
        budget = budgets.CfnBudget
        budget(
            self,
            "Month",
            budget=budget.BudgetDataProperty(
                budget_name="pingvas-studio",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budget.SpendProperty(amount=amount, unit="USD"),
                cost_types=budget.CostTypesProperty(include_credit=False, include_refund=False),
            ),
            notifications_with_subscribers=[
                budget.NotificationWithSubscribersProperty(
                    notification=budget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=limit,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budget.SubscriberProperty(subscription_type=one["subscriptionType"], address=one["address"])
                        for one in subscribers
                    ],
                )
                for kind, limit in limits
            ],
        )
        self._anomalies(topics)

    def _anomalies(self, topics: Topics) -> None:
        # By tag: an account may have one monitor by service only, and AWS makes that one itself
        key, value = PROJECT_TAG
        monitor = ce.CfnAnomalyMonitor(
            self,
            "Monitor",
            monitor_name="pingvas-studio",
            monitor_type="CUSTOM",
            monitor_specification=json.dumps({"Tags": {"Key": key, "Values": [value]}}),
        )
        impact = {"ANOMALY_TOTAL_IMPACT_ABSOLUTE": ANOMALY.dollars, "ANOMALY_TOTAL_IMPACT_PERCENTAGE": ANOMALY.percent}
        ce.CfnAnomalySubscription(
            self,
            "Anomalies",
            subscription_name="pingvas-studio",
            frequency="IMMEDIATE",
            monitor_arn_list=[monitor.attr_monitor_arn],
            threshold_expression=json.dumps(
                {
                    "And": [
                        {"Dimensions": {"Key": one, "MatchOptions": ["GREATER_THAN_OR_EQUAL"], "Values": [str(least)]}}
                        for one, least in impact.items()
                    ]
                }
            ),
            subscribers=[ce.CfnAnomalySubscription.SubscriberProperty(type="SNS", address=topics.arns["warning"])],
        )


class CostReport(Construct):
    """A letter a day: the function, and the schedule that calls it. `function` is its Lambda function."""

    def __init__(self, scope: Construct, id_: str, *, topics: Topics, amount: int, logs_key: kms.IKey) -> None:
        super().__init__(scope, id_)
        small = SmallFunction(
            self,
            "Function",
            name="cost-report",
            code="cost_report",
            description="Posts yesterday's and this month's costs to the info topic",
            seconds=60,
            logs_key=logs_key,
            dead_letters=topics.dead_letters.attr_arn,
            environment={
                "TOPIC_ARN": topics.arns["info"],
                "BUDGET": str(amount),
                "SETTLED": str(REPORT.settled),
                "SERVICES": str(REPORT.services),
                "TAG": ENVIRONMENT_TAG,
            },
            may=[
                *topics.publishing("info"),
                allow("ce:GetCostAndUsage", "*", Sid="CostExplorerHasNoResources"),
            ],
        )
        excuse(
            small.role,
            "AwsSolutions-IAM5[Resource::*]",
            "ce:GetCostAndUsage has no resource level in IAM and reads only",
        )
        self.function = small.function
        role = iam.CfnRole(
            self,
            "ScheduleRole",
            assume_role_policy_document=trust(
                "scheduler.amazonaws.com", f"scheduler:{Aws.REGION}:{Aws.ACCOUNT_ID}:schedule-group/default"
            ),
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="Invoke",
                    policy_document=document(
                        allow("lambda:InvokeFunction", self.function.attr_arn),
                        allow("sqs:SendMessage", topics.dead_letters.attr_arn),
                    ),
                )
            ],
        )
        schedule = scheduler.CfnSchedule
        schedule(
            self,
            "Schedule",
            name=SCHEDULE,
            description="The daily cost report",
            schedule_expression=f"cron(0 {REPORT.hour} * * ? *)",
            schedule_expression_timezone=REPORT.timezone,
            flexible_time_window=schedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=schedule.TargetProperty(
                arn=self.function.attr_arn,
                role_arn=role.attr_arn,
                input=json.dumps({"time": "<aws.scheduler.scheduled-time>"}),
                dead_letter_config=schedule.DeadLetterConfigProperty(arn=topics.dead_letters.attr_arn),
                retry_policy=schedule.RetryPolicyProperty(maximum_event_age_in_seconds=3600, maximum_retry_attempts=5),
            ),
        )
