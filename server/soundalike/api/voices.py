"""`/v1/audio/voices`: custom voices.

The specification only creates them, and the official SDKs delete them too; how they are listed and
shown is chosen after the schemas for consents. A custom voice does not sound like its sample: a
local voice speaks for it.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from soundalike.api.recordings import (
    created_at,
    kept,
    known_recording,
    listed,
    page_size,
    received_recording,
)
from soundalike.api.service import CurrentService, Service
from soundalike.api.voice_consents import known_consent
from soundalike.store.voices import Recording

router = APIRouter(tags=["Audio"])

OBJECT = "audio.voice"


@router.post("/audio/voices", operation_id="createVoice")
async def create_voice(request: Request, service: CurrentService) -> Response:
    """Make a voice of a sample, with the consent of whoever speaks in it."""
    async with received_recording(request, service, "audio_sample", ("name", "consent")) as sent:
        consent = known_consent(service, sent.fields["consent"])
        voice = await kept(service.voices, sent, consent=consent.id)
    return JSONResponse(_resource(voice))


@router.get("/audio/voices", operation_id="listVoices")
def list_voices(service: CurrentService, after: str | None = None, limit: str = "20") -> Response:
    """The custom voices, the newest first."""
    size = page_size(service, limit)
    cursor = _known_voice(service, after) if after else None
    return listed(service.voices.page(size, cursor), _resource)


@router.get("/audio/voices/{voice_id}", operation_id="getVoice")
def get_voice(voice_id: str, service: CurrentService) -> Response:
    """One custom voice."""
    return JSONResponse(_resource(_known_voice(service, voice_id)))


@router.delete("/audio/voices/{voice_id}", operation_id="deleteVoice")
def delete_voice(voice_id: str, service: CurrentService) -> Response:
    """Drop a custom voice and its sample."""
    service.voices.remove(_known_voice(service, voice_id))
    return JSONResponse({"object": f"{OBJECT}.deleted", "id": voice_id, "deleted": True})


def _known_voice(service: Service, voice_id: str) -> Recording:
    return known_recording(service, service.voices, "voice", voice_id)


def _resource(voice: Recording) -> dict[str, Any]:
    return {
        "object": OBJECT,
        "id": voice.id,
        "name": voice.name,
        "created_at": created_at(voice),
    }
