"""`GET /v1/models` and `GET /v1/models/{id}`."""

import json
from typing import Any

from fastapi import APIRouter, Response

from soundalike.api.service import CurrentService, Service
from soundalike.errors import NotFoundError

router = APIRouter(tags=["Models"])


def _indented(body: Any) -> Response:
    """As the gateway lays it out: two spaces, no newline at the end."""
    return Response(json.dumps(body, indent=2), media_type="application/json")


def _entry(service: Service, id_: str) -> dict[str, Any]:
    created, owner = service.models.listing[id_]
    return {"id": id_, "object": "model", "created": created, "owned_by": owner}


@router.get("/models", operation_id="listModels")
async def list_models(service: CurrentService) -> Response:
    entries = [_entry(service, id_) for id_ in service.models.listing]
    return _indented({"object": "list", "data": entries})


@router.get("/models/{model:path}", operation_id="retrieveModel")
async def retrieve_model(model: str, service: CurrentService) -> Response:
    if model not in service.models.listing:
        raise NotFoundError(
            f"The model '{model}' does not exist", param="model", code="model_not_found"
        )
    return _indented(_entry(service, model))
