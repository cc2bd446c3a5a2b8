"""The model service: the catalogue."""

from fastapi import FastAPI

from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings
from services.model import endpoints
from services.model.service import Catalogue


def create_app(settings: Settings) -> FastAPI:
    catalogue = Catalogue(settings)
    return create_service(
        Kernel(settings),
        "model",
        [endpoints.router],
        parts=[catalogue.running],
        checks={"models": catalogue.check},
    )
