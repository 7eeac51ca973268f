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
        (("a",), {"model": 7}, "'model' takes a text, not 7$"),
        (("a",), {"times": 0}, "'times' takes a whole number of at least 1, not 0$"),
        (("a",), {"seconds": (3, 1)}, "the least is more than the most"),
        (
            ("a",),
            {"seconds": float("nan")},
            "seconds.* a number or a list, not nan: it has to be finite$",
        ),
        ((), {"segments": "abc"}, "segments: expected a list, got 'abc'"),
        ((), {"conversation": ["AB"]}, "a turn of a conversation is .*, got 'AB'"),
        ((), {"conversation": [{"speaker": "A", "text": "a"}]}, "a turn of a conversation is"),
        (
            (),
            {"segments": [("a", 0, float("inf"))]},
            "'end' takes a number of at least 0, not inf: it has to be finite$",
        ),
        ((), {"segments": [("a", 2, 1)]}, "the end is before the start"),
        ((), {"words": [("a", 2, 1)]}, "the end is before the start"),
        (("\ud800",), {}, "half of a surrogate pair"),
        (("a",), {"detected_language": "klingon"}, "'language' takes a text that matches "),
        ((), {"segments": [("a", 1)]}, "a segment is a text, its start and its end"),
        ((), {"segments": [{"txt": "a"}]}, "it has no option 'txt'; did you mean 'text'"),
        ((), {"words": [("a", -1, 2)]}, "'start' takes a number of at least 0, not -1$"),
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


@pytest.mark.parametrize(
    "text",
    [
        "One. Two? Three!",
        "...and so on",
        "?!",
        "It is 1.5 m.  Not more.",
        "A line.\n\nAnother.",
        "[laughs] 日本語。テスト。",
        "",
    ],
)
def test_a_text_comes_as_it_was_given(
    scope: Soundalike, client: openai.OpenAI, clip: bytes, text: str
) -> None:
    scope.transcriptions.stub(text)
    assert heard(client, clip).text == text
    events = list(heard(client, clip, model="gpt-4o-transcribe", stream=True))
    assert events[-1].text == text
    assert "".join(event.delta for event in events[:-1]) == text


def test_a_text_has_a_segment_for_each_sentence(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.transcriptions.stub("It is 1.5 m. Really? Yes!")
    answer = heard(client, clip, response_format="verbose_json")
    assert [part.text for part in answer.segments] == [" It is 1.5 m.", " Really?", " Yes!"]
    assert answer.segments[0].start == 0
    assert answer.segments[-1].end == pytest.approx(answer.duration, abs=0.01)


def test_a_condition_is_met_by_itself(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.transcriptions.stub("found", file_name="take[1].wav", prompt="[laughs] Really?")
    assert heard(client, clip, "take[1].wav", prompt="[laughs] Really?").text == "found"


def test_of_several_files_the_one_that_is_transcribed_counts(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.transcriptions.stub("found", file_name="hi.wav", seconds=(0.1, 10))
    form = {
        "notes": ("notes.txt", b"no audio"),
        "model": (None, b"whisper-1"),
        "file": ("hi.wav", clip),
        "more": ("more.txt", b"nor this"),
    }
    answer: dict[str, Any] = client.post(
        "/audio/transcriptions",
        cast_to=dict[str, Any],
        files=form,
        options={"headers": {"content-type": "multipart/form-data"}},
    )
    assert answer["text"] == "found"
    assert scope.requests[0].body == clip


def test_times_that_are_given_are_kept(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    turns = [("A", "Shall we", 0.125, 0.5), ("B", "Please", 0.375, 0.625)]
    scope.transcriptions.stub(conversation=turns)
    answer = heard(
        client,
        clip,
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert [(part.start, part.end) for part in answer.segments] == [(0.125, 0.5), (0.375, 0.625)]


def test_words_that_are_blank_are_none(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.transcriptions.stub(words=[("hello", 0, 0.25), (" ", 0.25, 0.5), ("world", 0.5, 0.75)])
    answer = heard(client, clip, response_format="verbose_json", timestamp_granularities=["word"])
    assert answer.text == "hello world"
    assert [(word.word, word.end) for word in answer.words] == [("hello", 0.25), ("world", 0.75)]
