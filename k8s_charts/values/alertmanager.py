"""Alertmanager: what Prometheus finds goes to the SNS topics of the AWS layer, and from there to the same people.

A severity is a topic: Slack, PagerDuty and e-mail are subscribed there (`blueprint.notices.RECEIVERS`), so that nobody
is told by two systems and no key of PagerDuty or Slack is in the cluster. Pod Identity signs (SigV4).
"""

from blueprint.monitoring import ENDED_KEPT_SECONDS, REPEAT_HOURS
from blueprint.notices import HEARTBEAT_TOPIC, RECEIVERS, SEVERITIES, Severity, topic
from k8s_charts.components.helm import Values
from k8s_charts.facts import Facts
from k8s_charts.rules import OWN

NOBODY, HEARTBEAT = "nobody", "heartbeat"
_FILE = "pingvas.tmpl"
_QUOTED = 'printf "%q" | reReplaceAll "^\\"|\\"$" ""'
"""A text as it stands inside a JSON string: Go's quotes are JSON's for whatever a sentence holds."""
_SUMMARIES = f"{{{{ range .Alerts }}}}{{{{ .Annotations.summary | {_QUOTED} }}}}\\n{{{{ end }}}}"
TEMPLATES = f"""\
{{{{ define "pingvas.title" -}}}}
{{{{ .Status | toUpper }}}}: {{{{ .GroupLabels.alertname }}}} ({{{{ .GroupLabels.environment }}}})
{{{{- end }}}}
{{{{ define "pingvas.text" -}}}}
{{{{ range .Alerts }}}}{{{{ .Annotations.summary }}}}
{{{{ end }}}}{{{{ .CommonAnnotations.description }}}}
{{{{ .CommonAnnotations.runbook_url }}}}
{{{{- end }}}}
{{{{ define "pingvas.chat" -}}}}
{{"version": "1.0", "source": "custom", "content": {{
  "textType": "client-markdown",
  "title": "{{{{ template "pingvas.title" . }}}}",
  "description": "{_SUMMARIES}{{{{ .CommonAnnotations.description | {_QUOTED} }}}}",
  "nextSteps": ["{{{{ .CommonAnnotations.runbook_url }}}}"],
  "keywords": ["{{{{ .GroupLabels.severity }}}}"]}}}}
{{{{- end }}}}
{{{{ define "pingvas.cloudwatch" -}}}}
{{"AlarmName": "pingvas-{{{{ .GroupLabels.alertname }}}}-{{{{ .GroupLabels.environment }}}}",
  "AlarmDescription": "{{{{ .CommonAnnotations.description | {_QUOTED} }}}} {{{{ .CommonAnnotations.runbook_url }}}}",
  "AWSAccountId": "ACCOUNT",
  "Region": "REGION",
  "NewStateValue": "{{{{ if eq .Status "firing" }}}}ALARM{{{{ else }}}}OK{{{{ end }}}}",
  "OldStateValue": "{{{{ if eq .Status "firing" }}}}OK{{{{ else }}}}ALARM{{{{ end }}}}",
  "NewStateReason": "{_SUMMARIES}",
  "StateChangeTime": "{{{{ (index .Alerts 0).StartsAt.UTC.Format "2006-01-02T15:04:05.000+0000" }}}}",
  "Trigger": {{"MetricName": "{{{{ .GroupLabels.alertname }}}}", "Namespace": "Prometheus", "Dimensions": []}}}}
{{{{- end }}}}
"""
"""What is told, in three forms: a letter; what Amazon Q shows in Slack (its documentation, "Custom notifications"); and
a CloudWatch alarm, for PagerDuty's integration, whose subscription takes what has a NewStateValue and nothing else."""


def values(facts: Facts) -> Values:
    """`config` and `templateFiles` of the chart."""
    templates = TEMPLATES.replace("ACCOUNT", facts.account).replace("REGION", facts.region)
    return {"config": config(facts), "templateFiles": {_FILE: templates}}


def config(facts: Facts) -> Values:
    """Alertmanager's own configuration."""
    return {
        "global": {"resolve_timeout": f"{ENDED_KEPT_SECONDS // 60}m"},
        "inhibit_rules": [
            {
                "source_matchers": ["severity = critical"],
                "target_matchers": ["severity =~ warning|info"],
                "equal": ["environment", "namespace", "alertname"],
            }
        ],
        "route": {
            "receiver": "warning",
            "group_by": ["alertname", "environment", "severity"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": f"{REPEAT_HOURS}h",
            "routes": [
                # always on: CloudWatch counts its messages, and their absence is the alarm prometheus-silent
                {
                    "receiver": HEARTBEAT,
                    "matchers": ["alertname = Watchdog"],
                    "group_interval": "1m",
                    "repeat_interval": "2m",
                },
                {"receiver": NOBODY, "matchers": ["alertname = InfoInhibitor"]},
                *({"receiver": one, "matchers": [f"severity = {one}"]} for one in ("critical", "warning")),
                # a chart's own "info" alerts only say what else was going on
                {"receiver": "info", "matchers": ["severity = info", f"source = {OWN}"]},
                {"receiver": NOBODY, "matchers": ["severity = info"]},
            ],
        },
        "receivers": [
            {"name": NOBODY},
            {"name": HEARTBEAT, "sns_configs": [_sns(HEARTBEAT_TOPIC, "pingvas.title", facts)]},
            *(_receiver(one, facts) for one in SEVERITIES),
        ],
        "templates": [f"/etc/alertmanager/config/{_FILE}"],
    }


def _receiver(severity: Severity, facts: Facts) -> Values:
    forms = ["pingvas.text" if RECEIVERS[severity] == ("email",) else "pingvas.chat"]
    if "pagerduty" in RECEIVERS[severity]:
        forms.append("pingvas.cloudwatch")
    return {"name": severity, "sns_configs": [_sns(topic(severity), form, facts) for form in forms]}


def _sns(name: str, form: str, facts: Facts) -> Values:
    return {
        "topic_arn": f"arn:aws:sns:{facts.region}:{facts.account}:{name}",
        "sigv4": {"region": facts.region},
        "subject": '{{ template "pingvas.title" . }}',
        "message": f'{{{{ template "{form}" . }}}}',
        "send_resolved": True,
    }
