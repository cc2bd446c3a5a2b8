"""Prometheus metrics, their names in one place; a registry a process, so that five services can share one."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RENDER_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)


class HttpMetrics:
    """What every service counts of its requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "http_requests_total", "HTTP requests", ("method", "route", "status"), registry=registry
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time to the response's start",
            ("method", "route"),
            buckets=SECONDS,
            registry=registry,
        )


class QueueMetrics:
    """What the generation service knows of the queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "generation_requests_total", "Accepted generations", ("model", "plan"), registry=registry
        )
        self.length = Gauge("queue_length", "Generations that wait for a worker", registry=registry)
        self.republished = Counter("queue_republished_total", "Wake-ups that were sent again", registry=registry)
        self.expired = Counter("job_leases_expired_total", "Jobs whose worker fell silent", registry=registry)


class CensusMetrics:
    """What is known of all users together. Each replica of the generation service tells the same: take the maximum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.users = Gauge("users_registered", "Users", ("plan",), registry=registry)
        self.active = Gauge("users_active", "Who asked for a picture in so many days", ("days",), registry=registry)
        self.balance = Gauge("credits_balance", "Credits that users own", ("plan",), registry=registry)
        self.held = Gauge("credits_held", "Credits set aside for unfinished jobs", ("plan",), registry=registry)


class WorkerMetrics:
    """What a worker measures of the jobs it ends."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "generation_duration_seconds",
            "From claim to the end of the job",
            ("model", "status"),
            buckets=RENDER_SECONDS,
            registry=registry,
        )
        self.waited = Histogram(
            "generation_queue_wait_seconds", "From acceptance to the claim", buckets=RENDER_SECONDS, registry=registry
        )
        self.credits = Counter("credits_consumed_total", "Credits charged", ("model",), registry=registry)
        self.images = Counter("images_generated_total", "Images committed", ("model",), registry=registry)
