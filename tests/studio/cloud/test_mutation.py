"""The mutation command on a small project of its own, and the real catalogue against the code as it stands."""

import shutil
import subprocess
from pathlib import Path

import pytest

from studio.cloud.mutation import CATALOGUES, Mutation, Verdict, catalogue, chosen, run
from studio.errors import StudioError, UsageError
from studio.home import PROJECT

NUMBER = "PORT = 443\nOPEN = False\n"
TEST = "from number import PORT\n\ndef test_port():\n    assert PORT == 443\n"
ENTRIES = """
[port]
promise = "the port is 443"
file = "number.py"
find = "PORT = 443"
replace = "PORT = 80"
tests = "tests/stacks/test_number.py"

[unnoticed]
promise = "it is closed"
file = "number.py"
find = "OPEN = False"
replace = "OPEN = True"
tests = "tests/stacks/test_number.py"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests" / "stacks").mkdir(parents=True)
    (tmp_path / "tests" / "blueprint").mkdir()
    (tmp_path / "tests" / "blueprint" / "test_one.py").write_text("def test_one():\n    pass\n")
    (tmp_path / "number.py").write_text(NUMBER)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\nmarkers = slow\n")
    (tmp_path / "tests" / "stacks" / "test_number.py").write_text(TEST)
    (tmp_path / CATALOGUES[0]).write_text(ENTRIES)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def test_a_promise_that_no_test_keeps_survives(project: Path) -> None:
    seen: list[Verdict] = []
    verdicts = run(catalogue(project), seen.append, project)
    told = [(one.mutation.name, one.outcome, one.by) for one in verdicts]
    assert told == [("port", "caught", "stacks/test_number.py::test_port"), ("unnoticed", "survived", "")]
    assert sorted(one.mutation.name for one in seen) == ["port", "unnoticed"]
    assert (project / "number.py").read_text() == NUMBER


def test_tests_that_fail_anyway_prove_nothing(project: Path) -> None:
    (project / "number.py").write_text(NUMBER + "PORT += 1\n")
    with pytest.raises(StudioError, match="fail as the code stands"):
        run(catalogue(project), lambda _: None, project)


def test_a_mutation_that_no_longer_fits_is_named(project: Path) -> None:
    (project / "number.py").write_text("PORT = 444\nOPEN = False\n")
    with pytest.raises(StudioError, match=r"mutation port: .* stands 0 times"):
        run(catalogue(project), lambda _: None, project)


def test_without_git_or_a_checkout_it_says_what_it_lacks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as bare:
        bare.setenv("PATH", str(project))
        with pytest.raises(UsageError, match="Git is not installed"):
            run(catalogue(project), lambda _: None, project)
    shutil.rmtree(project / ".git")
    with pytest.raises(UsageError, match="is no Git checkout"):
        run(catalogue(project), lambda _: None, project)


def test_a_name_must_be_in_the_catalogue(project: Path) -> None:
    assert [one.name for one in chosen(["unnoticed"], project)] == ["unnoticed"]
    with pytest.raises(UsageError, match="nonsense"):
        chosen(["nonsense"], project)


@pytest.mark.parametrize("mutation", catalogue(), ids=lambda one: one.name)
def test_every_mutation_fits_the_code(mutation: Mutation) -> None:
    text = (PROJECT / mutation.file).read_text()
    assert text.count(mutation.find) == 1, "mend its catalogue"
    assert mutation.find != mutation.replace
    assert (PROJECT / mutation.tests).is_file()


def test_there_are_enough_of_them() -> None:
    assert len(catalogue()) >= 25
