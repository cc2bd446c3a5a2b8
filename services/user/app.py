"""The user service: signing in, profile, API keys."""

from fastapi import FastAPI

from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings
from services.user import endpoints


def create_app(settings: Settings) -> FastAPI:
    """The application; signing in without a password exists in the environment `local` alone."""
    local = [endpoints.local_router] if settings.env == "local" else []
    kernel = Kernel(settings)
    # Sessions live in Redis: without it nobody can sign in.
    return create_service(kernel, "user", [*local, endpoints.router], checks={"redis": kernel.redis.ping})
