"""`POST /v1/audio/speech`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any

from fastapi import APIRouter, Request, Response

from soundalike.api.bodies import received_json
from soundalike.api.connection import EVENT_STREAM_HEADERS, Stream, started, while_connected
from soundalike.api.errors import in_stream
from soundalike.api.limits import charge
from soundalike.api.service import CurrentService, Service
from soundalike.contracts.speech import SpeechRequest, bound_voice, speech_request
from soundalike.contracts.terms import SpeechFormat
from soundalike.engines.base import SpeechJob
from soundalike.errors import ApiError
from soundalike.formats.events import SpeechEvents, error_frame
from soundalike.observation import note_text
from soundalike.store.voices import Recording

router = APIRouter(tags=["Audio"])

CONTENT_TYPES: dict[SpeechFormat, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""Observed behaviour, section 2."""


@router.post("/audio/speech", operation_id="createSpeech")
async def create_speech(request: Request, service: CurrentService) -> Response:
    """Speech, chunked, leaving while it is made; as a file, or as events with
    `stream_format=sse`."""
    async with received_json(request) as body:
        local, asked, job = await _asked(request, service, body)
    del body  # it may be large, and to speak takes long
    note_text("input", job.text)
    note_text("instructions", job.instructions)
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(aclosing(service.runtime.speak(local, job)))
        audio = await started(request, made)
        if not asked.events:
            return Stream(audio, {"content-type": CONTENT_TYPES[job.format]}, stack.pop_all())
        events = SpeechEvents(job.text, job.instructions, job.format)
        return Stream(_as_events(audio, events), EVENT_STREAM_HEADERS, stack.pop_all())


async def _asked(
    request: Request, service: Service, body: Mapping[str, Any]
) -> tuple[str, SpeechRequest, SpeechJob]:
    """Who is to speak, what was asked for, and the job that it makes."""
    text = body.get("input")
    characters = len(text) if isinstance(text, str) else 0
    charge(request, service.limiter, body.get("model") or "", characters)
    contract, local = service.models.find_speech(body.get("model"))
    capabilities = await while_connected(request, service.runtime.capabilities("speech", local))
    voices = tuple(voice.id for voice in capabilities.voices)
    custom = _custom_voice(service, body.get("voice"))
    known = (*voices, custom.id) if custom else voices
    asked = speech_request(contract, body.get("model", ""), body, known)
    job = SpeechJob(
        text=asked.input,
        voice=bound_voice(custom.name, custom.sha256, voices) if custom else asked.voice,
        format=asked.response_format,
        speed=asked.speed,
        instructions=asked.instructions,
    )
    return local, asked, job


def _custom_voice(service: Service, voice: object) -> Recording | None:
    """The stored voice that `{"id": ...}` names, if there is one."""
    id_ = voice.get("id") if isinstance(voice, Mapping) else None
    return service.voices.find(id_) if isinstance(id_, str) else None


async def _as_events(audio: AsyncIterator[bytes], events: SpeechEvents) -> AsyncIterator[bytes]:
    try:
        async for chunk in audio:
            if frames := events.feed(chunk):
                yield frames
        yield events.finish()
    except ApiError as error:
        yield error_frame(in_stream(error))
