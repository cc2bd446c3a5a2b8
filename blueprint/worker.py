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
    visibility_timeout_seconds: int = 120
    """How long Redis keeps a wake-up unacknowledged that its worker says nothing of, before it delivers it again. A
    busy worker says so with each sign of life, so a job may take longer: delivered again, its wake-up would be taken by
    an idle worker, and KEDA would count nobody who works. Until then a killed worker's wake-up keeps KEDA from scaling
    to zero; a Redis that fails over is away for less."""
    metrics_port: int = 9100
    unavailable: str = "25%"
    """How many workers a rollout takes away at once. It adds none before: there is no GPU to spare."""
    progress_seconds: int = 900
    """How long a rollout may make no progress: a cold start, three times over, while Spot has no capacity."""
    startup_seconds: int = 300
    """Importing torch and loading the default model, until the first sign of life."""
    startup_probe_seconds: int = 5
    """Until its first success a pod is not Ready, and what is not Ready is the first to be scaled in."""
    probe_seconds: int = 15
    probe_timeout_seconds: int = 10
    """The probe starts Python beside a rendering worker; alone it takes half a second."""
    probe_failures: int = 3
    scratch_mib: int = 2048
    """For temporary files, on the node's disk."""
    shared_memory_mib: int = 512
    """Of POSIX shared memory; what is used of it counts against the pod's limit."""
    token_seconds: int = 600
    """Life of the token for the Kubernetes API, which the kubelet renews; the least that there may be."""
    models_mount: str = "/models"
    shared_mount: str = "/shared"
    model_kinds: tuple[str, ...] = ("stable-diffusion", "sdxl", "flux", "controlnet", "lora")


WORKER = GpuWorker()
QUEUE = "generations"
TASK_RENDER = "pingvas.render"
GPU_RESOURCE = "nvidia.com/gpu"
"""What NVIDIA's device plugin announces."""
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BUSY = (DO_NOT_DISRUPT, DELETION_COST)
"""Annotations of a worker's own pod while it renders: keep my node, take others first."""
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its token, the API server's authority and its namespace."""
DEFAULT_MODEL = "pingvas-starter"
"""The demo model that the repository ships."""
