"""What the server sends, as strict readers take it: the Python SDK with its validation of responses
switched on, and OpenAI's own schemas."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

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

LOGPROBS: dict[str, Any] = {"include": ["logprobs"]}
WORDS: dict[str, Any] = {
    "response_format": "verbose_json",
    "timestamp_granularities": ["word", "segment"],
}
SPEAKERS: dict[str, Any] = {"response_format": "diarized_json", "chunking_strategy": "auto"}
JSON_SCHEMA = "CreateTranscriptionResponseJson"
VERBOSE_SCHEMA = "CreateTranscriptionResponseVerboseJson"
DIARIZED_SCHEMA = "CreateTranscriptionResponseDiarizedJson"

TRANSCRIPTIONS = pytest.mark.parametrize(
    ("model", "asked", "kind", "schema"),
    [
        ("whisper-1", {}, Transcription, JSON_SCHEMA),
        ("gpt-4o-transcribe", LOGPROBS, Transcription, JSON_SCHEMA),
        ("gpt-transcribe", LOGPROBS, Transcription, JSON_SCHEMA),
        ("whisper-1", {"response_format": "verbose_json"}, TranscriptionVerbose, VERBOSE_SCHEMA),
        ("whisper-1", WORDS, TranscriptionVerbose, VERBOSE_SCHEMA),
        ("gpt-4o-transcribe-diarize", SPEAKERS, TranscriptionDiarized, DIARIZED_SCHEMA),
    ],
)
TRANSLATIONS = pytest.mark.parametrize(
    ("response_format", "kind", "schema"),
    [
        ("json", Translation, "CreateTranslationResponseJson"),
        ("verbose_json", TranslationVerbose, "CreateTranslationResponseVerboseJson"),
    ],
)
STREAMS = pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("gpt-4o-transcribe", LOGPROBS),
        ("gpt-transcribe", LOGPROBS),
        ("gpt-4o-transcribe-diarize", SPEAKERS),
        ("stub", {}),
    ],
)

UNKNOWN_TO_THE_SDK = {"task"}
"""Fields that the live service was seen to send and the SDK has no name for."""

Sound = tuple[str, bytes]


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
def audio(strict: openai.OpenAI) -> Sound:
    return "speech.mp3", strict.post("/audio/speech", body=SPEECH, cast_to=bytes)


def transcribed(strict: openai.OpenAI, audio: Sound, model: str, **asked: Any) -> Any:
    """The raw answer, which the SDK parses when told to."""
    return strict.audio.transcriptions.with_raw_response.create(model=model, file=audio, **asked)


def translated(strict: openai.OpenAI, audio: Sound, response_format: Any) -> Any:
    return strict.audio.translations.with_raw_response.create(
        model="whisper-1", file=audio, response_format=response_format
    )


def transcript_events(strict: openai.OpenAI, audio: Sound, model: str, **asked: Any) -> list[Any]:
    with strict.audio.transcriptions.create(
        model=model, file=audio, stream=True, **asked
    ) as stream:
        return list(stream)


def speech_events(strict: openai.OpenAI) -> list[Any]:
    """Through the SDK's own reader of events. It has no types for these."""
    with strict.post(
        "/audio/speech",
        cast_to=object,
        body=SPEECH | {"stream_format": "sse", "response_format": "pcm"},
        stream=True,
        stream_cls=openai.Stream[object],
    ) as stream:
        return list(stream)


# As the SDK reads them ---------------------------------------------------------------------------


def test_strictness_finds_a_wrong_body(strict: openai.OpenAI) -> None:
    with pytest.raises(openai.APIResponseValidationError):
        strict.get("/models", cast_to=Transcription)


@TRANSCRIPTIONS
def test_the_sdk_knows_every_transcription(
    strict: openai.OpenAI, audio: Sound, model: str, asked: Any, kind: type[Any], schema: str
) -> None:
    parsed = transcribed(strict, audio, model, **asked).parse()
    assert type(parsed) is kind
    assert parsed.text == SPOKEN
    assert set(parsed.model_extra) <= UNKNOWN_TO_THE_SDK


