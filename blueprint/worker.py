"""The GPU worker: its pod, its Celery settings and its models' place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuWorker:
    """Requests and limits of one worker pod and the seconds it gets to end well."""

    cpu: float = 2.0
    memory_gib: int = 12
    gpu: int = 1
    grace_seconds: int = 100
    """terminationGracePeriodSeconds; a Spot notice leaves 120 seconds."""
    soft_shutdown_seconds: int = 60
    """Celery's soft shutdown, below the grace: the job is handed back at its next step, long before."""
    visibility_timeout_seconds: int = 3600
    """How long Redis keeps a message unacknowledged before it is delivered again; above any job's length."""
    metrics_port: int = 9100
    models_mount: str = "/models"
    shared_mount: str = "/shared"
    model_kinds: tuple[str, ...] = ("stable-diffusion", "sdxl", "flux", "controlnet", "lora")


WORKER = GpuWorker()
QUEUE = "generations"
TASK_RENDER = "pingvas.render"
DEFAULT_MODEL = "pingvas-starter"
"""The demo model that the repository ships."""
