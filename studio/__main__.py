"""`python -m studio`: what `./pingvas` runs once the environment is there."""

import sys


def main() -> None:
    try:
        from studio.cli import run
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"pingvas: the environment lacks {error.name}. Start with ./pingvas; if this is how you did,\n"
            "delete the folder .venv and start again.\n"
        )
        sys.exit(5)
    sys.exit(run())


if __name__ == "__main__":
    main()
