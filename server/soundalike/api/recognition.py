"""What transcriptions and translations share: the way from a form to an answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from fastapi import Request, Response

from soundalike.api.connection import EVENT_STREAM_HEADERS, Stream, started, while_connected
from soundalike.api.errors import in_stream
from soundalike.api.form import Form, Upload, received_form
from soundalike.api.limits import charge
from soundalike.api.service import Service
from soundalike.contracts.chunking import Chunking, ServerVad
from soundalike.contracts.terms import Endpoint, TranscriptionContract
from soundalike.contracts.transcription import TranscriptionRequest, transcription_request
from soundalike.contracts.uploads import check_duration, check_file, undecodable_audio
from soundalike.contracts.validator import missing_file
from soundalike.engines.base import TranscriptionJob, VadSettings
from soundalike.errors import ApiError, UndecodableAudioError
from soundalike.formats import render
from soundalike.formats.events import TranscriptEvents, error_frame
from soundalike.observation import note_text
from soundalike.transcript import Detected, Segment, Task, Transcript, TranscriptionEvent

MAX_BODY = 25 * 2**20
"""Bytes of a whole request: the live service counts the body, not the file."""

TASKS: dict[Endpoint, Task] = {"transcriptions": "transcribe", "translations": "translate"}


async def recognise(request: Request, service: Service, endpoint: Endpoint) -> Response:
    """Answer one upload. Its file is kept as long as the answer needs it."""
    async with AsyncExitStack() as stack:
        form = await stack.enter_async_context(
            received_form(request, spool=service.spool, limit=MAX_BODY)
        )
        model = form.one("model") or ""
        charge(request, service.limiter, model)
        contract, local = service.models.find_transcription(model, endpoint)
        upload = _uploaded(form, contract)
        asked = transcription_request(contract, model, form.values(), endpoint)
        job = _job(upload, asked, TASKS[endpoint], contract.max_seconds)
        note_text("prompt", job.prompt)
        heard = service.runtime.transcribe(local, job)
        events = await stack.enter_async_context(aclosing(_checked(heard, contract, asked)))
        if not asked.stream:
            transcript = await while_connected(request, _whole(events, job.task))
            rendered = render(transcript, asked.response_format, asked.render_options(contract))
            return Response(rendered.body, headers={"content-type": rendered.media_type})
        streamed = await started(request, events)
        speakers = asked.response_format == "diarized_json"
        frames = TranscriptEvents(asked.render_options(contract), speakers=speakers)
        return Stream(_as_events(streamed, frames), EVENT_STREAM_HEADERS, stack.pop_all())


def _uploaded(form: Form, contract: TranscriptionContract) -> Upload:
    upload = form.files.get("file")
    if upload is None:
        raise missing_file()
    check_file(contract, upload.name, upload.size)
    return upload


def _job(
    upload: Upload, asked: TranscriptionRequest, task: Task, max_seconds: float | None
) -> TranscriptionJob:
    return TranscriptionJob(
        path=upload.path,
        task=task,
        language=asked.language,
        prompt=asked.prompt,
        temperature=asked.temperature,
        word_timestamps="word" in asked.granularities,
        deltas=asked.stream,
        logprobs=asked.logprobs,
        languages=asked.languages,
        keywords=asked.keywords,
        vad=_vad(asked.chunking),
        normalize_loudness=asked.chunking == "auto",
        max_seconds=max_seconds,
    )


def _vad(chunking: Chunking | None) -> VadSettings | None:
    if not isinstance(chunking, ServerVad):
        return None
    return VadSettings(chunking.threshold, chunking.prefix_padding_ms, chunking.silence_duration_ms)


async def _checked(
    events: AsyncGenerator[TranscriptionEvent],
    contract: TranscriptionContract,
    asked: TranscriptionRequest,
) -> AsyncGenerator[TranscriptionEvent]:
    """The events, if the audio is of a length that the model takes; refusals in its own words."""
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Detected):
                    check_duration(contract, event.duration, asked.chunking)
                elif isinstance(event, Segment):
                    note_text("text", event.text)
                yield event
    except UndecodableAudioError:
        if not contract.lenient:
            raise undecodable_audio(contract) from None
        yield Detected(language=None, duration=0.0)


async def _whole(events: AsyncIterator[TranscriptionEvent], task: Task) -> Transcript:
    language: str | None = None
    duration = 0.0
    segments: list[Segment] = []
    async for event in events:
        if isinstance(event, Detected):
            language, duration = event.language, event.duration
        elif isinstance(event, Segment):
            segments.append(event)
    return Transcript(task, language, duration, tuple(segments))


async def _as_events(
    events: AsyncIterator[TranscriptionEvent], frames: TranscriptEvents
) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            if data := frames.feed(event):
                yield data
        yield frames.finish()
    except ApiError as error:
        yield error_frame(in_stream(error))
