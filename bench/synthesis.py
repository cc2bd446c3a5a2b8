"""The whole synthesis of each layer against an app that only imports the same modules.

Whole processes, CDK's validator off, interleaved; ratios are of the medians. The aims: 1.5 at most for the AWS layer,
3 seconds at most for the Kubernetes layer.
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
RATIO = 1.5
SECONDS = 3.0


def imports(package: str, libraries: tuple[str, ...], end: str) -> str:
    """Every import of libraries that a package makes, as one program that does nothing else, and its end."""
    lines = set()
    for path in sorted((PROJECT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith(libraries):
                lines.add(f"from {node.module} import {', '.join(sorted(alias.name for alias in node.names))}")
    return "\n".join([f"import {package}", *sorted(lines), end])


def measure(program: list[str], outdir: str) -> float:
    context = json.dumps(json.loads((PROJECT / "cdk.json").read_text(encoding="utf-8"))["context"])
    more = {"CDK_VALIDATION": "false", "CDK_OUTDIR": outdir, "CDK_CONTEXT_JSON": context, "PYTHONPATH": str(PROJECT)}
    environment = toolchain.environment(more)
    began = time.perf_counter()
    subprocess.run(program, cwd=PROJECT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def interleaved(programs: dict[str, list[str]], folder: str) -> dict[str, list[float]]:
    """Seconds of each program, round by round."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(ROUNDS + 1):
        for name, program in programs.items():
            took = measure(program, f"{folder}/{name.split()[0]}")
            if turn:  # the first fills caches
                times[name].append(took)
    return times


def show(console: Console, title: str, times: dict[str, list[float]]) -> tuple[float, float]:
    """Prints the table and returns the medians, the baseline's first."""
    table = Table(title=f"{title}, {ROUNDS} rounds, seconds a process")
    for column in ("what", "median", "least", "most"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, seconds in times.items():
        table.add_row(name, *(f"{value:.2f}" for value in (statistics.median(seconds), min(seconds), max(seconds))))
    console.print(table)
    baseline, whole = (statistics.median(one) for one in times.values())
    return baseline, whole


def main() -> None:
    toolchain.ready()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        only = {name: Path(folder) / f"only_{name}.py" for name in ("stacks", "k8s_charts")}
        only["stacks"].write_text(
            imports("stacks", ("aws_cdk", "constructs"), "__import__('aws_cdk').App().synth()"), encoding="utf-8"
        )
        # k8s_charts.folder finds jsii's Node; the import of cdk8s itself follows it.
        end = "cdk8s.Testing.app()"
        only["k8s_charts"].write_text(
            "from k8s_charts.folder import cdk8s\n" + imports("k8s_charts", ("cdk8s_plus", "constructs"), end),
            encoding="utf-8",
        )
        aws = interleaved(
            {
                "an app that imports the same modules": [sys.executable, str(only["stacks"])],
                "synthesis of every stack": [sys.executable, "app.py"],
            },
            folder,
        )
        resources = sum(len(one.get("Resources", {})) for one in load(Path(folder) / "synthesis").values())
        gitops = Path(folder) / "gitops"
        kubernetes = interleaved(
            {
                "an app that imports the same modules": [sys.executable, str(only["k8s_charts"])],
                "synthesis of gitops/": [sys.executable, "-m", "k8s_charts.main", str(gitops)],
            },
            folder,
        )
        files = sum(1 for path in gitops.rglob("*") if path.is_file())
    baseline, whole = show(console, f"AWS layer, {resources} resources", aws)
    console.print(f"ratio {whole / baseline:.2f}, aim {RATIO} at most")
    baseline, whole = show(console, f"Kubernetes layer, {files} files", kubernetes)
    console.print(f"{whole:.2f} s, aim {SECONDS} at most; ratio {whole / baseline:.2f}")


if __name__ == "__main__":
    main()