@DEPRECATED
@TRANSLATIONS
def test_the_sdk_knows_every_translation(
    strict: openai.OpenAI, audio: Sound, response_format: str, kind: type[Any], schema: str
) -> None:
    parsed = translated(strict, audio, response_format).parse()
    assert type(parsed) is kind
    assert parsed.text == SPOKEN
    assert set(parsed.model_extra) <= UNKNOWN_TO_THE_SDK


@STREAMS
def test_the_sdk_knows_every_event_of_a_transcription(
    strict: openai.OpenAI, audio: Sound, model: str, asked: Any
) -> None:
    *others, done = transcript_events(strict, audio, model, **asked)
    assert done.type == "transcript.text.done"
    assert done.text == SPOKEN
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    assert not any(event.model_extra for event in (*others, done))


def test_one_token_a_delta_and_all_of_them_at_the_end(strict: openai.OpenAI, audio: Sound) -> None:
    *deltas, done = transcript_events(strict, audio, "gpt-4o-transcribe", **LOGPROBS)
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert "".join(event.delta for event in deltas) == SPOKEN
    assert [token.to_dict() for event in deltas for token in event.logprobs] == [
        token.to_dict() for token in done.logprobs
    ]
    assert len(deltas) == len(done.logprobs)


def test_speakers_come_as_segments(strict: openai.OpenAI, audio: Sound) -> None:
    *segments, done = transcript_events(strict, audio, "gpt-4o-transcribe-diarize", **SPEAKERS)
    assert {event.type for event in segments} == {"transcript.text.segment"}
    assert [event.id for event in segments] == [f"seg_{n}" for n in range(len(segments))]
    assert {event.speaker for event in segments} == {"A"}
    assert "".join(event.text for event in segments).strip() == done.text
    assert all(event.start < event.end for event in segments)


def test_speech_comes_as_events(strict: openai.OpenAI) -> None:
    *deltas, done = speech_events(strict)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"


def test_json_says_how_sure_the_model_is_of_each_token(strict: openai.OpenAI, audio: Sound) -> None:
    heard = transcribed(strict, audio, "gpt-4o-transcribe", **LOGPROBS).parse()
    assert "".join(token.token for token in heard.logprobs) == SPOKEN
    assert b"".join(bytes(map(int, token.bytes)) for token in heard.logprobs).decode() == SPOKEN
    assert all(token.logprob < 0 for token in heard.logprobs)


