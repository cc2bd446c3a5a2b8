"""Every policy of the synthesized templates, with its intrinsics resolved, for `tests.support.iam` to evaluate.

policies = Policies(templates, region=region)
role = policies.role("DevOps-AssumeRole")
allowed(Request(action="sts:AssumeRole", principal=USER, ...), resource=[policies.trust(role)], governed=True)
allowed(Request(action="s3:GetObject", ...), identity=policies.identity(role))
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.iam import Document, listed, statements
from tests.support.resource_names import ARNS, NAMES, REF_IS_ARN
from tests.support.templates import Resource, Templates

ACCOUNT = "111122223333"
"""An account of AWS's documentation, which the templates, made for any account, are read for."""
OTHER_ACCOUNT = "444455556666"
ORGANIZATION = "aws"
_NOTHING = object()
_SUB = re.compile(r"\$\{([^!}][^}]*)\}")

_ATTACHED = {
    "AWS::S3::BucketPolicy": ("Bucket", "PolicyDocument"),
    "AWS::SecretsManager::ResourcePolicy": ("SecretId", "ResourcePolicy"),
    "AWS::SQS::QueuePolicy": ("Queues", "PolicyDocument"),
    "AWS::SNS::TopicPolicy": ("Topics", "PolicyDocument"),
}
_INLINE = {
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::ECR::Repository": "RepositoryPolicyText",
    "AWS::EFS::FileSystem": "FileSystemPolicy",
    "AWS::Backup::BackupVault": "AccessPolicy",
}


class UnresolvedError(LookupError):
    """An intrinsic of a template for which nothing stands in."""


@dataclass(frozen=True, slots=True)
class Found:
    """One statement of some policy. `kind` is the property path that holds it, such as `AssumeRolePolicyDocument`."""

    resource: Resource
    kind: str
    statement: Mapping[str, Any]

    @property
    def actions(self) -> list[str]:
        return [str(one) for one in listed(self.statement.get("Action", self.statement.get("NotAction", [])))]

    @property
    def resources(self) -> list[str]:
        return [str(one) for one in listed(self.statement.get("Resource", self.statement.get("NotResource", [])))]


