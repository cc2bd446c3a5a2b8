"""The cluster that a bootstrap speaks to: how it is described, reached, signed in to, and given its chart."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from blueprint.cluster import NAME, VERSION
from studio.cloud import toolchain
from studio.cloud.bootstrap import run
from studio.cloud.bootstrap.cluster import Cluster, Described, describe, kubeconfig
from studio.cloud.deploy.account import Account
from studio.cloud.rehearse.process import ACCOUNT, Emulator
from studio.errors import StudioError
from tests.support.bootstrap import Make
from tests.support.deployment import REGION


def test_eks_describes_the_cluster_and_a_missing_one_is_told(emulator: Emulator) -> None:
    account = Account(REGION)
    with pytest.raises(StudioError, match=f"{REGION} has no cluster {NAME}"):
        describe(account, NAME)
    account.client("eks").create_cluster(
        name=NAME, version=VERSION, roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig={}
    )
    found = describe(account, NAME)
    assert (found.name, found.status, found.version) == (NAME, "ACTIVE", VERSION)
    assert found.endpoint.startswith("https://")


def test_a_kubeconfig_holds_no_secret_and_is_gone_afterwards(described: Described) -> None:
    config = kubeconfig(described, REGION, profile="pingvas")
    assert set(config["users"][0]["user"]) == {"exec"}
    with Cluster.opened(config) as cluster:
        folder = cluster._folder
        assert (folder.stat().st_mode & 0o777) == 0o700
    assert not folder.exists()


def test_without_credentials_the_plugin_says_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    nowhere = {name: str(tmp_path / "none") for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")}
    command = [sys.executable, "-m", "studio.cloud.bootstrap.token", NAME, REGION]
    done = subprocess.run(
        command,
        env={**os.environ, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("pingvas: no token for")
    assert done.stderr.count("\n") == 1


def test_the_chart_comes_from_its_pinned_repository_without_a_file(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def helm(self: Cluster, *arguments: str, timeout: float = 0) -> str:
        asked.extend(arguments)
        raise StudioError("far enough")

    monkeypatch.setattr(Cluster, "helm", helm)
    bootstrap = make()
    bootstrap.options = replace(bootstrap.options, chart=None)
    bootstrap.look()
    with pytest.raises(StudioError, match="far enough"):
        bootstrap.run()
    assert asked[:3] == ["upgrade", "--install", "argocd"]
    assert asked[3:8] == ["argo-cd", "--repo", run.ARGOCD.repository, "--version", run.ARGOCD.version]
    assert toolchain.helm().is_file()
