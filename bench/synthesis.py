"""The whole synthesis of the AWS layer against an app that only imports the same CDK modules.

Whole processes, validator off in both, interleaved; the ratio is of the medians. The aim is 1.5 at most.
"""

import ast
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from studio.cloud import toolchain
from studio.cloud.assembly import load
from studio.home import PROJECT

ROUNDS = 7
AIM = 1.5


def imports() -> str:
    """Every import of CDK that the stacks make, as one program that does nothing else."""
    lines = {"import stacks"}
    for path in sorted((PROJECT / "stacks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("aws_cdk", "constructs")):
                lines.add(f"from {node.module} import {', '.join(sorted(alias.name for alias in node.names))}")
    first, *rest = sorted(lines, key=lambda line: line != "import stacks")
    return "\n".join([first, *rest, "aws_cdk = __import__('aws_cdk')", "aws_cdk.App().synth()"])


def measure(program: list[str], outdir: str) -> float:
    context = json.dumps(json.loads((PROJECT / "cdk.json").read_text(encoding="utf-8"))["context"])
    more = {"CDK_VALIDATION": "false", "CDK_OUTDIR": outdir, "CDK_CONTEXT_JSON": context, "PYTHONPATH": str(PROJECT)}
    environment = toolchain.environment(more)
    began = time.perf_counter()
    subprocess.run(program, cwd=PROJECT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    toolchain.ready()
    with tempfile.TemporaryDirectory() as folder:
        only = Path(folder) / "only.py"
        only.write_text(imports(), encoding="utf-8")
        programs = {
            "an app that imports the same modules": [sys.executable, str(only)],
            "synthesis of every stack": [sys.executable, "app.py"],
        }
        times: dict[str, list[float]] = {name: [] for name in programs}
        for turn in range(ROUNDS + 1):
            for name, program in programs.items():
                took = measure(program, f"{folder}/{name.split()[0]}")
                if turn:  # the first fills caches
                    times[name].append(took)
        resources = sum(len(one.get("Resources", {})) for one in load(Path(folder) / "synthesis").values())
    baseline, whole = (statistics.median(one) for one in times.values())
    table = Table(title=f"Synthesis of {resources} resources, {ROUNDS} rounds, seconds a process")
    for column in ("what", "median", "least", "most"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, seconds in times.items():
        table.add_row(name, *(f"{value:.2f}" for value in (statistics.median(seconds), min(seconds), max(seconds))))
    console = Console()
    console.print(table)
    console.print(f"ratio {whole / baseline:.2f}, aim {AIM} at most")


if __name__ == "__main__":
    main()
