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
    visibility_timeout_seconds: int = 600
    """How long Redis keeps a wake-up unacknowledged before it delivers it again. It may be shorter than a job: a
    second wake-up finds nothing to claim. Until then a killed worker's wake-up keeps KEDA from scaling to zero."""
    metrics_port: int = 9100
    models_mount: str = "/models"
    shared_mount: str = "/shared"
    model_kinds: tuple[str, ...] = ("stable-diffusion", "sdxl", "flux", "controlnet", "lora")


WORKER = GpuWorker()
QUEUE = "generations"
TASK_RENDER = "pingvas.render"
DEFAULT_MODEL = "pingvas-starter"
"""The demo model that the repository ships."""
