"""HTTP of the model service."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from services.kernel.db import Row
from services.kernel.http.auth import scope
from services.kernel.http.sessions import Reader, TransactionRoute
from services.model import repository, service
from services.model.schemas import Defaults, Model, Models

router = APIRouter(
    prefix="/api/v1/models", tags=["models"], route_class=TransactionRoute, dependencies=[Depends(scope("models"))]
)


@router.get("")
async def models(session: Reader) -> Models:
    """Every model, those that can be used first; the others say why they cannot."""
    return Models(items=[_model(row) for row in await repository.models(session)])


@router.get("/{name}")
async def model(name: Annotated[str, Path(max_length=100)], session: Reader) -> Model:
    """One model."""
    return _model(await service.model(session, name))


def _model(row: Row) -> Model:
    defaults = row["defaults"]
    about = {name: defaults[name] for name in Model.model_fields if name in defaults}
    shown = {name: row[name] for name in row if name != "defaults"}
    return Model(**shown, **about, defaults=Defaults(**{name: defaults[name] for name in Defaults.model_fields}))
