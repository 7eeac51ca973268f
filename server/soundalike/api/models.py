"""`GET /v1/models`, and `GET` and `DELETE /v1/models/{id}`."""

import json
from typing import Any

from fastapi import APIRouter, Response

from soundalike.api.service import CurrentService, Service
from soundalike.errors import NotFoundError, PermissionDeniedError, shown

router = APIRouter(tags=["Models"])

NO_RIGHTS = (
    "You have insufficient permissions for this operation. Missing scopes: api.delete. Check that "
    "you have the correct role in your organization (Reader, Writer, Owner) and project (Member, "
    "Owner), and if you're using a restricted API key, that it has the necessary scopes."
)
"""Chosen: the status and the missing scope were seen for this route, the rest on other ones."""


def _indented(body: Any) -> Response:
    """As the gateway lays it out: two spaces, no newline at the end."""
    return Response(json.dumps(body, indent=2), media_type="application/json")


def _entry(service: Service, id_: str) -> dict[str, Any]:
    if (entry := service.models.entry(id_)) is None:
        raise NotFoundError(
            f"The model '{shown(id_)}' does not exist", param="model", code="model_not_found"
        )
    created, owner = entry
    return {"id": id_, "object": "model", "created": created, "owned_by": owner}


@router.get("/models", operation_id="listModels")
async def list_models(service: CurrentService) -> Response:
    """Every model: OpenAI's in the order of the contracts, then the local ones."""
    entries = [_entry(service, id_) for id_ in service.models.listing]
    return _indented({"object": "list", "data": entries})


@router.get("/models/{model:path}", operation_id="retrieveModel")
async def retrieve_model(model: str, service: CurrentService) -> Response:
    """One model."""
    return _indented(_entry(service, model))


@router.delete("/models/{model:path}", operation_id="deleteModel")
async def delete_model(model: str, service: CurrentService) -> Response:
    """Refused, as the service refuses a key without the right to it. A model that exists by the
    schema's rules alone is gone as easily as it came."""
    _entry(service, model)
    if model in service.models.listing:
        raise PermissionDeniedError(NO_RIGHTS)
    return _indented({"id": model, "object": "model", "deleted": True})
