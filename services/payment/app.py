"""The payment service: plans, credits, the ledger."""

from fastapi import FastAPI

from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings
from services.payment import endpoints


def create_app(settings: Settings) -> FastAPI:
    return create_service(Kernel(settings), "payment", [endpoints.router])
