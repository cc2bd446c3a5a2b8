"""`python -m gpu_worker` runs a worker; `python -m gpu_worker health` says by its exit code whether it consumes."""

import sys

from pydantic import ValidationError

from services.kernel.settings import SettingMissingError, Settings

EX_CONFIG = 78


def main(arguments: list[str]) -> int:
    """Runs what the arguments ask for and returns the exit code."""
    try:
        settings = Settings()
        if arguments == ["health"]:
            from gpu_worker.presence import healthy

            return 0 if healthy(settings) else 1
        if arguments not in ([], ["worker"]):
            sys.stderr.write(f"{__doc__}\n")
            return 2
        settings.require("database_worker_url")
        return _work(settings)
    except (ValidationError, SettingMissingError) as error:
        sys.stderr.write(f"gpu-worker: {error}\n")
        return EX_CONFIG


def _work(settings: Settings) -> int:
    from gpu_worker.app import create_app

    app = create_app(settings)
    worker = app.Worker(
        pool=app.conf.worker_pool,
        concurrency=1,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
