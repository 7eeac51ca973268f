"""`POST /v1/audio/speech` through the real application, on the stub engine."""

import base64
import json
from typing import Any

import pytest

BODY = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello there."}
TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
STARTS = {
    "mp3": bytes.fromhex("fff3c4c4"),
    "opus": b"OggS",
    "aac": bytes.fromhex("fff158"),
    "flac": b"fLaC",
    "wav": bytes.fromhex(
        "52494646ffffffff57415645666d74201000000001000100c05d000080bb00000200100064617461ffffffff"
    ),
    "pcm": b"",
}


@pytest.mark.parametrize("audio_format", TYPES)
def test_each_format_has_its_type_and_its_header(api: Any, audio_format: str) -> None:
    answer = api.post("/v1/audio/speech", json=BODY | {"response_format": audio_format})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TYPES[audio_format]
    assert "content-length" not in answer.headers
    assert answer.content.startswith(STARTS[audio_format])


def test_mp3_is_the_default(api: Any) -> None:
    assert api.post("/v1/audio/speech", json=BODY).headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize(
    "voice",
    [
        "alloy",
        "ash",
        "ballad",
        "coral",
        "echo",
        "fable",
        "nova",
        "onyx",
        "sage",
        "shimmer",
        "verse",
        "marin",
        "cedar",
    ],
)
def test_every_built_in_voice_speaks_by_name_and_by_id(api: Any, voice: str) -> None:
    by_name = api.post("/v1/audio/speech", json=BODY | {"voice": voice})
    by_id = api.post("/v1/audio/speech", json=BODY | {"voice": {"id": voice}})
    assert by_name.status_code == by_id.status_code == 200
    assert by_name.content == by_id.content


@pytest.mark.parametrize("voice", ["nobody", {"id": "nobody"}, "Alloy", ""])
@pytest.mark.parametrize("model", ["tts-1", "gpt-4o-mini-tts", "stub"])
def test_an_unknown_voice_is_refused_and_the_known_ones_are_named(
    api: Any, model: str, voice: Any
) -> None:
    answer = api.post("/v1/audio/speech", json=BODY | {"model": model, "voice": voice})
    assert answer.status_code == 400
    assert "'alloy'" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"input": ""}, "string_too_short"),
        ({"input": "a" * 4097}, "string_too_long"),
        ({"input": 7}, "string_type"),
        ({"speed": 4.1}, "less_than_equal"),
        ({"speed": 0.2}, "greater_than_equal"),
        ({"response_format": "m4a"}, "enum"),
        ({"stream_format": "ws"}, "enum"),
    ],
)
def test_what_the_specification_forbids_is_refused(
    api: Any, change: dict[str, Any], kind: str
) -> None:
    answer = api.post("/v1/audio/speech", json=BODY | change)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(f"[{{'type': '{kind}', 'loc': ('body', ")


def test_unknown_fields_are_ignored(api: Any) -> None:
    assert api.post("/v1/audio/speech", json=BODY | {"nonsense": [1]}).status_code == 200


@pytest.mark.parametrize(
    ("model", "status", "message"),
    [
        ("nope", 404, "The model `nope` does not exist or you do not have access to it."),
        ("gpt-4o", 404, "Invalid URL (POST /v1/audio/speech)"),
        ("whisper-1", 404, "Invalid URL (POST /v1/audio/speech)"),
        (None, 400, "you must provide a model parameter"),
    ],
)
def test_a_model_that_does_not_speak_is_refused(
    api: Any, model: str | None, status: int, message: str
) -> None:
    answer = api.post("/v1/audio/speech", json=BODY | {"model": model})
    assert answer.status_code == status
    assert answer.json()["error"]["message"] == message


def test_the_same_request_gives_the_same_bytes_after_a_restart(open_api: Any) -> None:
    first, second = (open_api().post("/v1/audio/speech", json=BODY).content for _ in range(2))
    assert first == second


def test_events_carry_the_same_audio_and_its_usage(api: Any) -> None:
    whole = api.post("/v1/audio/speech", json=BODY | {"response_format": "pcm"}).content
    answer = api.post(
        "/v1/audio/speech", json=BODY | {"response_format": "pcm", "stream_format": "sse"}
    )
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    frames = answer.text.split("\r\n\r\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == whole
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] == (
        done["usage"]["input_tokens"] + done["usage"]["output_tokens"]
    )
