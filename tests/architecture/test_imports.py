"""Imports run one way, and heavy libraries are imported in one place.

A service that imported another would have to be deployed with it; a kernel that imported FastAPI would put a web
framework into every GPU pod; torch outside the worker's model code once made `--help` take eleven seconds.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprint.services import SERVICES

ROOT = Path(__file__).parents[2]
HOUSE = ("blueprint", "services", "gpu_worker", "studio", "migrations", "bench", "stacks", "k8s_charts")
HEAVY = ("torch", "diffusers", "transformers")
MODEL_CODE = ("gpu_worker/models/", "gpu_worker/starter/", "bench/")
KERNEL = "services/kernel/"


def modules() -> list[Path]:
    return sorted(path for part in HOUSE for path in (ROOT / part).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also those inside functions, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(path: str, name: str) -> bool:  # noqa: PLR0911 (one line a rule)
    top = name.split(".", maxsplit=1)[0]
    if top in HEAVY:
        return path.startswith(MODEL_CODE)
    if top in {"fastapi", "starlette"}:
        return not path.startswith((KERNEL, "gpu_worker/", "blueprint/")) or path.startswith(f"{KERNEL}http/")
    if top not in HOUSE:
        return True
    home = path.split("/", maxsplit=1)[0]
    if home == "blueprint":
        return top == "blueprint"
    if path.startswith("gpu_worker/starter/"):
        return top in ("blueprint", "gpu_worker")
    if home == "gpu_worker":
        return top in ("blueprint", "gpu_worker") or (
            name.startswith("services.kernel") and not name.startswith("services.kernel.http")
        )
    if home == "services":
        service = path.split("/")[1]
        own = () if service == "kernel" else (f"services.{service}",)
        return top == "blueprint" or name == "services" or name.startswith(("services.kernel", *own))
    if home in ("stacks", "k8s_charts"):
        return top in ("blueprint", home)
    if home == "migrations":
        return top in ("blueprint", "migrations") or name.startswith("services.kernel")
    return True


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    own = path.relative_to(ROOT).as_posix()
    wrong = sorted({name for name in imports(path) if not allowed(own, name)})
    assert not wrong, f"{own} imports {', '.join(wrong)}"


def test_the_rules_can_fail() -> None:
    assert not allowed("blueprint/plans.py", "services.kernel")
    assert not allowed("services/user/service.py", "services.payment.service")
    assert not allowed("services/kernel/db.py", "fastapi")
    assert not allowed("gpu_worker/runner.py", "services.kernel.http.app")
    assert not allowed("gpu_worker/runner.py", "services.generation.service")
    assert not allowed("studio/cli/app.py", "torch")
    assert allowed("services/user/service.py", "services.kernel.db")


def test_every_service_has_the_same_rooms() -> None:
    rooms = {"app.py", "endpoints.py", "schemas.py", "service.py", "repository.py", "errors.py"}
    for name in SERVICES:
        missing = rooms - {path.name for path in (ROOT / "services" / name).glob("*.py")}
        assert not missing, f"services/{name} lacks {', '.join(sorted(missing))}"