def test_usage_is_counted_in_the_currency_of_the_model(strict: openai.OpenAI, audio: Sound) -> None:
    verbose = transcribed(strict, audio, "whisper-1", **WORDS).parse()
    assert (verbose.usage.type, verbose.usage.seconds) == ("duration", -(-verbose.duration // 1))
    brief = transcribed(strict, audio, "whisper-1").parse()
    assert brief.usage.to_dict() == verbose.usage.to_dict()
    usage = transcribed(strict, audio, "gpt-4o-transcribe", prompt="Friendly words.").parse().usage
    assert usage.type == "tokens"
    details = usage.input_token_details
    assert details.audio_tokens == int(10 * verbose.duration)
    assert details.text_tokens > 0
    assert usage.input_tokens == details.audio_tokens + details.text_tokens
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_segments_and_words_lie_within_the_recording(strict: openai.OpenAI, audio: Sound) -> None:
    heard = transcribed(strict, audio, "whisper-1", **WORDS).parse()
    assert heard.language == "english"
    assert [segment.id for segment in heard.segments] == list(range(len(heard.segments)))
    assert "".join(segment.text for segment in heard.segments).strip() == SPOKEN
    assert [word.word for word in heard.words][:3] == ["Hello", "there", "How"]
    for part in (*heard.segments, *heard.words):
        assert 0 <= part.start < part.end <= heard.duration + 0.1
    for before, after in pairwise(heard.segments):
        assert before.end <= after.start
    for segment in heard.segments:
        assert segment.tokens[0] >= 50364  # Whisper's first time stamp
        assert segment.seek % 3000 == 0
        assert segment.temperature == 0
        assert segment.avg_logprob < 0
        assert segment.compression_ratio > 0
        assert 0 <= segment.no_speech_prob <= 1


def test_the_sdk_knows_models_and_consents(strict: openai.OpenAI, audio: Sound) -> None:
    for listed in strict.models.list():
        assert strict.models.retrieve(listed.id) == listed
    consents = strict.audio.voice_consents
    consent = consents.create(name="Jane", language="en-US", recording=audio)
    assert consents.retrieve(consent.id) == consent
    assert consents.update(consent.id, name="Mary").name == "Mary"
    assert [one.name for one in consents.list()] == ["Mary"]
    assert consents.delete(consent.id).deleted
    assert list(consents.list()) == []


def test_the_sdk_knows_a_deleted_voice(strict: openai.OpenAI, audio: Sound) -> None:
    consent = strict.audio.voice_consents.create(name="Jane", language="en", recording=audio)
    # Not parsed: the SDK, which is newer than the schema, wants a `type` of a voice.
    made = strict.audio.voices.with_raw_response.create(
        name="Jane", consent=consent.id, audio_sample=audio
    )
    assert strict.audio.voices.delete(json.loads(made.content)["id"]).deleted
    strict.audio.voice_consents.delete(consent.id)


# As the official schemas say ---------------------------------------------------------------------


@TRANSCRIPTIONS
def test_transcriptions_keep_the_official_schema(
    strict: openai.OpenAI,
    audio: Sound,
    validate: Any,
    model: str,
    asked: Any,
    kind: type[Any],
    schema: str,
) -> None:
    validate(schema, json.loads(transcribed(strict, audio, model, **asked).content))


@DEPRECATED
@TRANSLATIONS
def test_translations_keep_the_official_schema(
    strict: openai.OpenAI,
    audio: Sound,
    validate: Any,
    response_format: str,
    kind: type[Any],
    schema: str,
) -> None:
    body = json.loads(translated(strict, audio, response_format).content)
    validate(schema, body)
    assert "usage" not in body


@STREAMS
def test_events_of_a_transcription_keep_the_official_schema(
    strict: openai.OpenAI, audio: Sound, validate: Any, model: str, asked: Any
) -> None:
    events = transcript_events(strict, audio, model, **asked)
    assert events
    for event in events:
        validate("CreateTranscriptionResponseStreamEvent", event.to_dict())


def test_events_of_speech_keep_the_official_schema(strict: openai.OpenAI, validate: Any) -> None:
    events = speech_events(strict)
    assert events
    for event in events:
        validate("CreateSpeechResponseStreamEvent", event)


def test_models_keep_the_official_schema(strict: openai.OpenAI, validate: Any) -> None:
    validate("ListModelsResponse", json.loads(strict.models.with_raw_response.list().content))
    one = strict.models.with_raw_response.retrieve("whisper-1")
    validate("Model", json.loads(one.content))


def test_consents_and_voices_keep_the_official_schema(
    strict: openai.OpenAI, audio: Sound, validate: Any
) -> None:
    consents = strict.audio.voice_consents.with_raw_response
    made = json.loads(consents.create(name="Jane", language="en-US", recording=audio).content)
    validate("VoiceConsentResource", made)
    validate("VoiceConsentListResource", json.loads(consents.list().content))
    voice = strict.audio.voices.with_raw_response.create(
        name="Jane", consent=made["id"], audio_sample=audio
    )
    validate("VoiceResource", json.loads(voice.content))
    validate("VoiceConsentDeletedResource", json.loads(consents.delete(made["id"]).content))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/audio/speech", {"model": "tts-1", "voice": "nobody", "input": "Hello."}),
        ("POST", "/audio/speech", {"model": "nope"}),
        ("POST", "/audio/transcriptions", {}),
        ("GET", "/models/nope", {}),
        ("DELETE", "/models/whisper-1", {}),
        ("GET", "/audio/voices/nope", {}),
        ("POST", "/audio/foo", {}),
        ("GET", "/audio/speech", {}),
    ],
)
def test_refusals_keep_the_official_schema(
    strict: openai.OpenAI, validate: Any, method: str, path: str, body: Any
) -> None:
    options = {} if method == "GET" else {"body": body}
    with pytest.raises(openai.APIStatusError) as caught:
        getattr(strict, method.lower())(path, cast_to=object, **options)
    answer = caught.value.response.json()
    validate("ErrorResponse", answer)
    assert list(answer["error"]) == ["message", "type", "param", "code"]
    assert caught.value.body == answer["error"]
