"""The base of every stack: name, region, tags, protection, and the outputs of the contract."""

from aws_cdk import App, Environment, RemovalPolicy, Stack, Tags
from aws_cdk import aws_ssm as ssm
from constructs import Construct, IConstruct

from blueprint.contract import OUTPUTS
from blueprint.finance import ENVIRONMENT_TAG, PROJECT_TAG, SHARED
from stacks.settings import Settings

PREFIX = "Pingvas"


class PlatformApp(App):
    """The app. It lives here, and not in app.py, so that `stacks` has named Node's place before CDK is imported."""


class PlatformStack(Stack):
    """One stack of the platform, `Pingvas<name>` in CloudFormation.

    `stateful` stacks hold what cannot be made again; with `settings.protected` they cannot be deleted, and what they
    hold stays when it leaves a template.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        description: str,
        stateful: bool = False,
        region: str | None = None,
        cross_region: bool = False,
    ) -> None:
        super().__init__(
            scope,
            name,
            stack_name=f"{PREFIX}{name}",
            env=Environment(account=settings.account, region=region or settings.region),
            description=f"Pingvas Studio: {description}",
            termination_protection=stateful and settings.protected,
            cross_region_references=cross_region,
        )
        self.settings = settings
        for tag, value in (PROJECT_TAG, ("stack", name), (ENVIRONMENT_TAG, SHARED)):
            Tags.of(self).add(tag, value)

    @property
    def availability_zones(self) -> list[str]:
        """The settings' zones; CDK's own answer is a look-up in the account, which synthesis must do without."""
        return list(self.settings.zones)

    @property
    def removal(self) -> RemovalPolicy:
        """What becomes of a stateful resource that leaves the template."""
        return RemovalPolicy.RETAIN if self.settings.protected else RemovalPolicy.DESTROY

    @staticmethod
    def tag_environment(construct: IConstruct, environment: str) -> None:
        """Marks what one environment owns, by which the cost report tells one from the other; all else is shared."""
        Tags.of(construct).add(ENVIRONMENT_TAG, environment)

    def publish(self, output: str, value: str) -> None:
        """Publishes one output of `blueprint.contract` as an SSM parameter.

        Raises:
            KeyError: the contract has no such output.
            ValueError: another stack publishes it.
        """
        contract = OUTPUTS[output]
        if contract.stack != self.node.id:
            raise ValueError(f"{output} is published by {contract.stack}, not by {self.node.id}")
        ssm.CfnParameter(
            self,
            f"Output-{output}",
            name=contract.parameter,
            type="String",
            value=value,
            description=contract.meaning,
        )
