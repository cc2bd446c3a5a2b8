"""The gallery service's application."""

from fastapi import FastAPI

from services.gallery.endpoints import router
from services.gallery.reaper import Reaper
from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Shows pictures, and clears away what is deleted or was never committed."""
    kernel = Kernel(settings)
    storage = kernel.storage()
    reaper = Reaper(settings, storage)
    app = create_service(kernel, "gallery", [router], parts=[reaper.running], checks={"storage": storage.check})
    app.state.storage = storage
    app.state.reaper = reaper
    return app
