"""The preflight's checks against an emulated account: each one's good answer and its bad one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from blueprint.regions import REGIONS
from stacks.settings import read
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import Assembly, Finding, Situation, capacity, names, preflight, region, standing, who
from studio.cloud.deploy.signing import SigningKey, generate
from studio.cloud.rehearse.process import ACCOUNT
from studio.errors import StudioError, UsageError

REGION = "us-east-1"
OFFICE = {"vpn_allowed_cidrs": "192.80.1.0/24", "kubernetes_public_cidrs": "192.80.1.0/24"}
Made = Callable[..., Situation]

pytestmark = pytest.mark.usefixtures("aws")


def assembly(
    folder: Path, stacks: dict[str, list[dict[str, Any]]], below: dict[str, list[str]] | None = None
) -> Assembly:
    """An assembly of these resources by stack."""
    artifacts = {}
    for name, resources in stacks.items():
        body = {"Resources": {f"R{index}": one for index, one in enumerate(resources)}}
        (folder / f"{name}.template.json").write_text(json.dumps(body))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{ACCOUNT}/{REGION}",
            "properties": {
                "templateFile": f"{name}.template.json",
                "stackName": f"Pingvas{name}",
                "requiresBootstrapStackVersion": 6,
            },
            "dependencies": (below or {}).get(name, []),
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return Assembly(folder)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def make(*resources: dict[str, Any], **settings: Any) -> Situation:
        context = {"account": ACCOUNT, **OFFICE, **settings}
        return Situation(Account(REGION), read(context), assembly(tmp_path, {"Network": list(resources)}), context)

    return make


def one(findings: Any) -> Finding:
    (found,) = findings
    assert isinstance(found, Finding)
    return found


def client(service: str) -> Any:
    return boto3.client(service, REGION)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def deployed(*resources: dict[str, Any], name: str) -> None:
    body = {"Resources": {f"R{index}": each for index, each in enumerate(resources)}}
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body))


# Who


def test_credentials_of_the_account_that_is_meant(made: Made) -> None:
    found = one(who.credentials(made().account, ACCOUNT))
    assert (found.state, ACCOUNT in found.found) == ("ok", True)


def test_credentials_of_another_account_stop(made: Made) -> None:
    found = one(who.credentials(made().account, "999999999999"))
    assert found.state == "problem"
    assert "the setting account is 999999999999" in found.found


def test_no_account_in_the_settings_stops_and_says_which_to_give(made: Made) -> None:
    found = one(who.credentials(made().account, None))
    assert (found.state, found.advice.startswith(f"-c account={ACCOUNT}")) == ("problem", True)


def test_the_root_user_does_not_deploy(made: Made) -> None:
    account = made().account
    account.__dict__["identity"] = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    assert "root user" in one(who.credentials(account, ACCOUNT)).found


def test_no_credentials_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(StudioError, match="No AWS credentials"):
        _ = Account(REGION).identity
    with pytest.raises(UsageError, match="nobody"):
        Account(REGION, profile="nobody")


def test_a_misspelt_setting_is_named(made: Made) -> None:
    assert one(who.context(made())).state == "ok"
    found = one(who.context(made(nat_gatewys=3)))
    assert (found.state, found.found) == ("problem", "unknown: nat_gatewys")


@pytest.mark.parametrize("name", ["vpn_allowed_cidrs", "kubernetes_public_cidrs"])
def test_addresses_of_nobody_are_refused(made: Made, name: str) -> None:
    assert {found.state for found in who.allow_lists(made())} == {"ok"}
    bad = [found for found in who.allow_lists(made(**{name: "203.0.113.7/32"})) if found.state == "problem"]
    assert [found.check for found in bad] == [name]


def test_developers_exist_and_have_a_second_factor(made: Made) -> None:
    situation = made(developers="anna,bert")
    assert "no IAM user anna, bert" in one(who.developers(situation)).found
    iam = client("iam")
    for name in ("anna", "bert"):
        iam.create_user(UserName=name)
    found = one(who.developers(situation))
    assert (found.state, "no MFA device: anna, bert" in found.found) == ("warning", True)
    for name in ("anna", "bert"):
        serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
        iam.enable_mfa_device(
            UserName=name, SerialNumber=serial, AuthenticationCode1="1" * 6, AuthenticationCode2="2" * 6
        )
    assert one(who.developers(situation)).state == "ok"


# Region


def test_the_region_is_switched_on(made: Made) -> None:
    assert one(region.opted_in(made())).state == "ok"
    situation = made()
    with Stubber(situation.account.client("ec2")) as stub:
        off = {"RegionName": REGION, "OptInStatus": "not-opted-in"}
        stub.add_response("describe_regions", {"Regions": [off]})
        found = one(region.opted_in(situation))
    assert (found.state, "enable-region --region-name us-east-1" in found.advice) == ("problem", True)


@pytest.mark.parametrize(("version", "state"), [("30", "ok"), ("5", "problem")])
def test_bootstrap_is_new_enough(made: Made, version: str, state: str) -> None:
    client("ssm").put_parameter(Name=region.VERSION, Value=version, Type="String")
    assert one(region.bootstrapped(made())).state == state


def test_bootstrap_is_missing_with_the_command(made: Made) -> None:
    found = one(region.bootstrapped(made()))
    assert found.state == "problem"
    assert f"npx cdk bootstrap aws://{ACCOUNT}/{REGION}" in found.advice


def zones(*ids: str) -> dict[str, Any]:
    listed = [{"ZoneName": f"{REGION}{letter}", "ZoneId": zone} for letter, zone in zip("abcdef", ids, strict=False)]
    return {"AvailabilityZones": [{**zone, "State": "available"} for zone in listed]}


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (("use1-az1", "use1-az2", "use1-az4"), None),
        (("use1-az1", "use1-az3", "use1-az4", "use1-az5"), "us-east-1b is use1-az3"),
        (("use1-az1", "use1-az2"), "no us-east-1c"),
    ],
)
def test_zones_can_hold_a_control_plane(made: Made, ids: tuple[str, ...], words: str | None) -> None:
    situation = made()
    with Stubber(situation.account.client("ec2")) as stub:
        stub.add_response("describe_availability_zones", zones(*ids))
        found = one(region.zones(situation))
    assert found.state == ("problem" if words else "ok")
    assert (words or "use1-az1") in found.found
    if words and len(ids) > 3:
        assert found.advice == "-c availability_zones=us-east-1a,us-east-1c,us-east-1d"


@pytest.mark.parametrize(("listed", "state"), [(REGIONS[REGION].cloudfront_prefix_list, "ok"), ("pl-0", "problem")])
def test_the_prefix_list_is_the_blueprints(made: Made, listed: str, state: str) -> None:
    situation = made()
    with Stubber(situation.account.client("ec2")) as stub:
        stub.add_response("describe_managed_prefix_lists", {"PrefixLists": [{"PrefixListId": listed}]})
        assert one(region.prefix_list(situation)).state == state


@pytest.mark.parametrize(
    ("status", "state"), [("STANDARD_SUPPORT", "ok"), ("EXTENDED_SUPPORT", "warning"), (None, "problem")]
)
def test_kubernetes_is_on_offer(made: Made, status: str | None, state: str) -> None:
    situation = made(resource("AWS::EKS::Cluster", Version="1.35"))
    offered = [{"clusterVersion": "1.35" if status else "1.40", "versionStatus": status or "STANDARD_SUPPORT"}]
    with Stubber(situation.account.client("eks")) as stub:
        stub.add_response("describe_cluster_versions", {"clusterVersions": offered})
        assert one(region.kubernetes(situation)).state == state


# Capacity


@pytest.mark.parametrize(
    ("offered", "gpu", "system"),
    [
        (
            {"a": ("g5.xlarge", "t3.medium"), "b": ("g4dn.xlarge", "c5.large"), "c": ("g5.xlarge", "t3.medium")},
            "ok",
            "ok",
        ),
        ({"a": ("g5.xlarge",), "b": ("t3.medium",), "c": ("t3.medium",)}, "warning", "problem"),
        ({"a": ("t3.medium",), "b": ("t3.medium",), "c": ("t3.medium",)}, "problem", "ok"),
    ],
)
def test_every_zone_offers_what_is_asked_of_it(
    made: Made, offered: dict[str, tuple[str, ...]], gpu: str, system: str
) -> None:
    for check, state, types in (
        (capacity.gpu_offerings, gpu, "g"),
        (capacity.system_offerings, system, "tc"),
    ):
        situation = made()
        answer = [
            {"InstanceType": kind, "Location": f"{REGION}{zone}", "LocationType": "availability-zone"}
            for zone, kinds in offered.items()
            for kind in kinds
            if kind[0] in types
        ]
        with Stubber(situation.account.client("ec2")) as stub:
            stub.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": answer})
            assert one(check(situation)).state == state


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ({}, {"ok"}),
        ({"L-3819A6DF": 8}, {"ok", "warning"}),
        ({"L-3819A6DF": 0}, {"ok", "problem"}),
        ({"L-34B43A08": 2}, {"ok", "problem"}),
        ({capacity.ADDRESSES: 1}, {"ok", "problem"}),
        ({capacity.VPCS: 1}, {"ok", "problem"}),
    ],
)
def test_quotas_hold_the_maxima_and_what_others_use(made: Made, values: dict[str, float], states: set[str]) -> None:
    addresses = [resource("AWS::EC2::EIP"), resource("AWS::EC2::EIP"), resource("AWS::EC2::NatGateway")]
    situation = made(*addresses)
    asked: list[str] = []

    class Quotas:
        def get_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803
            asked.append(f"{ServiceCode}/{QuotaCode}")
            return {"Quota": {"Value": values.get(QuotaCode, 100.0)}}

    situation.account._clients["service-quotas", REGION] = Quotas()
    findings = list(capacity.quotas(situation))
    assert {found.state for found in findings} == states
    assert asked == ["ec2/L-3819A6DF", "ec2/L-34B43A08", "ec2/L-0263D0A3", "vpc/L-F678F1CE", "vpc/L-FE5A380F"]
    for found in findings:
        if found.state != "ok":
            assert f"--quota-code {next(iter(values))} --desired-value" in found.advice


def test_a_quota_that_was_never_raised_is_aws_default(made: Made) -> None:
    need = capacity.ServiceQuota("vpc", capacity.VPCS, "VPCs per Region", 1, "the VPC")
    assert capacity._quota(made().account, need) == 5


# Names


def test_a_detector_of_somebody_else_is_used_by_setting(made: Made) -> None:
    assert one(names.guardduty(made())).state == "ok"
    assert one(names.guardduty(made(make_guardduty_detector=False))).state == "problem"
    client("guardduty").create_detector(Enable=True)
    assert one(names.guardduty(made())).advice == "-c make_guardduty_detector=false"
    assert one(names.guardduty(made(make_guardduty_detector=False))).state == "ok"


def test_a_provider_of_somebody_else_is_used_by_setting(made: Made) -> None:
    client("iam").create_open_id_connect_provider(Url=f"https://{names.GITHUB}", ThumbprintList=["a" * 40])
    assert one(names.github(made())).advice == "-c make_github_oidc_provider=false"


def test_a_spot_role_of_the_account_is_used_by_setting(made: Made) -> None:
    assert one(names.spot_role(made())).found == "will be made"
    client("iam").create_role(RoleName=names.SPOT, AssumeRolePolicyDocument="{}")
    assert one(names.spot_role(made())).advice == "-c make_spot_service_linked_role=false"


def test_what_our_stack_made_is_ours_and_stays(made: Made) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/spot.amazonaws.com/{names.SPOT}"
    found = names._singleton("Spot role", "make_spot_service_linked_role", True, True, True)
    assert (found.state, found.found) == ("ok", "ours")
    found = names._singleton("Spot role", "make_spot_service_linked_role", False, True, True)
    assert (found.state, found.advice) == ("problem", "-c make_spot_service_linked_role=true")
    assert role.endswith(names.SPOT)


def test_fixed_names_are_free_or_ours(made: Made) -> None:
    bucket = resource(
        "AWS::S3::Bucket", BucketName={"Fn::Join": ["", ["pingvas-x-", {"Ref": "AWS::AccountId"}, "-", REGION]]}
    )
    fixed = (
        bucket,
        resource("AWS::ECR::Repository", RepositoryName="pingvas/user-service"),
        resource("AWS::IAM::Role", RoleName="pingvas-user", AssumeRolePolicyDocument={}),
        resource("AWS::SecretsManager::Secret", Name="pingvas/dev/x"),
    )
    assert one(names.fixed_names(made(*fixed))).found == "4 fixed names are free"
    client("s3").create_bucket(Bucket=f"pingvas-x-{ACCOUNT}-{REGION}")
    client("ecr").create_repository(repositoryName="pingvas/user-service")
    client("secretsmanager").create_secret(Name="pingvas/dev/x", SecretString="{}")
    found = one(names.fixed_names(made(*fixed)))
    assert found.state == "problem"
    for name in (f"S3::Bucket pingvas-x-{ACCOUNT}-{REGION}", "ECR::Repository pingvas/user-service", "Secret pingvas/"):
        assert name in found.found
    assert "pingvas-user" not in found.found


def test_names_that_our_own_stacks_hold_are_no_problem(made: Made) -> None:
    ours = resource("AWS::ECR::Repository", RepositoryName="pingvas/gallery-service")
    deployed(ours, name="PingvasOwnNames")
    assert one(names.fixed_names(made(ours))).state == "ok"


# Standing


def test_a_stack_that_was_never_made_is_found_with_the_command(made: Made) -> None:
    assert one(standing.clean_stacks(made())).found == "none there yet"
    with pytest.raises(Exception, match="Nope"):
        deployed(resource("AWS::EC2::VPC", Nope=1), name="PingvasBroken")
    found = one(standing.clean_stacks(made()))
    assert found.found == "PingvasBroken is ROLLBACK_COMPLETE"
    assert "delete-stack --region us-east-1 --stack-name PingvasBroken" in found.advice


def test_signing_keys_are_told(made: Made) -> None:
    assert [found.found for found in standing.signing_keys(made())] == ["none yet: a pair will be made"] * 2
    pair = generate()
    situation = made()
    client("secretsmanager").create_secret(
        Name="pingvas/dev/cdn-signing-key", SecretString='{"private_key": "change-me"}'
    )
    SigningKey(situation.account, "dev").keep(pair)
    assert next(iter(standing.signing_keys(situation))).found.startswith("a new pair waits for CloudFront")
    told = " ".join(found.found + found.advice for found in standing.signing_keys(situation))
    assert "PRIVATE" not in told


def test_a_call_that_is_denied_is_a_finding_that_can_be_accepted(made: Made) -> None:
    situation = made()
    with Stubber(situation.account.client("guardduty")) as stub:
        stub.add_client_error("list_detectors", "AccessDeniedException", "not you")
        found = one(preflight(situation, [names.guardduty]))
    assert found.state == "problem"
    assert "AccessDeniedException: not you" in found.found
    assert "--accept 'guardduty'" in found.advice
