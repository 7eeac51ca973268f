"""`/v1/audio/voice_consents`: recordings that allow custom voices to be made."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from soundalike.api.bodies import MAX_JSON, received_json
from soundalike.api.recordings import (
    created_at,
    kept,
    known_recording,
    listed,
    page_size,
    received_recording,
)
from soundalike.api.service import CurrentService, Service
from soundalike.contracts.validator import fault, string_fault, validator_error
from soundalike.store.voices import Recording

router = APIRouter(tags=["Audio"])

OBJECT = "audio.voice_consent"


@router.post("/audio/voice_consents", operation_id="createVoiceConsent")
async def create_voice_consent(request: Request, service: CurrentService) -> Response:
    """Keep a consent that somebody recorded."""
    async with received_recording(request, service, "recording", ("name", "language")) as sent:
        consent = await kept(service.consents, sent, language=sent.fields["language"])
    return JSONResponse(_resource(consent))


@router.get("/audio/voice_consents", operation_id="listVoiceConsents")
def list_voice_consents(
    service: CurrentService, after: str | None = None, limit: str = "20"
) -> Response:
    """The consents, the newest first."""
    size = page_size(service, limit)
    cursor = known_consent(service, after) if after else None
    return listed(service.consents.page(size, cursor), _resource)


@router.get("/audio/voice_consents/{consent_id}", operation_id="getVoiceConsent")
def get_voice_consent(consent_id: str, service: CurrentService) -> Response:
    """One consent."""
    return JSONResponse(_resource(known_consent(service, consent_id)))


@router.post("/audio/voice_consents/{consent_id}", operation_id="updateVoiceConsent")
async def update_voice_consent(
    consent_id: str, request: Request, service: CurrentService
) -> Response:
    """Give a consent another name; its recording stays."""
    async with received_json(request) as body:
        consent = known_consent(service, consent_id)
        if "name" not in body:
            raise validator_error([fault("missing", "name", "Field required")])
        if wrong := string_fault("name", body["name"], MAX_JSON):
            raise validator_error([wrong])
        return JSONResponse(_resource(service.consents.rename(consent, body["name"])))


@router.delete("/audio/voice_consents/{consent_id}", operation_id="deleteVoiceConsent")
def delete_voice_consent(consent_id: str, service: CurrentService) -> Response:
    """Drop a consent and its recording. Voices that were made with it stay."""
    service.consents.remove(known_consent(service, consent_id))
    return JSONResponse({"object": OBJECT, "id": consent_id, "deleted": True})


def known_consent(service: Service, consent_id: str) -> Recording:
    """The consent that a client names.

    Raises:
        NotFoundError: there is none.
    """
    return known_recording(service, service.consents, "voice consent", consent_id)


def _resource(consent: Recording) -> dict[str, Any]:
    return {
        "object": OBJECT,
        "id": consent.id,
        "name": consent.name,
        "language": consent.language,
        "created_at": created_at(consent),
    }
