"""What a region has beside the VPC: buckets, images, secrets, keys; and what watches over all of it."""

from collections.abc import Iterator
from typing import Any

from studio.cloud.drawing.estate import Estate
from studio.cloud.drawing.model import Card

_CLASSES = {"STANDARD_IA": "IA", "GLACIER_IR": "Glacier IR", "INTELLIGENT_TIERING": "tiering", "GLACIER": "Glacier"}


def aside(estate: Estate) -> Iterator[Card]:
    lines = []
    for bucket in estate.all("AWS::S3::Bucket"):
        name = estate.follow(bucket.properties.get("BucketName", bucket.id), bucket.stack)
        name = name.partition("-{AWS::AccountId}")[0]
        rules = bucket.properties.get("LifecycleConfiguration", {}).get("Rules", ())
        lines.append(f"{name}: {', '.join(_steps(rules)) or 'kept'}")
    if lines:
        yield Card("buckets", f"S3: {len(lines)} buckets", tuple(sorted(lines)), "data")
    repositories = estate.all("AWS::ECR::Repository")
    if repositories:
        scanned = sum(
            one.properties.get("ImageScanningConfiguration", {}).get("ScanOnPush", False) for one in repositories
        )
        lines = [f"{scanned} scanned on push"]
        if estate.count("AWS::IAM::OIDCProvider"):
            lines.append("GitHub signs in by OIDC, without keys")
        yield Card("ecr", f"ECR: {len(repositories)} repositories", tuple(lines), "compute")
    if secrets := estate.count("AWS::SecretsManager::Secret"):
        rotated = estate.count("AWS::SecretsManager::RotationSchedule")
        yield Card("secrets", f"Secrets Manager: {secrets}", (f"{rotated} rotate by themselves",), "security")
    keys = estate.all("AWS::KMS::Key")
    if keys:
        aliases = sorted(
            str(alias.properties["AliasName"]).removeprefix("alias/pingvas/") for alias in estate.all("AWS::KMS::Alias")
        )
        yield Card("kms", f"KMS: {len(keys)} keys", (", ".join(aliases),) if aliases else (), "security")
    endpoints = sorted(
        str(estate.follow(one.properties["ServiceName"], one.stack)).rpartition(".")[2]
        for one in estate.all("AWS::EC2::VPCEndpoint")
    )
    if endpoints:
        yield Card("endpoints", "VPC endpoints", (", ".join(endpoints),), "network")


def _steps(rules: Any) -> Iterator[str]:
    """Transitions and the end of what a lifecycle keeps, in days."""
    for rule in rules:
        for step in sorted(rule.get("Transitions", ()), key=lambda one: int(one["TransitionInDays"])):
            days = step["TransitionInDays"]
            name = _CLASSES.get(step["StorageClass"], step["StorageClass"])
            yield f"{days} d → {name}" if days else name
        if "ExpirationInDays" in rule:
            yield f"{rule['ExpirationInDays']} d → deleted"


def watch(estate: Estate) -> Iterator[Card]:
    if alarms := estate.count("AWS::CloudWatch::Alarm"):
        dashboards, groups = estate.count("AWS::CloudWatch::Dashboard"), estate.count("AWS::Logs::LogGroup")
        told = [f"{groups} log groups", *([f"{dashboards} dashboard{'s' * (dashboards != 1)}"] if dashboards else [])]
        yield Card("alarms", f"CloudWatch: {alarms} alarms", tuple(told), "watch")
    topics = estate.all("AWS::SNS::Topic")
    if topics:
        names = sorted(str(topic.properties.get("TopicName", topic.id)).removeprefix("pingvas-") for topic in topics)
        yield Card("topics", f"SNS: {len(topics)} topics", (", ".join(names), ", ".join(_listeners(estate))), "watch")
    if estate.count("AWS::CloudTrail::Trail"):
        selectors = [
            str(selector.get("Name", "events"))
            for trail in estate.all("AWS::CloudTrail::Trail")
            for selector in trail.properties.get("AdvancedEventSelectors", ())
        ]
        yield Card("trail", "CloudTrail", tuple(selectors), "security")
    for detector in estate.all("AWS::GuardDuty::Detector"):
        names = [
            str(one["Name"]).replace("_", " ").lower().replace("s3", "S3").replace("eks", "EKS").replace("rds", "RDS")
            for one in detector.properties.get("Features", ())
            if one.get("Status") == "ENABLED"
        ]
        yield Card("guardduty", "GuardDuty", tuple(names), "security")
    plans = [
        rule
        for plan in estate.all("AWS::Backup::BackupPlan")
        for rule in plan.properties["BackupPlan"]["BackupPlanRule"]
    ]
    if plans:
        kept = tuple(f"{rule['RuleName']}: {rule['Lifecycle']['DeleteAfterDays']} days" for rule in plans)
        yield Card("backup", "AWS Backup", kept, "data")
    for budget in estate.all("AWS::Budgets::Budget"):
        limit = budget.properties["Budget"].get("BudgetLimit", {})
        yield Card("budget", "Budget", (f"{limit.get('Amount')} {limit.get('Unit')} a month",), "watch")


def _listeners(estate: Estate) -> list[str]:
    """Who hears the topics, by protocol, with chat."""
    protocols = sorted({str(one.properties["Protocol"]) for one in estate.all("AWS::SNS::Subscription")})
    chat = ["Slack"] if estate.count("AWS::Chatbot::SlackChannelConfiguration") else []
    return [*protocols, *chat] or ["nobody subscribed"]
