"""`generate`: a prompt in, a picture out."""

import os
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import note, result, result_json, stderr, warn
from studio.errors import Exit, StudioError, UsageError

if TYPE_CHECKING:
    from studio.client import Client, Json


def register(app: typer.Typer) -> None:
    app.command()(generate)


def generate(
    prompt: Annotated[str, typer.Argument(help="What the picture shows.", show_default=False)],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; several get -1, -2 ... before the ending.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels, or one number for a square.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; more is slower and finer.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed and request give the same picture.")] = None,
    negative: Annotated[str, typer.Option(help="What the picture should not show.")] = "",
    n: Annotated[int, typer.Option("--n", "-n", help="How many pictures.")] = 1,
    model: Annotated[str | None, typer.Option(help="A model of the catalogue, `/api/v1/models`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the generation as JSON.")] = False,
) -> None:
    """Draw a picture and print its file and its seed.

    Starts the studio in the background if none runs. Ctrl-C stops the job and costs nothing.

    \b
    Examples:
      ./pingvas generate "a red circle on a blue background" -o out.png
      ./pingvas generate "a small yellow star" --size 128x128 --seed 7 --n 4
    """
    _check_request(prompt, n, steps)
    request = {"prompt": prompt, "n": n} | (_sides(size) if size is not None else {})
    chosen = {"steps": steps, "seed": seed, "negative_prompt": negative or None, "model": model}
    request |= {name: value for name, value in chosen.items() if value is not None}
    _check_output(output)
    from studio.client import Client
    from studio.home import find_home
    from studio.state import running

    home = find_home()
    state = running(home)
    if state is None or not state.ready:
        from studio import background

        note(
            "A studio is starting here: waiting for it."
            if state
            else "No studio runs yet: starting one in the background. `./pingvas down` ends it."
        )
        state = background.join(home)
        note(f"Studio ready at {state.url} ({state.start_seconds:.1f} s).")
        for one in state.unready:
            warn(f"{one}.")

    def why() -> str:
        from studio.background import why_ended

        return why_ended(home)

    with Client(state.url, gone=lambda: running(home) is None, why=why) as client:
        made = client.create(request, key=str(uuid.uuid4()))
        for warning in made["warnings"]:
            warn(warning)
        try:
            _watch(client, made)
        except KeyboardInterrupt:
            client.cancel(made["id"])
            note("Stopped; nothing is charged for it.")
            raise typer.Exit(Exit.INTERRUPTED) from None
        done = client.generation(made["id"])
        files = _save(client, done, output)
    if as_json:
        result_json({**done, "files": [str(path) for path, _ in files]})
        return
    for path, used in files:
        result(f"{path}  seed {used}")


def _check_request(prompt: str, n: int, steps: int | None) -> None:
    """What needs no studio to be refused; everything else is the service's to say. Raises UsageError."""
    if not prompt.strip():
        raise UsageError(
            "The prompt is empty.", advice='Say what to draw: ./pingvas generate "a red circle on a blue background"'
        )
    for option, value in (("--n", n), ("--steps", steps)):
        if value is not None and value < 1:
            raise UsageError(f"{option} {value} is less than 1.", advice=f"For example {option} 4.")


def _sides(size: str) -> dict[str, int]:
    found = re.fullmatch(r"(\d{1,5})(?:[xX×](\d{1,5}))?", size.strip())
    if found is None:
        raise UsageError(f"--size {size!r} is not WIDTHxHEIGHT.", advice="For example --size 128x128.")
    sides = {"width": int(found[1]), "height": int(found[2] or found[1])}
    if not all(sides.values()):
        raise UsageError(f"--size {size!r} is a picture without pixels.", advice="For example --size 128x128.")
    return sides


def _check_output(output: Path | None) -> None:
    """Before anything is drawn and charged. Raises UsageError."""
    path = output or Path("picture.png")
    folder = path.parent
    if path.suffix.lower() not in (".png", ""):
        raise UsageError(f"Pictures are PNG, and {path.name} names another kind.", advice="For example -o out.png.")
    if output is not None and path.is_dir():
        raise UsageError(f"{path} is a folder.", advice=f"Name a file in it: -o {path}/out.png")
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", advice="Make it first, or choose another place with -o.")
    place = path if output is not None and path.exists() else folder
    if not os.access(place, os.W_OK):
        raise UsageError(f"{place.absolute()} cannot be written.", advice="Choose another place with -o.")


def _watch(client: "Client", made: "Json") -> None:
    """Shows the way to the end of a generation. Raises StudioError where it ends without a picture."""
    console = stderr()
    if console.is_terminal:
        from studio.cli.progress import live

        last = live(console, client.follow(made["id"]))
    else:
        from studio.cli.progress import plain

        last = plain(client.follow(made["id"]))
    if last["status"] == "failed":
        error = last.get("error") or {}
        raise StudioError(
            f"The generation failed: {error.get('message', 'no reason was given')}",
            advice="Nothing was charged. `./pingvas logs worker` says more.",
        )
    if last["status"] == "canceled":
        raise StudioError("The generation was canceled; nothing was charged.")


def _save(client: "Client", done: "Json", output: Path | None) -> list[tuple[Path, int]]:
    images = done["images"]
    saved = []
    for place, image in enumerate(images, start=1):
        path = output if output is not None else Path(f"pingvas-{image['seed']}.png")
        if output is not None and len(images) > 1:
            path = output.with_stem(f"{output.stem}-{place}")
        path.write_bytes(client.picture(image["url"]))
        saved.append((path, image["seed"]))
    return saved
