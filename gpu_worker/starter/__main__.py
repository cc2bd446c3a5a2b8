"""`python -m gpu_worker.starter`: train the starter model, export it, measure it, show it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "sdxl" / "pingvas-starter"
WORK = ROOT / ".data" / "starter-training"

# Without these glibc returns every large tensor to the kernel and faults it in again: a fifth of the time.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(512 << 20),
}


def train(work: Path, minutes: float) -> None:
    """Every stage in order; a stage whose result is there is skipped, the UNet goes on where it stopped."""
    from gpu_worker.starter import text, unet, vae

    if not (work / "vae.pt").exists():
        vae.train(work / "vae.pt", minutes=0.08 * minutes)
    if not (work / "vae-polished.pt").exists():
        vae.polish(work / "vae.pt", work / "vae-polished.pt", minutes=0.06 * minutes)
    if not (work / "text.pt").exists():
        text.train(work / "text.pt", minutes=0.06 * minutes)
    if not (work / "latents.pt").exists():
        unet.encode_latents(work / "latents.pt", vae.load(work / "vae.pt"))
    unet.train(work / "unet.pt", work / "latents.pt", text.load(work / "text.pt"), 0.75 * minutes)


def main() -> None:
    """Read the command line and run one command."""
    parser = argparse.ArgumentParser(prog="./pingvas starter", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train all stages (resumes), then export")
    training.add_argument("--minutes", type=float, default=100, help="for all stages together (default 100)")
    export_ = commands.add_parser("export", help="write the model folder from the newest checkpoints")
    for command in (training, export_):
        command.add_argument("--work", type=Path, default=WORK, help="where checkpoints are kept")
    measure = commands.add_parser("evaluate", help="judge 512 seeded prompts, print and write the table")
    measure.add_argument("--prompts", type=int, default=512)
    measure.add_argument("--report", type=Path, help="write the table and every miss here as JSON")
    picture = commands.add_parser("grid", help="draw the picture grid of the documentation")
    picture.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "starter-grid.png")
    for command in (training, export_, measure, picture):
        command.add_argument("--model", type=Path, default=MODEL, help="the model folder")
    options = parser.parse_args()
    if options.command == "train":
        if sys.platform == "linux" and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
            os.execve(sys.executable, [sys.executable, "-m", "gpu_worker.starter", *sys.argv[1:]], os.environ | MALLOC)  # noqa: S606 - glibc reads these at its start
        train(options.work, options.minutes)
    if options.command in {"train", "export"}:
        from gpu_worker.starter.export import export

        export(options.work, options.model)
    elif options.command == "evaluate":
        from gpu_worker.starter.evaluate import evaluate

        evaluate(options.model, options.report, options.prompts)
    else:
        from gpu_worker.starter.evaluate import grid
        from gpu_worker.starter.export import EXAMPLES

        grid(options.model, options.out, list(EXAMPLES))


if __name__ == "__main__":
    main()
