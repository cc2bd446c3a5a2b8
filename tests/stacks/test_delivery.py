"""Repositories of images, and who of GitHub gets in."""

import json

import pytest

from blueprint.contract import OUTPUTS, repository
from blueprint.delivery import GITHUB, IMAGES
from tests.support.iam import Request, allowed, glob
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Resource, Templates, synthesize

PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
DEPLOYS = (
    "repo:pingvas/studio:ref:refs/heads/develop",
    "repo:pingvas/studio:ref:refs/tags/v1.2.3",
    "repo:pingvas/studio:environment:development",
    "repo:pingvas/studio:environment:production",
)
PULL_REQUEST = "repo:pingvas/studio:pull_request"
STRANGERS = (
    "repo:stranger/studio:ref:refs/heads/develop",  # a fork that runs its own workflow
    "repo:pingvas/studio-fork:ref:refs/heads/develop",
    "repo:pingvas/other:environment:production",
    "repo:pingvas/studio:ref:refs/heads/main",
    "repo:pingvas/studio:ref:refs/heads/develop2",
    "repo:pingvas/studio:ref:refs/heads/feature/develop",
    "repo:pingvas/studio:ref:refs/heads/v1",
    "repo:pingvas/studio:ref:refs/tags/nightly",
    "repo:pingvas/studio:environment:staging",
    "repo:pingvas/studio:environment:production2",
)


def may_assume(
    policies: Policies, role: str, subject: str, *, audience: str = "sts.amazonaws.com", provider: str = PROVIDER
) -> bool:
    issuer = provider.partition("oidc-provider/")[2]
    request = Request(
        action="sts:AssumeRoleWithWebIdentity",
        principal=provider,
        context={f"{issuer}:sub": subject, f"{issuer}:aud": audience},
    )
    return allowed(request, resource=[policies.trust(policies.role(role))], governed=True, owner=ACCOUNT)


def test_an_image_has_one_repository_and_its_output(templates: Templates, policies: Policies) -> None:
    made = {one.properties["RepositoryName"]: one for one in templates.resources("AWS::ECR::Repository")}
    assert made.keys() == {f"pingvas/{image}" for image in IMAGES}
    assert {"user-service", "gpu-worker", "migrations"} <= set(IMAGES)
    for image in IMAGES:
        parameter = templates.one("AWS::SSM::Parameter", Name=OUTPUTS[repository(image)].parameter)
        assert policies.resolve(parameter.properties["Value"], "Delivery") == f"pingvas/{image}.RepositoryUri"


@pytest.mark.parametrize("image", IMAGES)
def test_images_are_scanned_encrypted_and_kept(templates: Templates, policies: Policies, image: str) -> None:
    one = templates.one("AWS::ECR::Repository", RepositoryName=f"pingvas/{image}")
    assert one.properties["ImageScanningConfiguration"] == {"ScanOnPush": True}
    encryption = policies.resolve(one.properties["EncryptionConfiguration"], "Delivery")
    alias = templates.one("AWS::KMS::Alias", AliasName="alias/pingvas/storage")
    assert encryption == {
        "EncryptionType": "KMS",
        "KmsKey": policies.resolve(alias.properties["TargetKeyId"], alias.stack),
    }
    assert one.body["DeletionPolicy"] == "Retain"
    assert not one.properties.get("EmptyOnDelete")
    assert "RepositoryPolicyText" not in one.properties, "the account's own roles, and nobody else"


