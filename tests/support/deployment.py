"""An account and an assembly before a deployment."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from studio.cloud.deploy.checks import Assembly, Finding, Situation
from studio.cloud.rehearse.process import ACCOUNT

REGION = "us-east-1"
OFFICE = {"vpn_allowed_cidrs": "192.80.1.0/24", "kubernetes_public_cidrs": "192.80.1.0/24"}
SECRET = "pingvas/{}/cdn-signing-key"
Made = Callable[..., Situation]


def assembly(
    folder: Path, stacks: dict[str, list[dict[str, Any]]], below: dict[str, list[str]] | None = None
) -> Assembly:
    """An assembly of these resources by stack."""
    artifacts = {}
    for name, resources in stacks.items():
        body = {"Resources": {f"R{index}": one for index, one in enumerate(resources)}}
        (folder / f"{name}.template.json").write_text(json.dumps(body))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{ACCOUNT}/{REGION}",
            "properties": {
                "templateFile": f"{name}.template.json",
                "stackName": f"Pingvas{name}",
                "requiresBootstrapStackVersion": 6,
            },
            "dependencies": (below or {}).get(name, []),
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return Assembly(folder)


def one(findings: Any) -> Finding:
    (found,) = findings
    assert isinstance(found, Finding)
    return found


def client(service: str) -> Any:
    return boto3.client(service, REGION)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def deployed(*resources: dict[str, Any], name: str) -> None:
    body = {"Resources": {f"R{index}": each for index, each in enumerate(resources)}}
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body))


def secrets_exist() -> None:
    """Each environment's signing key, as the stacks make it: without a value."""
    manager = client("secretsmanager")
    for environment in ("dev", "prod"):
        value = json.dumps({"private_key": "change-me", "public_key_id": "change-me"})
        manager.create_secret(Name=SECRET.format(environment), SecretString=value)
