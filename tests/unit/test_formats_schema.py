"""Rendered bodies against the official OpenAPI document, and through the official SDK's types."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionStreamEvent,
    TranscriptionVerbose,
    TranslationVerbose,
)
from pydantic import TypeAdapter

from soundalike.formats import RenderOptions, ResponseFormat, render
from soundalike.formats.events import SpeechEvents, TranscriptEvents
from soundalike.transcript import Delta, Detected, Segment, TokenLogprob, Transcript, Word

Validate = Callable[[str, Any], None]

LOGPROBS = (
    TokenLogprob(" Hi", -0.1, tuple(b" Hi")),
    TokenLogprob(".", -0.00001, (46,)),
)
SEGMENT = Segment(
    *(0, 0, 0.0, 1.5, " Hi.", (50364, 2421, 13, 50439), 0.0, -0.4, 0.7, 0.01),
    words=(Word(" Hi.", 0.0, 0.4, 0.9),),
    logprobs=LOGPROBS,
)
FULL = Transcript("transcribe", "en", 1.7, (SEGMENT,))
SILENT = Transcript("transcribe", None, 1.7, ())
OPTIONS = [
    RenderOptions(),
    RenderOptions(usage="tokens", logprobs=True, prompt="a prompt"),
    RenderOptions(languages=True, granularities=frozenset({"word"})),
    RenderOptions(granularities=frozenset({"word", "segment"})),
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("transcript", [FULL, SILENT], ids=["spoken", "silent"])
@pytest.mark.parametrize(
    ("response_format", "schema", "model"),
    [
        ("json", "CreateTranscriptionResponseJson", Transcription),
        ("verbose_json", "CreateTranscriptionResponseVerboseJson", TranscriptionVerbose),
        ("diarized_json", "CreateTranscriptionResponseDiarizedJson", TranscriptionDiarized),
    ],
)
def test_transcriptions_keep_their_schema(
    validate: Validate,
    transcript: Transcript,
    options: RenderOptions,
    response_format: ResponseFormat,
    schema: str,
    model: type[Transcription | TranscriptionVerbose | TranscriptionDiarized],
) -> None:
    body = render(transcript, response_format, options).body
    validate(schema, json.loads(body))
    assert model.model_validate_json(body).text == transcript.text


def test_translations_keep_their_schema(validate: Validate) -> None:
    translated = Transcript("translate", "fr", 1.7, (SEGMENT,))
    validate("CreateTranslationResponseJson", json.loads(render(translated, "json").body))
    verbose = render(translated, "verbose_json").body
    validate("CreateTranslationResponseVerboseJson", json.loads(verbose))
    assert TranslationVerbose.model_validate_json(verbose).language == "english"


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("speakers", [False, True])
def test_transcript_events_keep_their_schema(
    validate: Validate, options: RenderOptions, *, speakers: bool
) -> None:
    events = TranscriptEvents(options, speakers=speakers)
    stream = events.feed(Detected("en", 1.7))
    stream += b"".join(events.feed(Delta(one.token, (one,))) for one in LOGPROBS)
    stream += events.feed(SEGMENT) + events.finish()
    parser: TypeAdapter[Any] = TypeAdapter(TranscriptionStreamEvent)
    lines = stream.decode().split("\r\n\r\n")[:-2]
    assert len(lines) == (2 if speakers else 3)
    for line in lines:
        event = json.loads(line.removeprefix("data: "))
        validate("CreateTranscriptionResponseStreamEvent", event)
        assert parser.validate_python(event).type == event["type"]


def test_speech_events_keep_their_schema(validate: Validate) -> None:
    events = SpeechEvents("Hello.", "Slowly.", "wav")
    stream = events.feed(b"\0" * 5000) + events.finish()
    lines = stream.decode().split("\r\n\r\n")[:-2]
    assert len(lines) == 3
    for line in lines:
        validate("CreateSpeechResponseStreamEvent", json.loads(line.removeprefix("data: ")))


def test_the_check_itself_finds_a_wrong_body(validate: Validate) -> None:
    with pytest.raises(Exception, match="required property"):
        validate("CreateTranscriptionResponseVerboseJson", {"text": "x"})
