"""What the server sends, as strict readers take it: the Python SDK with its validation of responses
switched on, and OpenAI's own schemas."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import openai
import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)

SPOKEN = "Hello there. How are you, my friend? Très bien, 谢谢!"
SPEECH = {"model": "gpt-4o-mini-tts", "voice": "cedar", "input": SPOKEN}
DEPRECATED = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""The SDK marks `translations.create` so; the endpoint is there all the same."""

WORDS: dict[str, Any] = {"timestamp_granularities": ["word", "segment"]}
LOGPROBS: dict[str, Any] = {"include": ["logprobs"]}

TRANSCRIPTIONS = [
    ("whisper-1", "json", {}, Transcription, "CreateTranscriptionResponseJson"),
    ("gpt-4o-transcribe", "json", LOGPROBS, Transcription, "CreateTranscriptionResponseJson"),
    ("gpt-transcribe", "json", LOGPROBS, Transcription, "CreateTranscriptionResponseJson"),
    *(
        ("whisper-1", "verbose_json", more, TranscriptionVerbose, schema)
        for more in ({}, WORDS)
        for schema in ["CreateTranscriptionResponseVerboseJson"]
    ),
    (
        *("gpt-4o-transcribe-diarize", "diarized_json", {}),
        *(TranscriptionDiarized, "CreateTranscriptionResponseDiarizedJson"),
    ),
]

UNKNOWN_TO_THE_SDK = {"task"}
"""Fields that the live service was seen to send and the SDK has no name for."""


@pytest.fixture(scope="module")
def strict(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    models = str(tmp_path_factory.mktemp("models"))
    with (
        serve("--engine", "stub", "--models", models) as server,
        openai.OpenAI(
            base_url=server.base_url,
            api_key="sk-test",
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def audio(strict: openai.OpenAI) -> tuple[str, bytes]:
    return "speech.mp3", strict.audio.speech.create(**SPEECH).content  # type: ignore[call-overload]


def test_strictness_finds_a_wrong_body(strict: openai.OpenAI) -> None:
    with pytest.raises(openai.APIResponseValidationError):
        strict.get("/models", cast_to=Transcription)


@pytest.mark.parametrize(("model", "response_format", "more", "kind", "schema"), TRANSCRIPTIONS)
def test_transcriptions_are_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI,
    audio: tuple[str, bytes],
    validate: Any,
    model: str,
    response_format: Any,
    more: dict[str, Any],
    kind: type[Any],
    schema: str,
) -> None:
    raw = strict.audio.transcriptions.with_raw_response.create(
        model=model, file=audio, response_format=response_format, **more
    )
    parsed: Any = raw.parse()
    assert type(parsed) is kind
    assert parsed.text == SPOKEN
    assert set(parsed.model_extra) <= UNKNOWN_TO_THE_SDK
    validate(schema, json.loads(raw.content))


def test_json_says_how_sure_the_model_is_of_each_token(
    strict: openai.OpenAI, audio: tuple[str, bytes]
) -> None:
    heard = strict.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=audio, include=["logprobs"]
    )
    assert heard.logprobs
    tokens = b"".join(bytes(map(int, token.bytes or ())) for token in heard.logprobs)
    assert tokens.decode() == SPOKEN
    assert "".join(token.token or "" for token in heard.logprobs) == SPOKEN
    assert all(token.logprob is not None and token.logprob < 0 for token in heard.logprobs)


def test_usage_is_counted_in_the_currency_of_the_model(
    strict: openai.OpenAI, audio: tuple[str, bytes]
) -> None:
    verbose = strict.audio.transcriptions.create(
        model="whisper-1", file=audio, response_format="verbose_json"
    )
    by_time = strict.audio.transcriptions.create(model="whisper-1", file=audio).usage
    assert by_time is not None
    assert by_time.type == "duration"
    assert verbose.duration <= by_time.seconds < verbose.duration + 1
    by_tokens = strict.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=audio, prompt="Friendly words."
    ).usage
    assert by_tokens is not None
    assert by_tokens.type == "tokens"
    details = by_tokens.input_token_details
    assert details is not None
    assert details.audio_tokens == int(10 * verbose.duration)
    assert (details.text_tokens or 0) > 0
    assert by_tokens.input_tokens == details.audio_tokens + (details.text_tokens or 0)
    assert by_tokens.total_tokens == by_tokens.input_tokens + by_tokens.output_tokens


def test_segments_and_words_lie_within_the_recording(
    strict: openai.OpenAI, audio: tuple[str, bytes]
) -> None:
    heard = strict.audio.transcriptions.create(
        model="whisper-1", file=audio, response_format="verbose_json", **WORDS
    )
    assert heard.language == "english"
    assert heard.segments
    assert heard.words
    assert [segment.id for segment in heard.segments] == list(range(len(heard.segments)))
    assert "".join(segment.text for segment in heard.segments).strip() == SPOKEN
    for part in (*heard.segments, *heard.words):
        assert 0 <= part.start < part.end <= heard.duration + 0.1
    for before, after in pairwise(heard.segments):
        assert before.end <= after.start
    for segment in heard.segments:
        assert segment.tokens[0] >= 50364
        assert segment.seek % 3000 == 0
        assert (segment.temperature, segment.avg_logprob < 0) == (0.0, True)
        assert 0 <= segment.no_speech_prob <= 1
        assert segment.compression_ratio > 0


