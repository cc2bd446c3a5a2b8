"""Topics, alarms and the roles beside them, in the stack that has them."""

from tests.support.templates import Resource, Templates

STACK = "Observability"
SLACK = {"slack_workspace_id": "T0123ABCD", "slack_channel_id": "C0123ABCD"}
SEVERITIES = ("critical", "warning", "info")


def topic(templates: Templates, severity: str) -> Resource:
    return templates.one("AWS::SNS::Topic", TopicName=f"pingvas-{severity}")


def role_of(templates: Templates, path: str) -> Resource:
    (found,) = [one for one in templates.resources("AWS::IAM::Role", stack=STACK) if one.path.endswith(path)]
    return found


def alarms(templates: Templates) -> dict[str, Resource]:
    """By name, without the platform's prefix."""
    made = templates.resources("AWS::CloudWatch::Alarm")
    return {str(one.properties["AlarmName"]).removeprefix("pingvas-"): one for one in made}
