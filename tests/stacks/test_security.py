"""Keys, secrets, GuardDuty and what an account has once, asked as AWS would be asked."""

import json

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS, ROLES
from blueprint.secrets import GENERATED_CHARACTERS, PLACEHOLDER, SECRETS
from blueprint.security import SECURITY
from services.kernel.settings import PLACEHOLDERS
from tests.support.iam import ADMINISTRATOR, Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates, synthesize

KEYS = ("data", "secrets", "storage", "cluster", "audit")


@pytest.mark.parametrize("name", KEYS)
def test_keys_rotate_and_stay(templates: Templates, policies: Policies, name: str) -> None:
    made = policies.key(name)
    assert made.properties["EnableKeyRotation"] is True
    assert made.body["DeletionPolicy"] == made.body["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", KEYS)
def test_a_key_leaves_its_use_to_iam_and_knows_no_stranger(templates: Templates, policies: Policies, name: str) -> None:
    made = policies.key(name)
    ask = Request(action="kms:Decrypt", resource=policies.arn(made), principal=f"arn:aws:iam::{ACCOUNT}:role/worker")
    document = policies.of(made)
    assert not allowed(ask, resource=document, governed=True), "nobody without a policy of his own"
    assert allowed(ask, identity=[ADMINISTRATOR], resource=document, governed=True)
    stranger = Request(
        action="kms:Decrypt",
        resource=policies.arn(made),
        principal=f"arn:aws:iam::{OTHER_ACCOUNT}:role/worker",
        context={"kms:CallerAccount": OTHER_ACCOUNT, "aws:PrincipalArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/worker"},
    )
    assert not allowed(stranger, identity=[ADMINISTRATOR], resource=document, owner=ACCOUNT, governed=True)


def test_cloudfront_decrypts_what_this_accounts_distributions_serve_and_nothing_else(
    templates: Templates, policies: Policies
) -> None:
    def may(name: str, account: str, action: str = "kms:Decrypt") -> bool:
        made = policies.key(name)
        source = {"aws:SourceArn": f"arn:aws:cloudfront::{account}:distribution/E1"}
        ask = Request(action=action, resource=policies.arn(made), principal="cloudfront.amazonaws.com", context=source)
        return allowed(ask, resource=policies.of(made))

    assert may("storage", ACCOUNT)
    assert not may("storage", OTHER_ACCOUNT)
    assert not may("storage", ACCOUNT, "kms:ScheduleKeyDeletion")
    assert not any(may(name, ACCOUNT) for name in KEYS if name != "storage")


def test_the_roles_that_start_nodes_use_the_clusters_key_and_no_other_role_does(
    templates: Templates, policies: Policies
) -> None:
    made = policies.key("cluster")

    def may(role: str, action: str, account: str = ACCOUNT, **more: str) -> bool:
        principal = f"arn:aws:iam::{account}:role/{role}"
        context = {"aws:PrincipalArn": principal, "kms:CallerAccount": account, **more}
        ask = Request(action=action, resource=policies.arn(made), principal=principal, context=context)
        return allowed(ask, resource=policies.of(made), governed=True)

    scaling = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    spot = "aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
    for role in (scaling, spot):
        assert may(role, "kms:Decrypt")
        assert may(role, "kms:CreateGrant", **{"kms:GrantIsForAWSResource": "true"})
        assert not may(role, "kms:CreateGrant", **{"kms:GrantIsForAWSResource": "false"})
        assert not may(role, "kms:PutKeyPolicy")
    assert not may("AWSServiceRoleForAutoScaling", "kms:Decrypt"), "a role of that name under another path"
    assert not may(scaling, "kms:Decrypt", OTHER_ACCOUNT)


