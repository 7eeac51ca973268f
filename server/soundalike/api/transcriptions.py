"""`POST /v1/audio/transcriptions`."""

from fastapi import APIRouter, Request, Response

from soundalike.api.recognition import recognise
from soundalike.api.service import CurrentService

router = APIRouter(tags=["Audio"])


@router.post("/audio/transcriptions", operation_id="createTranscription")
async def create_transcription(request: Request, service: CurrentService) -> Response:
    """What is said in an uploaded file, in its own language; whole, or as events with
    `stream=true`."""
    return await recognise(request, service, "transcriptions")
