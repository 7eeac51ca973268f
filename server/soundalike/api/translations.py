"""`POST /v1/audio/translations`."""

from fastapi import APIRouter, Request, Response

from soundalike.api.recognition import recognise
from soundalike.api.service import CurrentService

router = APIRouter(tags=["Audio"])


@router.post("/audio/translations", operation_id="createTranslation")
async def create_translation(request: Request, service: CurrentService) -> Response:
    """What is said in an uploaded file, in English."""
    return await recognise(request, service, "translations")
