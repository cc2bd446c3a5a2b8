"""`python -m bench.serve ours|baseline PORT`: the two applications of `bench create`, each in a process of its own."""

import sys
from dataclasses import replace
from importlib import import_module

import uvicorn

from blueprint.plans import PLANS
from services.kernel import logs
from services.kernel.settings import Settings


def main() -> None:
    which, port = sys.argv[1], int(sys.argv[2])
    if which == "baseline":
        from bench.baseline import create_app as make

        app = make()
    else:
        from services.generation.app import create_app

        settings = Settings()
        logs.configure(settings, "generation")
        # The benchmark asks without end; a plan's bound on active jobs would answer 429 after a moment.
        boundless = {name: replace(plan, max_active=10**9) for name, plan in PLANS.items()}
        setattr(import_module("services.generation.service"), "PLANS", boundless)  # noqa: B010 (frozen on purpose)
        app = create_app(settings)
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False, log_config=None)


if __name__ == "__main__":
    main()
