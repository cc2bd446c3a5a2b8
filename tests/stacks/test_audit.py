"""The audit: what the trail records, and who may write, read or forge it."""

from typing import Any

from blueprint.security import AUDIT
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates


def trail(templates: Templates) -> Resource:
    return templates.one("AWS::CloudTrail::Trail", TrailName=AUDIT.trail)


def test_the_trail_sees_every_region_and_can_prove_its_files(templates: Templates, policies: Policies) -> None:
    properties = trail(templates).properties
    for name in ("IsLogging", "IsMultiRegionTrail", "IncludeGlobalServiceEvents", "EnableLogFileValidation"):
        assert properties[name] is True, name
    own = policies.arn(policies.key("audit"))
    assert policies.resolve(properties["KMSKeyId"], "Security") == own
    group = templates.one("AWS::Logs::LogGroup", LogGroupName=AUDIT.log_group)
    assert policies.resolve(properties["CloudWatchLogsLogGroupArn"], "Security") == policies.arn(group)
    assert group.properties["RetentionInDays"] == 90
    assert "KmsKeyId" in group.properties


def recorded(selectors: list[dict[str, Any]], event: dict[str, str]) -> bool:
    """CloudTrail's advanced selectors: any selector of which every field matches."""

    def field(one: dict[str, Any]) -> bool:
        value = event.get(one["Field"], "")
        return value in one.get("Equals", ()) or value.startswith(tuple(one.get("StartsWith", ())) or ("\0",))

    return any(all(field(one) for one in selector["FieldSelectors"]) for selector in selectors)


def test_the_trail_records_changes_of_pictures_and_reads_of_itself(
    templates: Templates, policies: Policies, region: str
) -> None:
    selectors = policies.resolve(trail(templates).properties["AdvancedEventSelectors"], "Security")

    def objects(bucket: str, *, reads: bool) -> bool:
        arn = f"arn:aws:s3:::{bucket}-{ACCOUNT}-{region}/AWSLogs/1"
        event = {"eventCategory": "Data", "resources.type": "AWS::S3::Object", "resources.ARN": arn}
        return recorded(selectors, {**event, "readOnly": str(reads).lower()})

    assert recorded(selectors, {"eventCategory": "Management", "readOnly": "true"})
    for bucket in ("pingvas-dev-images", "pingvas-prod-images", "pingvas-models-shared"):
        assert objects(bucket, reads=False)
        assert not objects(bucket, reads=True), "an event for every picture that is looked at"
    assert objects(AUDIT.bucket, reads=True)
    assert not objects(AUDIT.bucket, reads=False), "the trail's own files would be recorded without end"


def test_the_audit_bucket_takes_from_its_own_trail_and_keeps_a_year(
    templates: Templates, policies: Policies, region: str
) -> None:
    name = f"{AUDIT.bucket}-{ACCOUNT}-{region}"
    bucket = next(one for one in templates.resources("AWS::S3::Bucket") if policies.name(one) == name)

    def may(source: str, path: str, **more: str) -> bool:
        context = {"aws:SourceArn": source, "s3:x-amz-acl": "bucket-owner-full-control", **more}
        request = Request(
            action="s3:PutObject",
            resource=f"arn:aws:s3:::{name}/{path}",
            principal="cloudtrail.amazonaws.com",
            context={"aws:SecureTransport": "true", **context},
        )
        return allowed(request, resource=policies.of(bucket))

    own = f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{AUDIT.trail}"
    assert may(own, f"AWSLogs/{ACCOUNT}/CloudTrail/1")
    assert not may(own, f"AWSLogs/{ACCOUNT}/CloudTrail/1", **{"aws:SecureTransport": "false"})
    assert not may(own, f"AWSLogs/{OTHER_ACCOUNT}/CloudTrail/1")
    assert not may(own.replace(ACCOUNT, OTHER_ACCOUNT), f"AWSLogs/{ACCOUNT}/CloudTrail/1")
    assert not may(own.replace(AUDIT.trail, "another"), f"AWSLogs/{ACCOUNT}/CloudTrail/1")
    (rule,) = bucket.properties["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 365
    retention = bucket.properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 365)
    assert bucket.properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket.body["DeletionPolicy"] == "Retain"


def test_the_trails_key_encrypts_for_its_own_trail_only(templates: Templates, policies: Policies, region: str) -> None:
    made = policies.key("audit")

    def may(account: str) -> bool:
        source = f"arn:aws:cloudtrail:{region}:{account}:trail/{AUDIT.trail}"
        context = {"aws:SourceArn": source, "kms:EncryptionContext:aws:cloudtrail:arn": source}
        request = Request(
            action="kms:GenerateDataKey",
            resource=policies.arn(made),
            principal="cloudtrail.amazonaws.com",
            context=context,
        )
        return allowed(request, resource=policies.of(made))

    assert may(ACCOUNT)
    assert not may(OTHER_ACCOUNT)
