"""References between stacks of different regions, which CloudFormation's exports do not reach."""

from aws_cdk import ReferenceStrength, Stack, Token

from stacks.components.stack import PlatformStack


def reference(value: str, *, of: PlatformStack, to: PlatformStack) -> str:
    """A value of one stack as another may use it.

    Within a region it is an export. Across regions CloudFormation reads the other stack's output itself
    (`Fn::GetStackOutput`), where CDK's default would have been two functions and a copy in SSM. A value that synthesis
    knows already, such as the id of a zone that is a setting, is itself.
    """
    if of.region == to.region or not Token.is_unresolved(value):
        return value
    return Stack.consume_reference(value, ReferenceStrength.WEAK)
