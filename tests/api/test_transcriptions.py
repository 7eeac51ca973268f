"""Transcriptions and translations through the real application, on the stub engine."""

import io
import json
import wave
from collections.abc import Callable
from typing import Any

import pytest

TEXT = "Hello there. How are you, my friend?\nFine — très bien, 谢谢!"
Speak = Callable[..., bytes]


@pytest.fixture
def speak(api: Any) -> Speak:
    def spoken(text: str = TEXT, response_format: str = "mp3", **fields: Any) -> bytes:
        answer = api.post(
            "/v1/audio/speech",
            json={"model": "tts-1", "voice": "alloy", "input": text}
            | {"response_format": response_format}
            | fields,
        )
        assert answer.status_code == 200, answer.text
        content: bytes = answer.content
        return content

    return spoken


def transcribe(api: Any, audio: bytes, name: str = "speech.mp3", **fields: Any) -> Any:
    endpoint = fields.pop("endpoint", "transcriptions")
    return api.post(
        f"/v1/audio/{endpoint}",
        data={"model": "whisper-1"} | fields,
        files={"file": (name, audio)},
    )


@pytest.mark.parametrize(
    ("audio_format", "name"),
    [("mp3", "a.mp3"), ("opus", "a.ogg"), ("flac", "a.flac"), ("wav", "a.wav"), ("aac", None)],
)
def test_what_was_spoken_is_heard_exactly(
    api: Any, speak: Speak, audio_format: str, name: str | None
) -> None:
    audio = speak(response_format=audio_format)
    answer = transcribe(api, audio, name or "upload")
    assert answer.status_code == 200
    assert answer.json()["text"] == TEXT


@pytest.mark.parametrize("speed", [0.25, 0.7, 1.6, 4.0])
def test_the_round_trip_is_exact_at_any_speed(api: Any, speak: Speak, speed: float) -> None:
    audio = speak("Nothing is lost, whatever the pace.", "wav", speed=speed)
    assert transcribe(api, audio).json()["text"] == "Nothing is lost, whatever the pace."


def test_two_utterances_in_one_file_are_both_heard(api: Any, speak: Speak) -> None:
    silence = bytes(2 * 24_000)
    pcm = speak("One.", "pcm") + silence + speak("Two.", "pcm")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(24_000)
        sound.writeframes(pcm)
    assert transcribe(api, file.getvalue()).json()["text"] == "One. Two."


def test_verbose_json_has_segments_or_words_as_asked_for(api: Any, speak: Speak) -> None:
    audio = speak()
    verbose = {"response_format": "verbose_json"}
    body = transcribe(api, audio, **verbose).json()
    assert body["task"] == "transcribe"
    assert body["language"] == "english"
    assert body["segments"]
    assert "words" not in body
    body = transcribe(api, audio, **verbose, **{"timestamp_granularities[]": "word"}).json()
    assert "segments" not in body
    starts = [word["start"] for word in body["words"]]
    assert starts == sorted(starts)
    assert body["words"][0]["word"] == "Hello"
    assert body["words"][-1]["end"] <= body["duration"]


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_plain_formats_are_plain_text(api: Any, speak: Speak, response_format: str) -> None:
    answer = transcribe(api, speak("Hello there."), response_format=response_format)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Hello there." in answer.text


def test_a_translation_has_no_usage(api: Any, speak: Speak) -> None:
    answer = transcribe(api, speak("Hello there."), endpoint="translations")
    assert answer.json() == {"text": "Hello there."}


def test_silence_is_an_empty_text_and_200(api: Any) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(4 * 8_000))
    answer = transcribe(api, file.getvalue(), "silence.wav")
    assert answer.status_code == 200
    assert answer.json()["text"] == ""


def test_streamed_deltas_add_up_to_the_done_text(api: Any, speak: Speak) -> None:
    answer = transcribe(api, speak(), model="gpt-4o-transcribe", stream="true")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    frames = answer.text.split("\r\n\r\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    *deltas, done = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    assert len(deltas) > 5
    assert "".join(event["delta"] for event in deltas) == done["text"] == TEXT


def test_whisper_1_ignores_stream(api: Any, speak: Speak) -> None:
    answer = transcribe(api, speak("Hello there."), stream="true")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("model", "message", "param"),
    [
        ("whisper-1", "The audio file could not be decoded or its format is not supported.", None),
        ("gpt-4o-transcribe", "Audio file might be corrupted or unsupported", "file"),
    ],
)
def test_a_file_that_is_no_audio_is_refused_in_the_models_words(
    api: Any, model: str, message: str, param: str | None
) -> None:
    answer = transcribe(api, b"this is no audio at all", model=model)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message
    assert answer.json()["error"]["param"] == param


def test_audio_that_is_too_short_is_refused(api: Any) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(2 * 1_500))
    answer = transcribe(api, file.getvalue(), "short.wav")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "audio_too_short"


def test_uploads_are_gone_when_they_are_answered(api: Any, speak: Speak) -> None:
    spool = api.app.state.service.spool
    transcribe(api, speak("Hello there."))
    transcribe(api, b"no audio")
    transcribe(api, speak("Hello there."), model="gpt-4o-transcribe", stream="true")
    transcribe(api, speak("Hello there."), model="nope")
    assert list(spool.iterdir()) == []