@pytest.mark.parametrize(
    ("tag", "mutable"),
    [("dev-latest", True), ("dev-latest-arm64", True), ("0a1b2c3", False), ("v1.0.0", False), ("latest", False)],
)
def test_a_tag_is_what_it_was_but_for_dev_latest(templates: Templates, tag: str, mutable: bool) -> None:
    for one in templates.resources("AWS::ECR::Repository"):
        assert one.properties["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        filters = one.properties["ImageTagMutabilityExclusionFilters"]
        assert {each["ImageTagMutabilityExclusionFilterType"] for each in filters} == {"WILDCARD"}
        patterns = [each["ImageTagMutabilityExclusionFilterValue"] for each in filters]
        assert any(glob(pattern, tag) for pattern in patterns) is mutable


def expired(one: Resource, images: list[tuple[int, str | None]]) -> set[int]:
    """ECR's own evaluation (user guide, "Examples of lifecycle policies"): images as (age in days, tag), newest first;
    an image that a rule chose is not for a rule after it, whether or not the rule expires it."""
    gone: set[int] = set()
    taken: set[int] = set()
    text = one.properties["LifecyclePolicy"]["LifecyclePolicyText"]
    for rule in sorted(json.loads(text)["rules"], key=lambda rule: rule["rulePriority"]):
        chosen = rule["selection"]
        mine = [
            index
            for index, (_, tag) in enumerate(images)
            if index not in taken
            and {
                "untagged": tag is None,
                "tagged": tag is not None and any(glob(each, tag) for each in chosen.get("tagPatternList", [])),
                "any": True,
            }[chosen["tagStatus"]]
        ]
        taken.update(mine)
        if chosen["countType"] == "imageCountMoreThan":
            gone.update(mine[chosen["countNumber"] :])
        else:
            gone.update(index for index in mine if images[index][0] > chosen["countNumber"])
    return gone


def test_old_images_go_and_releases_stay(templates: Templates) -> None:
    for one in templates.resources("AWS::ECR::Repository"):
        release = (400, "v1.0.0")
        commits = [(day, f"{day:07x}") for day in range(300)]
        images = [*commits, release, (8, None), (6, None)]
        gone = expired(one, images)
        assert images.index(release) not in gone, "a release outlives any number of commits"
        assert images.index((8, None)) in gone
        assert images.index((6, None)) not in gone
        assert gone & set(range(300)) == set(range(200, 300))
        assert len(expired(one, [(day, f"v{day}") for day in range(60)])) == 10


def test_github_is_trusted_once_for_its_tokens(templates: Templates) -> None:
    provider = templates.one("AWS::IAM::OIDCProvider").properties
    assert provider["Url"] == "https://token.actions.githubusercontent.com"
    assert provider["ClientIdList"] == ["sts.amazonaws.com"]


@pytest.mark.parametrize("subject", DEPLOYS)
def test_the_branch_the_tags_and_the_environments_deploy(policies: Policies, subject: str) -> None:
    assert may_assume(policies, GITHUB.role, subject)
    assert not may_assume(policies, GITHUB.role, subject, audience="https://github.com/pingvas")
    theirs = PROVIDER.replace(ACCOUNT, OTHER_ACCOUNT)
    assert not may_assume(policies, GITHUB.role, subject, provider=theirs)
    assert not may_assume(policies, GITHUB.role, subject, provider=PROVIDER.replace("actions", "evil"))


@pytest.mark.parametrize("subject", [*STRANGERS, PULL_REQUEST])
def test_nobody_else_deploys(policies: Policies, subject: str) -> None:
    assert not may_assume(policies, GITHUB.role, subject)


def test_a_pull_request_has_a_role_of_its_own(policies: Policies) -> None:
    """GitHub gives a pull request from a fork no token; its own repository's workflows would carry the fork's name."""
    assert may_assume(policies, GITHUB.pull_request_role, PULL_REQUEST)
    for subject in (*STRANGERS, *DEPLOYS, "repo:stranger/studio:pull_request"):
        assert not may_assume(policies, GITHUB.pull_request_role, subject)


def test_what_each_role_may(policies: Policies, region: str) -> None:
    here = f"{region}:{ACCOUNT}"
    image = f"arn:aws:ecr:{here}:repository/pingvas/web"
    assets = f"arn:aws:s3:::pingvas-assets-{ACCOUNT}-{region}"
    push = [("ecr:PutImage", image), ("ecr:InitiateLayerUpload", image), ("ecr:GetAuthorizationToken", "*")]
    deploy = [
        ("eks:DescribeCluster", f"arn:aws:eks:{here}:cluster/pingvas-shared-eks"),
        ("s3:PutObject", f"{assets}/index.html"),
        ("cloudfront:CreateInvalidation", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"),
    ]
    never = [
        ("ecr:PutImage", f"arn:aws:ecr:{here}:repository/elsewhere"),
        ("ecr:BatchDeleteImage", image),
        ("ecr:PutImageTagMutability", image),
        ("ecr:DeleteRepository", image),
        ("ecr:SetRepositoryPolicy", image),
        ("eks:DescribeCluster", f"arn:aws:eks:{here}:cluster/elsewhere"),
        ("eks:UpdateClusterConfig", f"arn:aws:eks:{here}:cluster/pingvas-shared-eks"),
        ("s3:PutBucketPolicy", assets),
        ("s3:PutObject", f"arn:aws:s3:::pingvas-prod-images-{ACCOUNT}-{region}/images/1.png"),
        ("cloudfront:UpdateDistribution", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{here}:secret:pingvas/prod/jwt-secret-a1B2c3"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/any"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/any"),
    ]

    def may(role: str, action: str, resource: str) -> bool:
        request = Request(action=action, resource=resource, principal=f"arn:aws:iam::{ACCOUNT}:role/{role}")
        return allowed(request, identity=policies.identity(policies.role(role)))

    for action, resource in push:
        assert may(GITHUB.role, action, resource), action
        assert may(GITHUB.pull_request_role, action, resource), action
    for action, resource in deploy:
        assert may(GITHUB.role, action, resource), action
        assert not may(GITHUB.pull_request_role, action, resource), action
    for action, resource in never:
        assert not may(GITHUB.role, action, resource), action
        assert not may(GITHUB.pull_request_role, action, resource), action


def test_another_repository_is_a_setting_and_the_provider_may_be_the_accounts_own(region: str) -> None:
    other = Policies(
        synthesize(region=region, github_repository="acme/canvas", make_github_oidc_provider=False), region=region
    )
    assert may_assume(other, GITHUB.role, "repo:acme/canvas:environment:production")
    assert not may_assume(other, GITHUB.role, DEPLOYS[0])
    assert not list(other.templates.resources("AWS::IAM::OIDCProvider"))
