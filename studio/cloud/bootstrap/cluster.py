"""The cluster by kubectl and helm, with a kubeconfig of this command's own that signs in by `token`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from studio.cloud import toolchain
from studio.cloud.bootstrap.token import EXEC_API
from studio.cloud.deploy.account import Account, code, said
from studio.errors import NotRunningError, StudioError
from studio.home import PROJECT

SAID = 1200
"""Characters of a program's complaint that are passed on."""


@dataclass(frozen=True, slots=True)
class Described:
    """What EKS says of a cluster. `authority` is the certificate of its API server's authority, in base64."""

    name: str
    status: str
    endpoint: str
    version: str
    authority: str


def describe(account: Account, name: str) -> Described:
    """Asks EKS.

    Raises:
        StudioError: there is no such cluster, or we may not ask.
        NotRunningError: AWS cannot be reached.
    """
    try:
        found = account.client("eks").describe_cluster(name=name)["cluster"]
    except ClientError as error:
        if code(error) == "ResourceNotFoundException":
            raise StudioError(
                f"{account.region} has no cluster {name}.", advice="./pingvas deploy Cluster, or another --profile."
            ) from error
        raise StudioError(f"EKS refuses to describe {name}: {said(error)}") from error
    except BotoCoreError as error:
        raise NotRunningError(f"AWS cannot be reached: {error}", advice="Check the network.") from error
    return Described(
        name,
        found["status"],
        found.get("endpoint", ""),
        found["version"],
        found.get("certificateAuthority", {}).get("data", ""),
    )


def kubeconfig(described: Described, region: str, *, profile: str | None = None) -> dict[str, Any]:
    """A kubeconfig without a secret: its user is a program that makes tokens."""
    environment = {
        "PYTHONPATH": str(PROJECT),
        "PYTHONWARNINGS": "ignore",
        **({"AWS_PROFILE": profile} if profile else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": described.name,
        "contexts": [{"name": described.name, "context": {"cluster": described.name, "user": described.name}}],
        "clusters": [
            {
                "name": described.name,
                "cluster": {"server": described.endpoint, "certificate-authority-data": described.authority},
            }
        ],
        "users": [
            {
                "name": described.name,
                "user": {
                    "exec": {
                        "apiVersion": EXEC_API,
                        "command": sys.executable,
                        "args": ["-P", "-m", "studio.cloud.bootstrap.token", described.name, region],
                        "env": [{"name": name, "value": value} for name, value in environment.items()],
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }


class Cluster:
    """kubectl and helm against one cluster. Neither reads or writes anything of the person's own configuration."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._folder = folder
        self._config = folder / "kubeconfig"
        self._config.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")

    @classmethod
    @contextmanager
    def opened(cls, config: Mapping[str, Any]) -> Iterator["Cluster"]:
        """With a folder that only this account reads, gone at the end."""
        with tempfile.TemporaryDirectory(prefix="pingvas-bootstrap-") as folder:
            yield cls(Path(folder), config)

    def kubectl(self, *arguments: str, given: str | None = None, timeout: float = 120) -> str:
        """kubectl's output; `given` is its standard input, where secrets go.

        Raises:
            NotRunningError: the API server cannot be reached.
            StudioError: kubectl failed; the message is its own.
        """
        return self._run("kubectl", [str(toolchain.kubectl()), *arguments], given, timeout)

    def helm(self, *arguments: str, timeout: float = 600) -> str:
        """helm's output. Raises as `kubectl`."""
        return self._run("helm", [str(toolchain.helm()), *arguments], None, timeout)

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get ... -o json`; a list of none where the kind or the object is not there."""
        try:
            found: dict[str, Any] = json.loads(
                self.kubectl("get", *arguments, "--ignore-not-found", "-o", "json") or "{}"
            )
        except StudioError as error:
            if "the server doesn't have a resource type" in error.message:
                return {}
            raise
        return found

    def may_everything(self) -> bool:
        """Whether the API server lets us do anything, anywhere."""
        asked = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = json.loads(self.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(asked)))
        return bool(answer.get("status", {}).get("allowed"))

    def apply(self, folder: Path, *, manager: str) -> list[str]:
        """Applies what Kustomize makes of a folder, server-side; returns kubectl's lines."""
        flags = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
        return self.kubectl("apply", *flags, "-k", str(folder)).splitlines()

    def apply_given(self, body: Mapping[str, Any], *, manager: str) -> None:
        """Applies one object that stands in no file, such as a Secret."""
        flags = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
        self.kubectl("apply", *flags, "-f", "-", given=json.dumps(dict(body)))

    def _run(self, name: str, command: Sequence[str], given: str | None, timeout: float) -> str:
        caches = {f"HELM_{one}_HOME": str(self._folder / one.lower()) for one in ("CACHE", "CONFIG", "DATA")}
        environment = {
            **os.environ,
            **caches,
            "KUBECONFIG": str(self._config),
            "KUBECACHEDIR": str(self._folder / "cache"),
        }
        try:
            done = subprocess.run(
                command, env=environment, input=given, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise StudioError(f"{name} {command[1]} did not end within {timeout:.0f} s.") from error
        if done.returncode == 0:
            return done.stdout
        told = "\n".join(done.stderr.strip().splitlines()[-12:])[-SAID:]
        if _unreachable(told):
            raise NotRunningError(
                f"The cluster's API server cannot be reached:\n{told}",
                advice="Its public endpoint lets in `kubernetes_public_cidrs` alone; otherwise be on the VPN.",
            )
        raise StudioError(f"{name} {command[1]} failed:\n{told}", advice=_advice(told))


def _unreachable(told: str) -> bool:
    signs = (
        "connection refused",
        "was refused",
        "no such host",
        "i/o timeout",
        "deadline exceeded",
        "no route to host",
    )
    return any(sign in told for sign in signs)


def _advice(told: str) -> str:
    if "Unauthorized" in told or "must be logged in" in told:
        return "EKS does not know this principal: assume DevOps-AssumeRole (MFA, VPN) and name it by --profile."
    if "forbidden" in told.lower():
        return "This principal is no administrator of the cluster: assume DevOps-AssumeRole."
    return ""


Say = Callable[[str], None]
