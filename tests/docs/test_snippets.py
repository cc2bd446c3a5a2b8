"""What the pages show, run as it stands: blocks marked `run`, those with `studio` against a real one."""

import json
import re

import pytest

from services.kernel.catalogue import Metadata
from studio.home import PROJECT
from tests.docs.conftest import Desk
from tests.docs.markdown import Block, blocks, name, pages

ORIGIN = "http://127.0.0.1:8000"
STARTER = PROJECT / "models" / "sdxl" / "pingvas-starter" / "model_index.json"
BLOCKS = [block for page in pages() for block in blocks(page)]
ALONE = [block for block in BLOCKS if block.words[:2] == ("sh", "run") and "studio" not in block.words]
WITH_STUDIO = [block for block in BLOCKS if block.words[:3] == ("sh", "run", "studio")]


def label(block: Block) -> str:
    return f"{name(block.page)}:{block.text.splitlines()[0][:40]}"


@pytest.mark.parametrize("block", ALONE, ids=label)
def test_lines_that_need_no_studio(block: Block, desk: Desk) -> None:
    done = desk.run(block.text)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.words[:1] == ("python",)], ids=label)
def test_python_compiles(block: Block) -> None:
    compile(block.text, name(block.page), "exec")


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.words[:1] == ("json",)], ids=label)
def test_json_reads(block: Block) -> None:
    value = json.loads(block.text)
    if name(block.page) == "docs/operations.md":
        assert set(value) <= set(Metadata.model_fields)
        Metadata.model_validate(value)


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(not STARTER.exists(), reason="the starter model is not in this checkout")
def test_lines_that_need_a_studio(studio_desk: tuple[Desk, str]) -> None:
    desk, url = studio_desk
    assert WITH_STUDIO
    for block in WITH_STUDIO:
        assert ORIGIN in block.text
        done = desk.run(block.text.replace(ORIGIN, url))
        assert done.returncode == 0, f"{label(block)}: {done.stderr}"
        for file in re.findall(r"-o (\S+\.png)", block.text):
            assert (desk.folder / file).read_bytes().startswith(b"\x89PNG")
        assert "generation.succeeded" in done.stdout
