"""What a workload's role may do, with every policy of the templates counted."""

from blueprint.workloads import WORKLOADS
from tests.support.iam import Document, Request, allowed
from tests.support.policies import ACCOUNT, Policies
from tests.support.templates import Resource, Templates

AWS_OWN = {"vpc-cni", "ebs-csi"}
"""Workloads with a managed policy of AWS, which is no part of a template."""


class Asked:
    """The templates of one region, for questions."""

    def __init__(self, templates: Templates, region: str) -> None:
        self.templates, self.region = templates, region
        self.master = self.secret("rds!cluster-1")
        aurora = templates.one("AWS::RDS::DBCluster")
        self.policies = Policies(
            templates, region=region, substitutes={f"Data.{aurora.id}.MasterUserSecret.SecretArn": self.master}
        )
        self.keys = {
            one.path.split("/")[1].removesuffix("Key").lower(): one for one in templates.resources("AWS::KMS::Key")
        }

    def may(self, workload: str, action: str, resource: str, **context: str | list[str]) -> bool:
        role = self.policies.role(WORKLOADS[workload].role)
        request = Request(
            action=action,
            resource=resource,
            principal=self.policies.arn(role),
            context={
                "aws:SecureTransport": "true",
                "s3:TlsVersion": "1.3",
                "aws:RequestedRegion": self.region,
                **context,
            },
        )
        return allowed(request, identity=self._identity(role, workload), resource=self._of(resource))

    def decrypts(self, workload: str, key: str, action: str = "kms:Decrypt", **context: str) -> bool:
        """Keys admit only whom their own policy lets IAM speak for."""
        role = self.policies.role(WORKLOADS[workload].role)
        request = Request(
            action=action,
            resource=self.policies.arn(self.keys[key]),
            principal=self.policies.arn(role),
            context={"aws:PrincipalArn": self.policies.arn(role), "kms:CallerAccount": ACCOUNT, **context},
        )
        return allowed(
            request,
            identity=self._identity(role, workload),
            resource=self.policies.of(self.keys[key]),
            governed=True,
        )

    def bucket(self, name: str) -> str:
        return f"arn:aws:s3:::{name}-{ACCOUNT}-{self.region}"

    def secret(self, path: str) -> str:
        return f"arn:aws:secretsmanager:{self.region}:{ACCOUNT}:secret:{path}-a1B2c3"

    def ec2(self, kind: str, account: str = ACCOUNT) -> str:
        return f"arn:aws:ec2:{self.region}:{account}:{kind}"

    def _identity(self, role: Resource, workload: str) -> list[Document]:
        managed = {
            str(arn): {"Statement": []}
            for arn in self.policies.resolve(role.properties.get("ManagedPolicyArns", []), role.stack)
        }
        assert bool(managed) == (workload in AWS_OWN)
        return self.policies.identity(role, managed=managed)

    def _of(self, resource: str) -> list[Document]:
        bucket = resource.partition("/")[0]
        found = [one for one in self.templates.resources("AWS::S3::Bucket") if self.policies.arn(one) == bucket]
        return [document for one in found for document in self.policies.of(one)]