class Policies:
    """`substitutes` stand for what a deployment decides: `{"Stack.LogicalId": ref, "Stack.LogicalId.Arn": arn}`."""

    def __init__(
        self,
        templates: Templates,
        *,
        region: str,
        account: str = ACCOUNT,
        substitutes: Mapping[str, str] | None = None,
    ) -> None:
        self.templates = templates
        self.region = region
        self.account = account
        self.substitutes = dict(substitutes or {})
        self._exports = {
            str(self.resolve(output["Export"]["Name"], stack)): (stack, output["Value"])
            for stack, template in templates.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }

    def role(self, name: str) -> Resource:
        """The role of that fixed name.

        Raises:
            LookupError: no stack makes it, or more than one does.
        """
        found = [one for one in self.templates.resources("AWS::IAM::Role") if self.name(one) == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} roles are named {name}")
        return found[0]

    def key(self, name: str) -> Resource:
        """The key under the alias `pingvas/<name>`."""
        alias = self.templates.one("AWS::KMS::Alias", AliasName=f"alias/pingvas/{name}")
        target = self.resolve(alias.properties["TargetKeyId"], alias.stack)
        keys = self.templates.resources("AWS::KMS::Key", stack=alias.stack)
        return next(one for one in keys if self.arn(one) == target)

    def trust(self, role: Resource) -> Document:
        """Who may assume the role."""
        return self._document(role.properties["AssumeRolePolicyDocument"], role.stack)

    def boundary(self, role: Resource) -> Document | None:
        """The permissions boundary, where the role has one of ours."""
        given = role.properties.get("PermissionsBoundary")
        if given is None:
            return None
        return self._managed(str(self.resolve(given, role.stack)))

    def identity(self, role: Resource, *, managed: Mapping[str, Document] | None = None) -> list[Document]:
        """Every policy that gives the role something: inline, attached from any stack, and managed.

        AWS's own managed policies are not in templates: `managed` gives their documents by ARN.

        Raises:
            UnresolvedError: the role has an AWS managed policy that `managed` lacks.
        """
        name, arn = self.name(role), self.arn(role)
        found = [self._document(one["PolicyDocument"], role.stack) for one in role.properties.get("Policies", [])]
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            for policy in self.templates.resources(kind):
                roles = policy.properties.get("Roles", [policy.properties.get("RoleName")])
                if name in [self.resolve(one, policy.stack) for one in roles if one is not None]:
                    found.append(self._document(policy.properties["PolicyDocument"], policy.stack))
        for given in role.properties.get("ManagedPolicyArns", []):
            attached = str(self.resolve(given, role.stack))
            if attached in (managed or {}):
                found.append((managed or {})[attached])
            elif f"::{ORGANIZATION}:" in attached:
                raise UnresolvedError(f"{arn} has {attached}, whose document is not given")
            else:
                found.append(self._managed(attached))
        return found

    def of(self, resource: Resource) -> list[Document]:
        """The resource policies of a bucket, key, secret, queue, topic, repository, file system or vault."""
        found = []
        inline = _INLINE.get(resource.type)
        if inline and inline in resource.properties:
            found.append(self._document(resource.properties[inline], resource.stack))
        own = {self.reference(resource), self.arn(resource)}
        for kind, (target, document) in _ATTACHED.items():
            found += [
                self._document(policy.properties[document], policy.stack)
                for policy in self.templates.resources(kind)
                if own & {str(self.resolve(one, policy.stack)) for one in listed(policy.properties[target])}
            ]
        return found

    def statements(self) -> Iterator[Found]:
        """Every statement of every policy in every template, wherever a resource keeps it."""
        for resource in self.templates.resources():
            for kind, document in _documents(resource.properties):
                for statement in statements(document):
                    yield Found(resource, kind, self.resolve(statement, resource.stack))

    def name(self, resource: Resource) -> str:
        """The fixed name, or the logical id where CloudFormation makes one up."""
        given = resource.properties.get(NAMES.get(resource.type, ""))
        if resource.type == "AWS::IAM::OIDCProvider":
            return str(self.resolve(resource.properties["Url"], resource.stack)).removeprefix("https://")
        return resource.id if given is None else str(self.resolve(given, resource.stack))

    def arn(self, resource: Resource) -> str:
        given = self.substitutes.get(f"{resource.stack}.{resource.id}.Arn")
        if given:
            return given
        service = resource.type.split("::")[1].lower()
        pattern = ARNS.get(resource.type, f"arn:aws:{service}:{{region}}:{{account}}:{{name}}")
        return pattern.format(account=self.account, region=self._region(resource.stack), name=self.name(resource))

    def reference(self, resource: Resource) -> str:
        """What `Ref` gives."""
        given = self.substitutes.get(f"{resource.stack}.{resource.id}")
        if resource.type == "AWS::SecretsManager::SecretTargetAttachment":
            return str(self.resolve(resource.properties["SecretId"], resource.stack))
        return given or (self.arn(resource) if resource.type in REF_IS_ARN else self.name(resource))

    def resolve(self, value: Any, stack: str) -> Any:
        """A template's value as it is after a deployment.

        Raises:
            UnresolvedError: nothing stands in for an intrinsic.
        """
        if isinstance(value, list):
            return [one for part in value if (one := self.resolve(part, stack)) is not _NOTHING]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, argument, stack)
        return {key: one for key, part in value.items() if (one := self.resolve(part, stack)) is not _NOTHING}

    def _intrinsic(self, name: str, argument: Any, stack: str) -> Any:  # noqa: PLR0911 (one line a function)
        match name:
            case "Ref":
                return self._ref(argument, stack)
            case "Fn::GetAtt":
                logical, _, attribute = (
                    argument.partition(".") if isinstance(argument, str) else (*argument[:1], ".", argument[1])
                )
                return self._attribute(logical, attribute, stack)
            case "Fn::Join":
                return argument[0].join(str(self.resolve(one, stack)) for one in self.resolve(argument[1], stack))
            case "Fn::Sub":
                return self._sub(argument, stack)
            case "Fn::ImportValue":
                exporter, exported = self._exports[str(self.resolve(argument, stack))]
                return self.resolve(exported, exporter)
            case "Fn::GetStackOutput":
                other = argument["StackName"].removeprefix("Pingvas")
                return self.resolve(self.templates[other]["Outputs"][argument["OutputName"]]["Value"], other)
            case "Fn::Select":
                return self.resolve(argument[1], stack)[int(argument[0])]
            case "Fn::Split":
                return str(self.resolve(argument[1], stack)).split(argument[0])
            case "Fn::GetAZs":
                return [f"{self._region(stack)}{letter}" for letter in "abc"]
        raise UnresolvedError(f"{stack}: {name} {argument}")

    def _ref(self, name: str, stack: str) -> Any:
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": "aws",
            "AWS::Region": self._region(stack),
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": f"Pingvas{stack}",
            "AWS::StackId": f"arn:aws:cloudformation:{self._region(stack)}:{self.account}:stack/Pingvas{stack}/1",
            "AWS::NoValue": _NOTHING,
        }
        if name in pseudo:
            return pseudo[name]
        if f"{stack}.{name}" in self.substitutes:
            return self.substitutes[f"{stack}.{name}"]
        template = self.templates[stack]
        if name in template.get("Parameters", {}):
            return template["Parameters"][name].get("Default", f"parameter-{name}")
        if name not in template["Resources"]:
            raise UnresolvedError(f"{stack} has no {name}")
        return self.reference(Resource(stack, name, template["Resources"][name]))

    def _attribute(self, logical: str, attribute: str, stack: str) -> Any:
        if (given := self.substitutes.get(f"{stack}.{logical}.{attribute}")) is not None:
            return given
        if logical not in self.templates[stack]["Resources"]:
            raise UnresolvedError(f"{stack} has no {logical}")
        resource = Resource(stack, logical, self.templates[stack]["Resources"][logical])
        if attribute in ("Arn", "TopicArn"):
            return self.arn(resource)
        if attribute in ("Name", "RepositoryName", "QueueName", "TopicName"):
            return self.name(resource)
        return f"{self.name(resource)}.{attribute}"

    def _sub(self, argument: Any, stack: str) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def value(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name in own:
                return str(self.resolve(own[name], stack))
            if "." in name:
                return str(self._attribute(*name.split(".", 1), stack))
            return str(self._ref(name, stack))

        return _SUB.sub(value, text).replace("${!", "${")

    def _region(self, stack: str) -> str:
        return "us-east-1" if stack in ("EdgeGlobal", "EdgeLogs") else self.region

    def _document(self, document: Any, stack: str) -> Document:
        return self.resolve(document, stack)  # type: ignore[no-any-return]

    def _managed(self, arn: str) -> Document:
        for policy in self.templates.resources("AWS::IAM::ManagedPolicy"):
            if self.arn(policy) == arn:
                return self._document(policy.properties["PolicyDocument"], policy.stack)
        raise UnresolvedError(f"{arn} is a managed policy of no stack")


def _documents(value: Any, path: str = "") -> Iterator[tuple[str, Document]]:
    """Policy documents anywhere within properties, with the name of the property that holds them."""
    if isinstance(value, Mapping):
        if "Statement" in value and ("Version" in value or path.endswith(("Policy", "Document", "PolicyText"))):
            yield path, value
            return
        for name, part in value.items():
            yield from _documents(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _documents(part, path)
