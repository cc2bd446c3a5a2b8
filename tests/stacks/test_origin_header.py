"""Each environment's function that rotates its origin header: when it runs, and what it may touch."""

from pathlib import Path

from blueprint.edge import ORIGIN_HEADER, ORIGIN_ROTATION
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.secrets import SECRETS
from tests.support.edge import Distribution
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, Policies
from tests.support.templates import Resource, Templates


class TestRotation:
    """Who rotates the origin header, how often, and what else that function could do: nothing."""

    @staticmethod
    def function(templates: Templates, environment: Environment) -> Resource:
        name = f"pingvas-{environment.name}-rotate-origin-header"
        return templates.one("AWS::Lambda::Function", FunctionName=name)

    def test_every_header_rotates_monthly_by_its_own_function(
        self, templates: Templates, policies: Policies, environment: Environment
    ) -> None:
        secret = templates.one("AWS::SecretsManager::Secret", Name=ORIGIN_HEADER.secret(environment.name))
        schedules = [
            one.properties
            for one in templates.resources("AWS::SecretsManager::RotationSchedule", stack="Edge")
            if policies.resolve(one.properties["SecretId"], "Edge") == policies.reference(secret)
        ]
        (schedule,) = schedules
        assert schedule["RotationRules"]["AutomaticallyAfterDays"] == SECRETS[secret.properties["Name"]].rotation_days
        assert schedule["RotateImmediatelyOnUpdate"] is False, "rules and distribution were given the value just now"
        function = self.function(templates, environment)
        assert schedule["RotationLambdaARN"]["Fn::GetAtt"] == [function.id, "Arn"]
        (permission,) = [
            one.properties
            for one in templates.resources("AWS::Lambda::Permission", stack="Edge")
            if one.properties["FunctionName"] == {"Ref": function.id}
        ]
        assert permission["Principal"] == "secretsmanager.amazonaws.com"
        assert policies.resolve(permission["SourceArn"], "Edge") == policies.reference(secret)

    def test_its_environment_is_what_the_handler_reads(self, templates: Templates, environment: Environment) -> None:
        function = self.function(templates, environment).properties
        given = function["Environment"]["Variables"]
        handler = Path(__file__).parents[2] / "stacks" / "functions" / "rotate_origin_header" / "handler.py"
        read = {part.split('"')[0] for part in handler.read_text().split('read["')[1:]}
        assert set(given) == read
        assert (given["HOST"], given["HEADER"]) == (environment.host, ORIGIN_HEADER.name)
        assert function["Timeout"] == ORIGIN_ROTATION.timeout_seconds <= 900, "Lambda's longest"
        assert function["Runtime"] == "python3.13"
        assert "resolve:" not in str(given), "the value never enters the function's environment"

    def test_it_may_touch_its_own_environment_alone(
        self, templates: Templates, policies: Policies, environment: Environment, region: str
    ) -> None:
        other = next(one for one in CLUSTER_ENVIRONMENTS if one.name != environment.name)
        role = policies.role(f"pingvas-{environment.name}-rotate-origin-header")

        def may(action: str, resource: str, **context: str) -> bool:
            return allowed(
                Request(action=action, resource=resource, principal=policies.arn(role), context=context),
                identity=policies.identity(role),
            )

        def secret(of: Environment) -> str:
            return policies.arn(templates.one("AWS::SecretsManager::Secret", Name=ORIGIN_HEADER.secret(of.name)))

        def cdn(of: Environment) -> str:
            return policies.arn(Distribution(templates, of.host).resource)

        balancer = f"arn:aws:elasticloadbalancing:{region}:{ACCOUNT}:listener-rule/app"
        for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"):
            assert may(f"secretsmanager:{action}", secret(environment)), action
            assert not may(f"secretsmanager:{action}", secret(other)), action
        for action in ("GetDistribution", "UpdateDistribution"):
            assert may(f"cloudfront:{action}", cdn(environment)), action
            assert not may(f"cloudfront:{action}", cdn(other)), action
        assert may("elasticloadbalancing:ModifyRule", f"{balancer}/pingvas/1/2/3")
        assert not may("elasticloadbalancing:ModifyRule", f"{balancer}/others/1/2/3")
        assert may("elasticloadbalancing:DescribeRules", "*")
        for action in ("DeleteRule", "CreateRule", "SetWebAcl", "DeleteLoadBalancer"):
            assert not may(f"elasticloadbalancing:{action}", f"{balancer}/pingvas/1/2/3"), action
        for action in ("cloudfront:DeleteDistribution", "cloudfront:CreateInvalidation"):
            assert not may(action, cdn(environment)), action
        assert not may("secretsmanager:DeleteSecret", secret(environment))
