"""CloudWatch alarms of `blueprint.alarms`, each to the topic of its severity."""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from blueprint.alarm import Alarm
from blueprint.alarms import ALARMS
from blueprint.cluster import SPOT_WARNING
from blueprint.environments import EnvironmentName
from blueprint.notices import Severity
from blueprint.pools import GPU
from stacks.components.excuse import excuse
from stacks.components.functions import SmallFunction
from stacks.components.notices import target
from stacks.components.notifications import RULE_PREFIX, Topics
from stacks.components.statements import allow

Dimensions = Mapping[str, str]
PREFIX = "pingvas-"


class Alarms(Construct):
    """Alarms named `pingvas-<alarm>[-<of>]`; `names` has them all."""

    def __init__(self, scope: Construct, id_: str, *, topics: Topics, runbook: str) -> None:
        super().__init__(scope, id_)
        self._topics = topics
        self._runbook = runbook
        self.names: list[str] = []

    def metric(
        self,
        name: str,
        dimensions: Dimensions,
        *,
        of: str = "",
        environment: EnvironmentName | None = None,
        threshold: float | None = None,
    ) -> None:
        """An alarm on one metric."""
        alarm = ALARMS[name]
        self._alarm(
            alarm,
            of=of,
            environment=environment,
            threshold=threshold,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=_dimensions(dimensions),
            statistic=alarm.statistic,
            period=alarm.period,
        )

    def across(
        self,
        name: str,
        function: str,
        dimensions: Sequence[Dimensions],
        *,
        of: str = "",
        environment: EnvironmentName | None = None,
    ) -> None:
        """An alarm on `function` (`MAX`, or `MIN` with nothing counted as 0) of one metric of several things."""
        alarm = ALARMS[name]
        values = 'FILL(METRICS("one"), 0)' if function == "MIN" else 'METRICS("one")'
        self._math(
            alarm,
            f"{function}({values})",
            ((f"one{number}", alarm.metric, one) for number, one in enumerate(dimensions)),
            of=of,
            environment=environment,
        )

    def ratio(
        self,
        name: str,
        total: str,
        dimensions: Sequence[Dimensions],
        *,
        of: str = "",
        environment: EnvironmentName | None = None,
        beside: bool = False,
    ) -> None:
        """An alarm on the alarm's metric in per cent of the metric `total`, summed over several things.

        A period with fewer than the alarm's `least` errors counts as 0 %. `beside`: `total` lacks the errors.
        """
        alarm = ALARMS[name]
        errors, everything = (f'SUM(FILL(METRICS("{kind}"), 0))' for kind in ("errors", "total"))
        base = f"({everything} + {errors})" if beside else everything
        self._math(
            alarm,
            f"IF({errors} >= {alarm.least}, 100 * {errors} / IF({base} > 0, {base}, 1), 0)",
            (
                (f"{kind}{number}", metric, one)
                for kind, metric in (("errors", alarm.metric), ("total", total))
                for number, one in enumerate(dimensions)
            ),
            of=of,
            environment=environment,
        )

    def _math(
        self,
        alarm: Alarm,
        expression: str,
        metrics: Iterable[tuple[str, str, Dimensions]],
        *,
        of: str,
        environment: EnvironmentName | None,
    ) -> None:
        query = cloudwatch.CfnAlarm.MetricDataQueryProperty
        self._alarm(
            alarm,
            of=of,
            environment=environment,
            metrics=[
                query(id="watched", label=alarm.name, expression=expression, return_data=True),
                *(
                    query(
                        id=id_,
                        return_data=False,
                        metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
                            metric=cloudwatch.CfnAlarm.MetricProperty(
                                namespace=alarm.namespace, metric_name=metric, dimensions=_dimensions(dimensions)
                            ),
                            period=alarm.period,
                            stat=alarm.statistic,
                        ),
                    )
                    for id_, metric, dimensions in metrics
                ),
            ],
        )

    def _alarm(
        self,
        alarm: Alarm,
        *,
        of: str,
        environment: EnvironmentName | None,
        threshold: float | None = None,
        **watched: object,
    ) -> None:
        severity: Severity = alarm.severity_in(environment) if environment else alarm.severity
        topic = [self._topics.arns[severity]]
        about = f" ({of})" if of else ""
        of_id = "-".join(part for part in (alarm.name, of) if part)
        self.names.append(f"{PREFIX}{of_id}")
        cloudwatch.CfnAlarm(
            self,
            of_id,
            alarm_name=self.names[-1],
            alarm_description=f"{alarm.row or alarm.name}{about}: {alarm.reason}. {self._runbook}#{alarm.name}",
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold if threshold is None else threshold,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.enough or alarm.periods,
            treat_missing_data=alarm.missing,
            alarm_actions=topic,
            ok_actions=topic if alarm.resolves else None,
            **watched,  # type: ignore[arg-type]
        )


class SpotNotice(Construct):
    """Spot warnings of GPU nodes: rule, function, and the metric that its alarm reads."""

    def __init__(
        self, scope: Construct, id_: str, *, topics: Topics, runbook: str, cluster: str, logs_key: kms.IKey
    ) -> None:
        super().__init__(scope, id_)
        alarm = ALARMS["gpu-spot-interruption"]
        small = SmallFunction(
            self,
            "Function",
            name="spot-notice",
            code="spot_notice",
            description="Counts and tells Spot interruptions of GPU nodes",
            seconds=20,
            logs_key=logs_key,
            dead_letters=topics.dead_letters.attr_arn,
            environment={
                "TOPIC_ARN": topics.arns[alarm.severity],
                "CLUSTER": cluster,
                "FAMILIES": ",".join(GPU.families),
                "NAMESPACE": alarm.namespace,
                "METRIC": alarm.metric,
                "RUNBOOK": f"{runbook}#{alarm.name}",
                "CHAT": "1" if "slack" in topics.receivers.of(alarm.severity) else "0",
            },
            may=[
                *topics.publishing(alarm.severity),
                allow("ec2:DescribeInstances", "*", Sid="DescribingHasNoResourceLevel"),
            ],
        )
        excuse(
            small.role,
            "AwsSolutions-IAM5[Resource::*]",
            "ec2:DescribeInstances has no resource level in IAM; the function asks for one instance and reads only",
        )
        excuse(small.function, "CKV_AWS_45", "what is taken for a key is the runbook's address, 40 letters of a URL")
        self.function = small.function
        rule = events.CfnRule(
            self,
            "Rule",
            name=f"{RULE_PREFIX}{alarm.name}",
            description=alarm.row,
            event_pattern={"source": ["aws.ec2"], "detail-type": [SPOT_WARNING]},
            targets=[target(self.function.attr_arn, topics)],
        )
        lambda_.CfnPermission(
            self,
            "RuleMayInvoke",
            action="lambda:InvokeFunction",
            function_name=self.function.ref,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
            source_account=Aws.ACCOUNT_ID,
        )


def _dimensions(dimensions: Dimensions) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
    return [cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in dimensions.items()]
