"""Resources that moto's CloudFormation does not make and its services can: made by the service's own calls.

What follows a deployment (the signing keys, a listener that looks for its certificate) finds them there.
"""

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any

from moto.acm.models import acm_backends
from moto.cloudfront.models import cloudfront_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from studio.cloud.rehearse.records import Record

EXPORTER = "Custom::CrossRegionExportWriter"
SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 (a type)
CERTIFICATE = "AWS::CertificateManager::Certificate"
PUBLIC_KEY = "AWS::CloudFront::PublicKey"


def make(record: Record) -> bool:
    """Makes one resource, whose id the record then has; False where no service can."""
    maker = {SECRET: _secret, CERTIFICATE: _certificate, PUBLIC_KEY: _public_key}.get(record.kind)
    if maker is not None:
        record.own_id = maker(record)
    return maker is not None


def unmake(record: Record) -> None:
    """Deletes what `make` made."""
    if record.kind == SECRET:
        backend: Any = secretsmanager_backends[record.account][record.region]
        backend.delete_secret(record.own_id, None, True)
    elif record.kind == CERTIFICATE:
        certificates: Any = acm_backends[record.account][record.region]
        certificates.delete_certificate(record.own_id)
    elif record.kind == PUBLIC_KEY:
        _edge(record).delete_public_key(record.own_id)


def export(record: Record) -> None:
    """CDK's own custom resource for another region: its values become parameters there."""
    if record.kind != EXPORTER:
        return
    writer = record.properties.get("WriterProps", {})
    parameters: Any = ssm_backends[record.account][str(writer["region"])]
    for name, value in writer.get("exports", {}).items():
        parameters.put_parameter(
            name=name,
            description="",
            value=str(value),
            parameter_type="String",
            allowed_pattern="",
            keyid="",
            overwrite=True,
            tags=[],
            data_type="text",
            tier="Standard",
            policies=None,
        )


def _secret(record: Record) -> str:
    backend: Any = secretsmanager_backends[record.account][record.region]
    made = backend.create_secret(
        str(record.properties.get("Name") or record.name),
        _value(record.properties),
        None,
        record.properties.get("Description"),
        None,
        record.properties.get("KmsKeyId"),
        None,
        [],
        False,
    )
    return str(json.loads(made)["ARN"])


def _value(properties: Mapping[str, Any]) -> str:
    """The first value, as Secrets Manager generates it."""
    asked = properties.get("GenerateSecretString")
    if asked is None:
        return str(properties.get("SecretString", ""))
    letters = string.ascii_letters + string.digits
    value = "".join(secrets.choice(letters) for _ in range(int(asked.get("PasswordLength", 32))))
    if "GenerateStringKey" not in asked:
        return value
    return json.dumps({**json.loads(asked.get("SecretStringTemplate", "{}")), asked["GenerateStringKey"]: value})


def _certificate(record: Record) -> str:
    backend: Any = acm_backends[record.account][record.region]
    names = record.properties.get("SubjectAlternativeNames", [])
    return str(backend.request_certificate(record.properties["DomainName"], None, names, []))


def _public_key(record: Record) -> str:
    config = record.properties["PublicKeyConfig"]
    backend = _edge(record)
    key = backend.create_public_key(config["CallerReference"], config["Name"], config["EncodedKey"])
    backend.public_keys.pop(key.id)
    key.id = record.physical_id  # moto's own ids lack CloudFront's K
    backend.public_keys[key.id] = key
    return str(key.id)


def _edge(record: Record) -> Any:
    backends: Any = cloudfront_backends[record.account]
    return backends["aws"]
