"""YAML as it is committed: stable order, long texts as blocks, no anchors, so that one number is one line of a diff."""

from typing import Any

import yaml

HEADER = "# Written by `./pingvas synth` from blueprint/ and k8s_charts/; change those and synthesize again.\n"


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.CSafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _string)


def document(value: Any, *, header: bool = True) -> str:
    """One value as a YAML document, with the header that says where it comes from unless it lies within another."""
    return (HEADER if header else "") + yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True
    )
