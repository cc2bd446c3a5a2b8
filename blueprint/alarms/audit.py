"""What nobody should do to the account, read from the audit trail."""

from blueprint.alarm import Alarm

AUDIT = (
    Alarm(
        name="root-use",
        severity="critical",
        owner="cloudwatch",
        namespace="Pingvas/Audit",
        metric="RootUse",
        statistic="Sum",
        resolves=False,
        reason="somebody used the account's root user; the audit trail's log group says who, where and what for",
    ),
)
ROOT_USE = '{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }'
"""What counts as use of the root user, in any region, as CloudWatch Logs filters the audit trail (CIS AWS Foundations
Benchmark 4.3). An EventBridge rule would see the sign-ins of one region alone."""
