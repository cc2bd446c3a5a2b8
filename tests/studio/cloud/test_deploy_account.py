"""What the account holds already: names, detectors, providers, stacks that were never made."""

import pytest
from botocore.stub import Stubber

from studio.cloud.deploy.checks import names, preflight, standing
from studio.cloud.deploy.signing import SigningKey, generate
from studio.cloud.rehearse.process import ACCOUNT
from tests.support.deployment import REGION, Made, client, deployed, one, resource

pytestmark = pytest.mark.usefixtures("aws")


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
