"""The queue that tells Karpenter of Spot warnings: what reaches it, and who may send."""

from blueprint.cluster import INTERRUPTION_EVENTS, NAME
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates

STACK = "Cluster"


def test_the_interruption_queue_is_karpenters_and_forgets_soon(templates: Templates) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK).properties
    assert queue["QueueName"] == NAME
    assert queue["MessageRetentionPeriod"] == 300
    assert queue["SqsManagedSseEnabled"] is True


def test_every_warning_reaches_the_queue(templates: Templates) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK)
    rules = list(templates.resources("AWS::Events::Rule", stack=STACK))
    heard = {
        (one.properties["EventPattern"]["source"][0], one.properties["EventPattern"]["detail-type"][0]) for one in rules
    }
    assert heard == {
        ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        ("aws.ec2", "EC2 Instance State-change Notification"),
        ("aws.health", "AWS Health Event"),
    }
    for rule in rules:
        assert [one["Arn"] for one in rule.properties["Targets"]] == [{"Fn::GetAtt": [queue.id, "Arn"]}]
        assert rule.properties.get("State", "ENABLED") == "ENABLED"


def test_only_these_rules_send_to_the_queue_and_only_over_tls(
    templates: Templates, policies: Policies, region: str
) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK)
    rules = [
        policies.resolve({"Fn::GetAtt": [one.id, "Arn"]}, STACK)
        for one in templates.resources("AWS::Events::Rule", stack=STACK)
    ]

    def sends(rule: str, principal: str = "events.amazonaws.com", account: str = ACCOUNT, tls: str = "true") -> bool:
        request = Request(
            action="sqs:SendMessage",
            resource=policies.arn(queue),
            principal=principal,
            context={"aws:SourceArn": rule, "aws:SourceAccount": account, "aws:SecureTransport": tls},
        )
        return allowed(request, resource=policies.of(queue), owner=ACCOUNT)

    assert len(rules) == len(INTERRUPTION_EVENTS)
    assert all(sends(rule) for rule in rules)
    assert not sends(rules[0], tls="false")
    assert not sends(rules[0], principal="s3.amazonaws.com")
    assert not sends(rules[0], account=OTHER_ACCOUNT)
    assert not sends(f"arn:aws:events:{region}:{ACCOUNT}:rule/somebody-elses")
