"""Container images, their repositories, who may push them, and the Git repository and branches that ArgoCD follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from blueprint.environments import CLUSTER_ENVIRONMENTS, EnvironmentName
from blueprint.services import SERVICES

WEB = "web"
IMAGES = (*(service.title for service in SERVICES.values()), "gpu-worker", "migrations", WEB)
"""One ECR repository an image, below `pingvas/`."""
REPOSITORY_PREFIX = "pingvas"
MUTABLE_TAG_PREFIX = "dev-latest"
RELEASE_TAG_PREFIX = "v"
"""A release adds its Git tag to the images it deploys, so that the count of other images cannot push them out."""
UNTAGGED_DAYS = 7
KEPT_RELEASES = 50
KEPT_IMAGES = 200
"""Images of commits, beside the releases; the newest stay."""


def repository_name(image: str) -> str:
    """The repository's name in ECR.

    >>> repository_name("web")
    'pingvas/web'
    """
    return f"{REPOSITORY_PREFIX}/{image}"


@dataclass(frozen=True, slots=True)
class GitHub:
    """GitHub Actions as an identity provider, and whom the two roles trust.

    The subject of a token says what ran: a branch, a tag, a deployment environment (which hides the branch:
    GitHub's rules of the environment decide who gets there) or a pull request. One from a fork gets no token at all.
    """

    issuer: str = "token.actions.githubusercontent.com"
    audience: str = "sts.amazonaws.com"
    role: str = "pingvas-github"
    pull_request_role: str = "pingvas-github-pull-request"
    branch: str = "develop"
    environments: tuple[str, ...] = ("development", "production")
    session: int = 3600

    def subjects(self, repository: str) -> tuple[str, ...]:
        """What may deploy.

        >>> GITHUB.subjects("pingvas/studio")[0]
        'repo:pingvas/studio:ref:refs/heads/develop'
        """
        return (
            f"repo:{repository}:ref:refs/heads/{self.branch}",
            f"repo:{repository}:ref:refs/tags/{RELEASE_TAG_PREFIX}*",
            *(f"repo:{repository}:environment:{name}" for name in self.environments),
        )

    def pull_request(self, repository: str) -> str:
        return f"repo:{repository}:pull_request"


GITHUB = GitHub()
REPOSITORY = "pingvas/studio"
"""Owner and name on GitHub: this project. Stacks trust its workflows, ArgoCD reads its gitops/."""
REPOSITORY_URL = f"https://github.com/{REPOSITORY}.git"
PLATFORM_BRANCH = "main"
"""What both environments stand on, and the guard rails of each: nothing reaches it without a review."""
ACCOUNT = "pingvas-delivery"
"""ArgoCD's local account of the workflows; it may look at the environments' applications and sync them."""


@dataclass(frozen=True, slots=True)
class Following:
    """How an environment's applications move. `automated`: by themselves, with every commit of the branch."""

    environment: EnvironmentName
    branch: str
    automated: bool


_FOLLOWING = {
    "dev": Following("dev", GITHUB.branch, automated=True),
    "prod": Following("prod", PLATFORM_BRANCH, automated=False),
}
FOLLOWING: Mapping[str, Following] = MappingProxyType({one.name: _FOLLOWING[one.name] for one in CLUSTER_ENVIRONMENTS})
"""By environment: dev syncs itself, prod waits until somebody approves."""
