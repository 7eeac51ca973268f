"""What a check finds."""

import warnings
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest

from soundalike.runtime.local import LocalRuntime
from soundalike.testing import NoRequestsWarning, Soundalike


def speak(client: openai.OpenAI, text: str = "Hello.") -> bytes:
    return client.audio.speech.create(model="tts-1", voice="alloy", input=text).read()


def test_nothing_is_wrong(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.speech.stub(clip)
    scope.fault("latency", seconds=0)
    speak(client)
    scope.check()


def test_no_request_at_all_is_warned_of(scope: Soundalike) -> None:
    with pytest.warns(NoRequestsWarning, match="OPENAI_BASE_URL"):
        scope.check()


def test_requests_that_were_forgotten_were_requests(
    scope: Soundalike, client: openai.OpenAI
) -> None:
    speak(client)
    scope.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scope.check()


def test_an_unmatched_request_of_a_strict_scope(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.speech.stub(clip, text="Good*")
    speak(client, "Good day.")
    speak(client, "Hello.")
    scope.check()  # the engine may answer
    scope.strict = True
    with pytest.raises(openai.BadRequestError, match=r"text: wanted 'Good\*', got 'Hello\.'"):
        speak(client, "Hello.")
    with pytest.raises(AssertionError) as error:
        scope.check()
    report = str(error.value)
    assert "no stub or recording answers request 3: POST /v1/audio/speech" in report
    assert "nearest is stub stub-1\n" in report
    assert "text: wanted 'Good*', got 'Hello.'" in report


def test_a_request_without_a_recording_is_told_once(
    scope: Soundalike, client: openai.OpenAI, tmp_path: Path
) -> None:
    scope.record(tmp_path / "takes", "none")
    with pytest.raises(openai.BadRequestError):
        speak(client, "Hello.")
    with pytest.raises(AssertionError) as error:
        scope.check()
    assert str(error.value).count("request 1: POST") == 1
    assert "the server failed" not in str(error.value)


def test_an_unmatched_request_without_any_stub(scope: Soundalike, client: openai.OpenAI) -> None:
    scope.strict = True
    with pytest.raises(openai.BadRequestError, match="none for this endpoint"):
        speak(client)
    with pytest.raises(AssertionError, match="there is none for its endpoint"):
        scope.check()


def test_an_unused_stub_with_the_nearest_request(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.transcriptions.stub("hello world", file_name="*.mp3", language="en")
    client.audio.transcriptions.create(model="whisper-1", file=("hi.wav", clip), language="en")
    with pytest.raises(AssertionError) as error:
        scope.check()
    report = str(error.value)
    assert "stub-1 answered nothing: transcriptions, 'hello world', with language='en', " in report
    assert "nearest is request 1: POST /v1/audio/transcriptions" in report
    assert "file_name: wanted '*.mp3', got 'hi.wav'" in report
    assert "language:" not in report


def test_an_unused_stub_of_another_endpoint(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.translations.stub(conversation=[("A", "hello"), ("B", "world")])
    speak(client)
    with pytest.raises(AssertionError, match="translations, 'hello world', with no conditions"):
        scope.check()


def test_a_stub_that_another_came_before(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.speech.stub(clip)
    scope.speech.stub(clip)
    speak(client)
    with pytest.raises(AssertionError, match="another came first for request 1"):
        scope.check()


def test_an_unused_fault(scope: Soundalike, client: openai.OpenAI) -> None:
    scope.fault("status", status=429, match={"voice": "nova"})
    scope.fault("status", status=500, skip=3)
    speak(client)
    with pytest.raises(AssertionError) as error:
        scope.check()
    report = str(error.value)
    assert "fault-1 failed nothing: status, status=429, for voice='nova'" in report
    assert "voice: wanted 'nova', got 'alloy'" in report
    assert "it let 1 pass, of 3 to skip" in report


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("statsu", {}, "No fault is called 'statsu'"),
        ("status", {"stauts": 429}, "stauts"),
        ("status", {"status": 42}, "status"),
        ("status", {"match": {"voise": "nova"}}, "no condition 'voise'; did you mean 'voice'"),
    ],
)
def test_a_wrong_fault_is_refused_at_once(
    scope: Soundalike, kind: str, options: dict[str, Any], text: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        scope.fault(kind, **options)
    assert not scope._scope.faults.all()


def test_an_answer_that_failed_by_itself(
    scope: Soundalike, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(LocalRuntime, "speak", fail)
    with pytest.raises(openai.InternalServerError):
        speak(client)
    with pytest.raises(AssertionError, match="the server failed request 1: POST /v1/audio/speech"):
        scope.check()


def test_an_answer_that_broke_off_by_itself(
    scope: Soundalike, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> AsyncGenerator[bytes]:
        yield b"some sound"
        raise RuntimeError("out of order")

    monkeypatch.setattr(LocalRuntime, "speak", fail)
    with pytest.raises(openai.APIConnectionError):
        speak(client)
    assert scope.requests[0].status == 200
    with pytest.raises(AssertionError, match="RuntimeError: out of order"):
        scope.check()


def test_a_failure_that_was_asked_for_is_none(scope: Soundalike, client: openai.OpenAI) -> None:
    scope.fault("status", status=500)
    with pytest.raises(openai.InternalServerError):
        speak(client)
    scope.check()


def test_a_report_tells_requests_and_problems(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    assert scope.report() == "no request came"
    scope.speech.stub(clip, voice="nova")
    speak(client, "long " * 50)
    lines = scope.report().splitlines()
    assert lines[0].startswith("request 1: POST /v1/audio/speech (model='tts-1', ")
    assert "..." in lines[0]
    assert lines[1].startswith("- stub-1 answered nothing: speech, audio ")