@DEPRECATED
@pytest.mark.parametrize(
    ("response_format", "kind", "schema"),
    [
        ("json", Translation, "CreateTranslationResponseJson"),
        ("verbose_json", TranslationVerbose, "CreateTranslationResponseVerboseJson"),
    ],
)
def test_translations_are_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI,
    audio: tuple[str, bytes],
    validate: Any,
    response_format: Any,
    kind: type[Any],
    schema: str,
) -> None:
    raw = strict.audio.translations.with_raw_response.create(
        model="whisper-1", file=audio, response_format=response_format
    )
    parsed: Any = raw.parse()
    assert type(parsed) is kind
    assert parsed.text == SPOKEN
    assert set(parsed.model_extra) <= UNKNOWN_TO_THE_SDK
    body = json.loads(raw.content)
    assert "usage" not in body
    validate(schema, body)


@pytest.mark.parametrize("model", ["gpt-4o-transcribe", "gpt-transcribe", "stub"])
def test_transcript_events_are_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI, audio: tuple[str, bytes], validate: Any, model: str
) -> None:
    with strict.audio.transcriptions.create(
        model=model, file=audio, stream=True, include=["logprobs"]
    ) as stream:
        events: list[Any] = list(stream)
    *deltas, done = events
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text == SPOKEN
    # One token a delta; `done` repeats them all.
    assert [token.token for event in deltas for token in event.logprobs] == [
        token.token for token in done.logprobs
    ]
    assert len(deltas) == len(done.logprobs)
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    for event in events:
        assert not event.model_extra
        validate("CreateTranscriptionResponseStreamEvent", event.to_dict())


def test_diarized_events_are_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI, audio: tuple[str, bytes], validate: Any
) -> None:
    with strict.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=audio,
        stream=True,
        response_format="diarized_json",
        chunking_strategy="auto",
    ) as stream:
        events: list[Any] = list(stream)
    *segments, done = events
    assert {event.type for event in segments} == {"transcript.text.segment"}
    assert {event.speaker for event in segments} == {"A"}
    assert [event.id for event in segments] == [f"seg_{n}" for n in range(len(segments))]
    assert "".join(event.text for event in segments).strip() == done.text == SPOKEN
    for event in events:
        assert not event.model_extra
        validate("CreateTranscriptionResponseStreamEvent", event.to_dict())


@pytest.mark.parametrize("audio_format", ["mp3", "pcm"])
def test_speech_events_are_what_the_schema_expects(
    strict: openai.OpenAI, validate: Any, audio_format: Literal["mp3", "pcm"]
) -> None:
    """The SDK reads them with its own reader of events; it has no types for them."""
    with strict.post(
        "/audio/speech",
        body=SPEECH | {"stream_format": "sse", "response_format": audio_format},
        cast_to=object,
        stream=True,
        stream_cls=openai.Stream[object],
    ) as stream:
        events: list[Any] = list(stream)
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    for event in events:
        validate("CreateSpeechResponseStreamEvent", event)


def test_models_are_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI, validate: Any
) -> None:
    raw = strict.models.with_raw_response.list()
    assert raw.parse().data
    validate("ListModelsResponse", json.loads(raw.content))
    for listed in strict.models.list():
        one = strict.models.with_raw_response.retrieve(listed.id)
        assert one.parse() == listed
        validate("Model", json.loads(one.content))


def test_consents_and_voices_are_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI, audio: tuple[str, bytes], validate: Any
) -> None:
    consents = strict.audio.voice_consents
    raw = consents.with_raw_response.create(name="Jane", language="en-US", recording=audio)
    consent = raw.parse()
    validate("VoiceConsentResource", json.loads(raw.content))
    assert consents.retrieve(consent.id) == consent
    assert consents.update(consent.id, name="Mary").name == "Mary"
    listed = consents.with_raw_response.list()
    assert [one.id for one in listed.parse().data] == [consent.id]
    validate("VoiceConsentListResource", json.loads(listed.content))
    # Not parsed: the SDK wants a `type` of a voice, which the schema does not allow.
    made = strict.audio.voices.with_raw_response.create(
        name="Mary's", consent=consent.id, audio_sample=audio
    )
    validate("VoiceResource", json.loads(made.content))
    gone = consents.with_raw_response.delete(consent.id)
    assert gone.parse().deleted
    validate("VoiceConsentDeletedResource", json.loads(gone.content))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/audio/speech", {"model": "tts-1", "voice": "nobody", "input": "Hello."}),
        ("POST", "/audio/speech", {"model": "nope"}),
        ("POST", "/audio/transcriptions", {}),
        ("GET", "/models/nope", None),
        ("DELETE", "/models/whisper-1", None),
        ("GET", "/audio/voices/nope", None),
        ("POST", "/audio/foo", {}),
        ("GET", "/audio/speech", None),
    ],
)
def test_every_refusal_is_what_the_sdk_and_the_schema_expect(
    strict: openai.OpenAI, validate: Any, method: str, path: str, body: Any
) -> None:
    call = {"GET": strict.get, "POST": strict.post, "DELETE": strict.delete}[method]
    with pytest.raises(openai.APIStatusError) as caught:
        call(path, cast_to=object, **({} if body is None else {"body": body}))
    error = caught.value
    answer = error.response.json()
    validate("ErrorResponse", answer)
    assert (error.body, error.type) == (answer["error"], "invalid_request_error")
    assert {"message", "type", "param", "code"} == set(answer["error"])
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
