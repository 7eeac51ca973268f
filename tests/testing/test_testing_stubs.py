"""Preparing answers."""

import io
import wave
from pathlib import Path
from typing import Any

import openai
import pytest

from soundalike.fixture.matching import Match
from soundalike.testing import Answer, Soundalike
from soundalike.testing.conditions import Conditions, RequestConditions


def heard(client: openai.OpenAI, clip: bytes, name: str = "hi.wav", **fields: Any) -> Any:
    values = {"model": "whisper-1"} | fields
    return client.audio.transcriptions.create(file=(name, clip), **values)


def test_the_conditions_are_those_of_the_matching() -> None:
    assert set(RequestConditions.__annotations__) == set(Match.model_fields)
    assert set(Match.model_fields) - set(Conditions.__annotations__) == {"endpoint"}


def test_a_text(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    stub = scope.transcriptions.stub("hello world", file_name="*.wav", language="en")
    assert heard(client, clip, language="en").text == "hello world"
    assert heard(client, clip).text == "Hello there."
    assert stub.uses == 1


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_translations_have_stubs_of_their_own(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.translations.stub("good day")
    translated = client.audio.translations.create(model="whisper-1", file=("hi.wav", clip))
    assert translated.text == "good day"
    assert heard(client, clip).text == "Hello there."


def test_segments(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.transcriptions.stub(
        segments=["One.", ("Two.", 1, 1.5), {"text": "Three.", "start": 2.0, "end": 2.5}]
    )
    answer = heard(client, clip, response_format="verbose_json")
    assert [part.text.strip() for part in answer.segments] == ["One.", "Two.", "Three."]
    assert [(part.start, part.end) for part in answer.segments[1:]] == [(1, 1.5), (2, 2.5)]


def test_words(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.transcriptions.stub(words=[("Hello", 0, 0.25), ("world", 0.25, 0.5)])
    answer = heard(client, clip, response_format="verbose_json", timestamp_granularities=["word"])
    assert [(w.word, w.start, w.end) for w in answer.words] == [
        ("Hello", 0, 0.25),
        ("world", 0.25, 0.5),
    ]


def test_a_conversation(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.transcriptions.stub(conversation=[("A", "Hello?"), ("B", "Hi.", 0.5, 0.75)])
    answer = heard(client, clip, model="gpt-4o-transcribe-diarize", response_format="diarized_json")
    assert [(turn.speaker, turn.text.strip()) for turn in answer.segments] == [
        ("A", "Hello?"),
        ("B", "Hi."),
    ]
    assert (answer.segments[1].start, answer.segments[1].end) == (0.5, 0.75)


def test_a_detected_language(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.transcriptions.stub("Guten Tag", detected_language="de")
    assert heard(client, clip, response_format="verbose_json").language == "german"


def test_a_sequence(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.transcriptions.stub(
        ["one", {"segments": ["two", "and a half"]}, Answer(text="three")], times=4
    )
    said = [heard(client, clip).text for _ in range(5)]
    assert said == ["one", "two and a half", "three", "three", "Hello there."]


def test_the_newest_stub_that_matches_answers(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.transcriptions.stub("any")
    scope.transcriptions.stub("the second", model="whisper-1")
    scope.transcriptions.stub("another", model="gpt-*")
    assert heard(client, clip).text == "the second"


def test_the_duration_of_an_upload(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.transcriptions.stub("long", seconds=(10, None))
    assert heard(client, clip).text == "Hello there."
    scope.transcriptions.stub("short", seconds=(None, 10.0))
    assert heard(client, clip).text == "short"


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_recording_for_speech(
    scope: Soundalike, client: openai.OpenAI, clip: bytes, tmp_path: Path, *, as_bytes: bool
) -> None:
    path = tmp_path / "answer.wav"
    path.write_bytes(clip)
    scope.speech.stub(clip if as_bytes else path, voice="nova", text="Say *")
    spoken = client.audio.speech.create(
        model="tts-1", voice="nova", input="Say it.", response_format="wav"
    ).read()
    assert heard(client, spoken).text == "Hello there."
    with wave.open(io.BytesIO(spoken)) as file:
        assert file.getframerate() == 24_000
    assert scope.requests[0].answered_by == "stub:stub-1"


@pytest.mark.parametrize(
    ("given", "options", "text"),
    [
        ((), {}, "one of text, segments, words, conversation, and none was given"),
        (("a",), {"segments": ["b"]}, "not text and segments"),
        ((["a"],), {"detected_language": "de"}, "say detected_language within the answers"),
        (([],), {}, "answer: expected one, or a list of them"),
        ((7,), {}, "answer: expected one"),
        (("a",), {"languge": "en"}, "no condition 'languge'; did you mean 'language'"),
        (("a",), {"endpoint": "speech"}, "no condition 'endpoint'"),
        (("a",), {"model": 7}, "model: Input should be a valid string, got 7"),
        (("a",), {"times": 0}, "times: Input should be greater than or equal to 1, got 0"),
        ((), {"segments": [("a", 1)]}, "a segment is a text, its start and its end"),
        ((), {"segments": [{"txt": "a"}]}, "text: Field required"),
        ((), {"words": [("a", -1, 2)]}, "start: Input should be greater than or equal to 0"),
        ((), {"conversation": [("A",)]}, "a turn of a conversation is a speaker and a text"),
    ],
)
def test_a_wrong_stub_is_refused_at_once(
    scope: Soundalike, given: tuple[Any, ...], options: dict[str, Any], text: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        scope.transcriptions.stub(*given, **options)
    assert not scope._scope.stubs.all()


@pytest.mark.parametrize(
    ("audio", "error", "text"),
    [
        ("no-such.wav", FileNotFoundError, "there is no file"),
        (b"", ValueError, "at least one byte"),
        (b"this is a text", ValueError, "is no audio that can be decoded"),
        ([b"this is a text"], ValueError, "is no audio that can be decoded"),
        (7, TypeError, "expected one, or a list of them, got 7"),
        ([7], TypeError, "the path of a file or its bytes, got 7"),
    ],
)
def test_a_wrong_recording_is_refused_at_once(
    scope: Soundalike, audio: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        scope.speech.stub(audio)
