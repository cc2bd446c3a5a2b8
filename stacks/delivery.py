"""Repositories of container images, and the roles that GitHub Actions assumes."""

from json import dumps

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from blueprint.buckets import ASSETS_BUCKET
from blueprint.cluster import NAME as CLUSTER_NAME
from blueprint.contract import repository
from blueprint.delivery import (
    GITHUB,
    IMAGES,
    KEPT_IMAGES,
    KEPT_RELEASES,
    MUTABLE_TAG_PREFIX,
    RELEASE_TAG_PREFIX,
    UNTAGGED_DAYS,
    repository_name,
)
from stacks.components.excuse import excuse
from stacks.components.names import account_of, bucket_arn, bucket_name, distributions
from stacks.components.stack import PlatformStack
from stacks.components.statements import Statement, allow, document
from stacks.security import SecurityStack
from stacks.settings import Settings

_PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)


def _expire(priority: int, *, count: str, number: int, **selection: object) -> dict[str, object]:
    chosen = {**selection, "countType": count, "countNumber": number}
    return {"rulePriority": priority, "selection": chosen, "action": {"type": "expire"}}


_LIFECYCLE = dumps(
    {
        "rules": [
            _expire(1, count="sinceImagePushed", number=UNTAGGED_DAYS, tagStatus="untagged", countUnit="days"),
            # An image that an earlier rule chose is not for a later one: a release stays however many commits follow.
            _expire(
                2,
                count="imageCountMoreThan",
                number=KEPT_RELEASES,
                tagStatus="tagged",
                tagPatternList=[f"{RELEASE_TAG_PREFIX}*"],
            ),
            _expire(3, count="imageCountMoreThan", number=KEPT_IMAGES, tagStatus="any"),
        ]
    }
)


class DeliveryStack(PlatformStack):
    """`repositories`, by image, and two roles for GitHub Actions.

    What deploys (the branch, release tags, the two environments) pushes images, uploads the web studio and looks the
    cluster up. A pull request only pushes images: tags are immutable, so it can replace nothing that runs, and what
    runs is what a reviewed commit of the manifests names.
    """

    def __init__(self, scope: Construct, *, settings: Settings, security: SecurityStack) -> None:
        super().__init__(
            scope, "Delivery", settings=settings, description="image repositories, GitHub roles", stateful=True
        )
        self._storage_key = security.keys.storage.key_arn
        self.repositories = {image: self._repository(image) for image in IMAGES}
        self._provider = self._make_provider()
        self.github_role = self._role(
            "GitHub", GITHUB.role, GITHUB.subjects(settings.github_repository), self._push(), self._deploy()
        )
        self.pull_request_role = self._role(
            "PullRequest",
            GITHUB.pull_request_role,
            (GITHUB.pull_request(settings.github_repository),),
            self._push(),
            (),
        )
        excuse(
            self.github_role,
            f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{self._shown(bucket_name(ASSETS_BUCKET, settings))}/*]",
            "the web studio's files, whose names a build chooses",
        )
        excuse(
            self.github_role,
            f"AwsSolutions-IAM5[Resource::{self._shown(distributions(settings))}]",
            "the distributions stand on other stacks; an invalidation costs a fetch and changes nothing",
        )
        self.publish("delivery/github-role", self.github_role.attr_arn)
        self.publish("delivery/github-pull-request-role", self.pull_request_role.attr_arn)
        for image, made in self.repositories.items():
            self.publish(repository(image), made.attr_repository_uri)

    def _shown(self, text: str) -> str:
        return text if self.settings.account else text.replace(account_of(self.settings), "<AWS::AccountId>")

    def _repository(self, image: str) -> ecr.CfnRepository:
        made = ecr.CfnRepository(
            self,
            image,
            repository_name=repository_name(image),
            encryption_configuration=ecr.CfnRepository.EncryptionConfigurationProperty(
                encryption_type="KMS", kms_key=self._storage_key
            ),
            image_scanning_configuration=ecr.CfnRepository.ImageScanningConfigurationProperty(scan_on_push=True),
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
            image_tag_mutability_exclusion_filters=[
                ecr.CfnRepository.ImageTagMutabilityExclusionFilterProperty(
                    image_tag_mutability_exclusion_filter_type="WILDCARD",
                    image_tag_mutability_exclusion_filter_value=f"{MUTABLE_TAG_PREFIX}*",
                )
            ],
            lifecycle_policy=ecr.CfnRepository.LifecyclePolicyProperty(lifecycle_policy_text=_LIFECYCLE),
            empty_on_delete=not self.settings.protected,
        )
        made.apply_removal_policy(self.removal)
        excuse(made, "CKV_AWS_51", "immutable but for dev-latest, which is a convenience that nothing deploys")
        return made

    def _make_provider(self) -> str:
        """The ARN of GitHub as an identity provider, of which an account has one."""
        if not self.settings.make_github_oidc_provider:
            return f"arn:aws:iam::{account_of(self.settings)}:oidc-provider/{GITHUB.issuer}"
        made = iam.CfnOIDCProvider(self, "Provider", url=f"https://{GITHUB.issuer}", client_id_list=[GITHUB.audience])
        return made.attr_arn

    def _push(self) -> tuple[Statement, ...]:
        return (
            allow(_PUSH, [one.attr_arn for one in self.repositories.values()], Sid="PushImages"),
            allow("ecr:GetAuthorizationToken", "*", Sid="SignInToTheRegistryWhichHasNoResource"),
        )

    def _deploy(self) -> tuple[Statement, ...]:
        region, account = self.settings.region, account_of(self.settings)
        assets = bucket_arn(ASSETS_BUCKET, self.settings)
        return (
            allow(
                "eks:DescribeCluster", f"arn:aws:eks:{region}:{account}:cluster/{CLUSTER_NAME}", Sid="FindTheCluster"
            ),
            allow("s3:ListBucket", assets, Sid="CompareTheWebStudio"),
            allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{assets}/*", Sid="UploadTheWebStudio"),
            allow(
                ["kms:Decrypt", "kms:GenerateDataKey"],
                self._storage_key,
                {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
                Sid="EncryptTheWebStudio",
            ),
            allow("cloudfront:CreateInvalidation", distributions(self.settings), Sid="RefreshTheEdge"),
        )

    def _role(self, name: str, role: str, subjects: tuple[str, ...], *statements: tuple[Statement, ...]) -> iam.CfnRole:
        issuer = GITHUB.issuer
        made = iam.CfnRole(
            self,
            f"{name}Role",
            role_name=role,
            description="GitHub Actions of the product's repository",
            max_session_duration=GITHUB.session,
            assume_role_policy_document=document(
                allow(
                    "sts:AssumeRoleWithWebIdentity",
                    None,
                    {
                        "StringEquals": {f"{issuer}:aud": GITHUB.audience},
                        "StringLike": {f"{issuer}:sub": list(subjects)},
                    },
                    Principal={"Federated": self._provider},
                )
            ),
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="deliver",
                    policy_document=document(*(one for group in statements for one in group)),
                )
            ],
        )
        excuse(
            made, "AwsSolutions-IAM5[Resource::*]", "ecr:GetAuthorizationToken has no resource; it opens nothing alone"
        )
        return made
