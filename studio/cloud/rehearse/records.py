"""Resources that exist as records: a physical id, attributes of a plausible form, the properties they were given."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.cloud.rehearse import schemas

_ARNS = {
    "AWS::CertificateManager::Certificate": "arn:aws:acm:{region}:{account}:certificate/{uuid}",
    "AWS::CloudFront::Distribution": "arn:aws:cloudfront::{account}:distribution/{id}",
    "AWS::IAM::OIDCProvider": "arn:aws:iam::{account}:oidc-provider/{Url}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{id}",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{Name}-{hash:.6}",
    "AWS::SNS::Subscription": "arn:aws:sns:{region}:{account}:{name}:{uuid}",
    "AWS::WAFv2::WebACL": "arn:aws:wafv2:{region}:{account}:global/webacl/{Name}/{uuid}",
    "AWS::WAFv2::IPSet": "arn:aws:wafv2:{region}:{account}:global/ipset/{Name}/{uuid}",
    "AWS::EKS::Nodegroup": "arn:aws:eks:{region}:{account}:nodegroup/{ClusterName}/{name}/{uuid}",
    "AWS::Backup::BackupVault": "arn:aws:backup:{region}:{account}:backup-vault:{BackupVaultName}",
    "AWS::Backup::BackupPlan": "arn:aws:backup:{region}:{account}:backup-plan:{uuid}",
    "AWS::RDS::DBCluster": "arn:aws:rds:{region}:{account}:cluster:{id}",
    "AWS::CloudTrail::Trail": "arn:aws:cloudtrail:{region}:{account}:trail/{id}",
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{id}",
    "AWS::CloudWatch::CompositeAlarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{id}",
}
_IDS = {
    "AWS::CloudFront::Distribution": "E{hash:.13}",
    "AWS::CloudFront::PublicKey": "K{hash:.13}",
    "AWS::CloudFront::KeyGroup": "{uuid}",
    "AWS::CloudFront::OriginAccessControl": "E{hash:.13}",
    "AWS::GuardDuty::Detector": "{hex}",
    "AWS::KMS::Key": "{uuid}",
    "AWS::EC2::NetworkAcl": "acl-{hex:.17}",
    "AWS::EC2::NetworkAclEntry": "acle-{hex:.17}",
    "AWS::EC2::SecurityGroupEgress": "sgr-{hex:.17}",
    "AWS::EC2::SecurityGroupIngress": "sgr-{hex:.17}",
    "AWS::EC2::VPCEndpoint": "vpce-{hex:.17}",
    "AWS::EC2::FlowLog": "fl-{hex:.17}",
    "AWS::EC2::Instance": "i-{hex:.17}",
    "AWS::EC2::LaunchTemplate": "lt-{hex:.17}",
    "AWS::EC2::EIP": "eipalloc-{hex:.17}",
    "AWS::EC2::EIPAssociation": "eipassoc-{hex:.17}",
    "AWS::EC2::PrefixList": "pl-{hex:.17}",
    "AWS::EFS::FileSystem": "fs-{hex:.17}",
    "AWS::EFS::AccessPoint": "fsap-{hex:.17}",
}
_LOWER = ("AWS::RDS::", "AWS::ElastiCache::", "AWS::S3::")
_VALUES: dict[tuple[str, str], Any] = {
    ("AWS::EKS::Cluster", "ClusterSecurityGroupId"): "sg-{hex:.17}",
    ("AWS::EKS::Cluster", "Endpoint"): "https://{hex}.gr7.{region}.eks.amazonaws.com",
    ("AWS::EKS::Cluster", "OpenIdConnectIssuerUrl"): "https://oidc.eks.{region}.amazonaws.com/id/{hex}",
    ("AWS::EKS::Cluster", "CertificateAuthorityData"): "LS0tLS1CRUdJTg==",
    ("AWS::EKS::PodIdentityAssociation", "AssociationId"): "a-{hash:.17}",
    ("AWS::RDS::DBCluster", "Endpoint.Address"): "{id}.cluster-{hash:.12}.{region}.rds.amazonaws.com",
    ("AWS::RDS::DBCluster", "ReadEndpoint.Address"): "{id}.cluster-ro-{hash:.12}.{region}.rds.amazonaws.com",
    ("AWS::RDS::DBCluster", "Endpoint.Port"): "5432",
    ("AWS::RDS::DBCluster", "MasterUserSecret.SecretArn"): (
        "arn:aws:secretsmanager:{region}:{account}:secret:rds!cluster-{uuid}-{hash:.6}"
    ),
    ("AWS::ElastiCache::ReplicationGroup", "PrimaryEndPoint.Address"): "master.{id}.{hash:.6}.use1.cache.amazonaws.com",
    ("AWS::ElastiCache::ReplicationGroup", "ReaderEndPoint.Address"): "replica.{id}.{hash:.6}.use1.cache.amazonaws.com",
    ("AWS::ElastiCache::ReplicationGroup", "PrimaryEndPoint.Port"): "6379",
    ("AWS::CloudFront::Distribution", "DomainName"): "d{hash:.13}.cloudfront.net",
    ("AWS::EC2::LaunchTemplate", "LatestVersionNumber"): "{version}",
    ("AWS::EC2::LaunchTemplate", "DefaultVersionNumber"): "1",
    ("AWS::Lambda::Version", "Version"): "{version}",
}


@dataclass(slots=True)
class Record:
    """One resource. `generation` counts replacements, `version` updates in place."""

    kind: str
    stack: str
    logical_id: str
    account: str
    region: str
    properties: Mapping[str, Any]
    generation: int = 1
    version: int = 1
    own_id: str = ""
    """The physical id, where another service of the emulator gave it."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Values that only this resource knows; what is not here is made up by the schema."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Stack, logical id and type: what a refusal names."""
        return self.stack, self.logical_id, self.kind

    @property
    def physical_id(self) -> str:
        """What `Ref` gives."""
        names = schemas.identifier(self.kind, self.region)
        if self.own_id:
            made = self.own_id
        elif self.kind in _IDS:
            made = self._fill(_IDS[self.kind])
        elif len(names) > 1:
            made = "|".join(str(self.properties.get(one) or self._fill("{uuid}")) for one in names)
        elif names and isinstance(self.properties.get(names[0]), str):
            given = str(self.properties[names[0]])
            made = given.lower() if self.kind.startswith(_LOWER) else given
        elif names and (names[0].endswith(("Arn", "ARN")) or (names[0] == "Id" and self.kind in _ARNS)):
            made = self.arn
        elif names and (names[0] == "Id" or self.kind.startswith("AWS::EC2::")):
            made = self._fill("{hash:.17}")
        else:
            made = self.name
        return made

    @property
    def name(self) -> str:
        """The name that CloudFormation makes up."""
        text = f"{self.stack}-{self.logical_id[:24]}-{self._hash('name')[:12]}"
        return text.lower() if self.kind.startswith(_LOWER) else text

    @property
    def arn(self) -> str:
        if self.kind in _ARNS:
            return self._fill(_ARNS[self.kind])
        _, service, resource = [*self.kind.split("::"), "", ""][:3]
        own = self.properties.get("Name") or self.name
        return self._fill(f"arn:aws:{service.lower()}:{{region}}:{{account}}:{resource.lower()}/{own}")

    def attribute(self, name: str) -> Any:
        """What `Fn::GetAtt` gives.

        Raises:
            KeyError: the type has no such attribute.
        """
        if name in self.attributes:
            return self.attributes[name]
        if not schemas.has_attribute(self.kind, name, self.region):
            raise KeyError(name)
        if (self.kind, name) in _VALUES:
            return self._fill(_VALUES[self.kind, name])
        given = _given(self.properties, name)
        if isinstance(given, str | int | list):
            return given
        if schemas.identifier(self.kind, self.region) == (name,):
            return self.physical_id
        return self._plausible(name, schemas.attribute_schema(self.kind, name, self.region))

    def _plausible(self, name: str, schema: Mapping[str, Any]) -> Any:
        kind = schema.get("type")
        if schema.get("enum"):
            value: Any = schema["enum"][0]
        elif kind == "boolean":
            value = False
        elif kind in ("integer", "number"):
            value = int(schema.get("minimum", 1))
        elif kind == "array":
            value = [self._text(name)]
        else:
            value = self._text(name)
        return value

    def _text(self, name: str) -> str:
        last = name.rpartition(".")[2]
        if last.lower().endswith("arn"):
            return self.arn
        if any(word in last for word in ("Endpoint", "Address", "DomainName", "DNSName", "Host")):
            return self._fill("{hash:.20}.{region}.amazonaws.com")
        if "Url" in last or "URL" in last:
            return self._fill("https://{hash:.20}.{region}.amazonaws.com")
        return self._fill("{uuid}") if last.endswith("Id") else f"{self.name}-{last}"

    def _hash(self, salt: str) -> str:
        seed = f"{self.region}/{self.stack}/{self.logical_id}/{self.kind}/{self.generation}/{salt}"
        return hashlib.sha256(seed.encode()).hexdigest()

    def _fill(self, text: str) -> str:
        digest = self._hash("id")
        values = {
            "region": self.region,
            "account": self.account,
            "hex": digest[:32],
            "hash": digest.upper() if text.startswith(("E{", "K{")) else digest,
            "uuid": f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
            "name": self.name,
            "version": str(self.version),
        }
        if "{id}" in text:
            values["id"] = self.physical_id
        for key in ("Name", "ClusterName", "BackupVaultName", "Url"):
            values[key] = str(self.properties.get(key) or self.name).removeprefix("https://")
        return text.format(**values)


def _given(properties: Mapping[str, Any], name: str) -> Any:
    found: Any = properties
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
