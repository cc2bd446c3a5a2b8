"""The account that stands in for AWS's, for modules that ask it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stacks.settings import read
from studio.cloud.deploy.account import Account
from studio.cloud.deploy.checks import Situation
from studio.cloud.rehearse.process import ACCOUNT, Emulator
from tests.support.deployment import OFFICE, REGION, Made, assembly


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator")).running() as running:
        yield running


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials of the emulated account, in which nothing is left from the test before."""
    for name, value in emulator.environment.items():
        if name == "AWS_PROFILE":
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    yield
    httpx.post(f"{emulator.url}/moto-api/reset")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def make(*resources: dict[str, Any], **settings: Any) -> Situation:
        context = {"account": ACCOUNT, **OFFICE, **settings}
        return Situation(Account(REGION), read(context), assembly(tmp_path, {"Network": list(resources)}), context)

    return make
