"""The account that stands in for AWS's, for modules that ask it."""

from collections.abc import Iterator

import httpx
import pytest

from studio.cloud.rehearse.process import Emulator


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