def test_every_secret_exists_under_its_name_and_the_secrets_key(templates: Templates, policies: Policies) -> None:
    made = {one.properties["Name"]: one for one in templates.resources("AWS::SecretsManager::Secret", stack="Security")}
    assert made.keys() == SECRETS.keys()
    own = policies.arn(policies.key("secrets"))
    for secret in made.values():
        assert policies.resolve(secret.properties["KmsKeyId"], "Security") == own
        assert secret.body["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("path", SECRETS)
def test_no_template_holds_a_secret(templates: Templates, path: str) -> None:
    """What a template holds is what the blueprint publishes, or a word that the services refuse to start with."""
    properties = templates.one("AWS::SecretsManager::Secret", Name=path).properties
    assert "SecretString" not in properties
    generated = properties["GenerateSecretString"]
    told = json.loads(generated["SecretStringTemplate"])
    secret = SECRETS[path]
    assert generated["PasswordLength"] == GENERATED_CHARACTERS >= SECURITY.secret_bytes_minimum
    assert generated["ExcludePunctuation"] is True, "a value goes into URLs"
    assert generated["GenerateStringKey"] not in told
    if secret.filled_by == "generated":
        assert generated["GenerateStringKey"] == secret.generated_key
        assert told.keys() < set(secret.keys)
        assert {"password", "token", "secret", "value"}.isdisjoint(told)
    else:
        assert told == dict.fromkeys(secret.keys, PLACEHOLDER)
        assert generated["GenerateStringKey"] not in secret.keys
    assert PLACEHOLDER in PLACEHOLDERS


def test_a_database_role_has_one_secret_with_its_own_name(templates: Templates) -> None:
    for environment in CLUSTER_ENVIRONMENTS:
        for role in ROLES:
            made = templates.one("AWS::SecretsManager::Secret", Name=f"pingvas/{environment.name}/db-{role}")
            told = json.loads(made.properties["GenerateSecretString"]["SecretStringTemplate"])
            assert told["username"] == environment.role(role)
            assert (told["engine"], told["port"], told["dbname"]) == ("postgres", 5432, "pingvas_saas")


def test_every_secret_is_rotated_or_says_why_not(templates: Templates, policies: Policies) -> None:
    rotated = {
        policies.resolve(one.properties["SecretId"], one.stack).rpartition(":")[2].rpartition("-")[0]: one
        for one in templates.resources("AWS::SecretsManager::RotationSchedule")
    }
    for path, secret in SECRETS.items():
        assert bool(secret.rotation_days) == bool(secret.rotated_by) != bool(secret.kept_because), path
        if secret.rotation_days:
            rules = rotated[path].properties["RotationRules"]
            assert rotated[path].stack == secret.rotated_by
            assert rules.get("AutomaticallyAfterDays") == secret.rotation_days or (
                rules.get("ScheduleExpression") == f"rate({secret.rotation_days} days)"
            )


def test_guardduty_watches_the_cluster_and_the_buckets(templates: Templates) -> None:
    detector = templates.one("AWS::GuardDuty::Detector").properties
    assert detector["Enable"] is True
    features = {one["Name"]: one["Status"] for one in detector["Features"]}
    assert features["EKS_AUDIT_LOGS"] == features["S3_DATA_EVENTS"] == "ENABLED"
    assert features["RUNTIME_MONITORING"] == "DISABLED", "what is not named would be on, and is paid by the vCPU"


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("make_guardduty_detector", "AWS::GuardDuty::Detector"),
        ("make_access_analyzer", "AWS::AccessAnalyzer::Analyzer"),
        ("make_spot_service_linked_role", "AWS::IAM::ServiceLinkedRole"),
        ("make_github_oidc_provider", "AWS::IAM::OIDCProvider"),
    ],
)
def test_account_singletons_are_made_once_or_reused(templates: Templates, setting: str, kind: str, region: str) -> None:
    assert len(list(templates.resources(kind))) == 1
    reused = synthesize(region=region, **dict.fromkeys(SINGLETONS, False))
    assert not list(reused.resources(kind)), setting


SINGLETONS = (
    "make_guardduty_detector",
    "make_access_analyzer",
    "make_spot_service_linked_role",
    "make_github_oidc_provider",
)


def test_a_trial_account_can_be_emptied(region: str) -> None:
    trial = synthesize(region=region, protected=False)
    for kind in ("AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::S3::Bucket", "AWS::ECR::Repository"):
        for one in trial.resources(kind):
            if one.stack in ("Security", "Storage", "Delivery"):
                assert one.body.get("DeletionPolicy", "Delete") == "Delete", one.path
    assert not any("ObjectLockConfiguration" in one.properties for one in trial.resources("AWS::S3::Bucket"))
