"""Every alarm: what is measured, when it is too much, who watches it and who hears it. Seconds.

A row of the platform's alarm table each (`row` cites it), and the few that an operator needs besides (`row` is empty).
`owner` is who watches: CloudWatch (stacks/components/alarms.py) sees what AWS measures, Prometheus (the Kubernetes
layer's rules) what only the cluster knows. Each alarm has exactly one owner, and nobody reads a metric that nobody
publishes: without an agent CloudWatch knows neither a node's memory nor a quota, a pod or the queue.
"""

from types import MappingProxyType

from blueprint.alarm import Alarm
from blueprint.alarms.audit import AUDIT
from blueprint.alarms.cluster import CLUSTER
from blueprint.alarms.document import DOCUMENT
from blueprint.alarms.operation import OPERATION
from blueprint.notices import NOTICES

_EVENTS = tuple(
    Alarm(
        name=notice.name,
        severity=notice.severity,
        owner="cloudwatch",
        namespace="AWS/Events",
        metric="TriggeredRules",
        statistic="Sum",
        resolves=False,
        reason=f"{notice.title}. The event's own message says more; this alarm is what PagerDuty understands",
    )
    for notice in NOTICES.values()
    if notice.severity == "critical"
)
ALARMS: MappingProxyType[str, Alarm] = MappingProxyType(
    {alarm.name: alarm for alarm in (*DOCUMENT, *OPERATION, *CLUSTER, *AUDIT, *_EVENTS)}
)
