"""Deployment facts: placeholders until they are read, one line for each that cannot be."""

from pathlib import Path

import pytest

from blueprint.rules import RuleError
from k8s_charts.facts import FILE, NEEDED, checked, load, placeholders


def test_the_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    facts = placeholders()
    (tmp_path / FILE).write_text(facts.text())
    assert load(tmp_path) == facts
    assert set(facts.placeholders) == {"account", *NEEDED}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("efs/file-system-id", "fs-xyz", "malformed"),
        ("aurora/writer-endpoint", 5, "malformed"),
        ("nonsense", "x", "no output"),
        ("vpn/address", "1.2.3.4", "read by no manifest"),
    ],
)
def test_a_fact_that_cannot_be_is_named(name: str, value: object, said: str) -> None:
    outputs = {**placeholders().outputs, name: value}
    with pytest.raises(RuleError, match=said) as raised:
        checked("123456789012", "us-east-1", outputs)  # type: ignore[arg-type]
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_account_and_region_are_checked() -> None:
    outputs = placeholders().outputs
    with pytest.raises(RuleError, match="12 digits"):
        checked("12", "us-east-1", outputs)
    with pytest.raises(RuleError, match="us-east-1, ap-northeast-2"):
        checked("123456789012", "mars-1", outputs)
    with pytest.raises(RuleError, match="is missing"):
        checked("123456789012", "us-east-1", {})


def test_what_is_no_yaml_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("a: [")
    with pytest.raises(RuleError) as raised:
        load(tmp_path)
    assert "\n" not in str(raised.value)
