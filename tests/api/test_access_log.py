"""The access log: a record for each request, without any content unless asked for."""

import json
import logging
from typing import Any

import pytest

from soundalike.logs import JsonFormatter, TextFormatter

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello canary.", "response_format": "wav"}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Any:
    """The records of the access log so far, as JSON has them."""
    caplog.set_level(logging.DEBUG)

    def records() -> list[dict[str, Any]]:
        form = JsonFormatter(content=False).format
        lines = [form(r) for r in caplog.records if r.name == "soundalike.access"]
        return [json.loads(line) for line in lines]

    return records


def test_a_request_is_logged_with_its_outcome(open_api: Any, logged: Any) -> None:
    answer = open_api().post("/v1/audio/speech?secret=canary", json=SPEECH)
    (entry,) = logged()
    assert entry["level"] == "info"
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["method"] == "POST"
    assert entry["path"] == entry["route"] == "/v1/audio/speech"
    assert entry["model"] == "tts-1"
    assert entry["status"] == 200
    assert entry["bytes"] == len(answer.content)
    assert entry["complete"] is True
    assert entry["client"] == "testclient"
    assert 0 < entry["first_byte"] <= entry["duration"]
    assert entry["message"].startswith("POST /v1/audio/speech 200 tts-1 in ")
    assert "canary" not in json.dumps(entry)
    assert "content" not in entry


def test_what_was_asked_for_stands_in_the_line_of_text(
    open_api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    request_id = open_api().post("/v1/audio/speech", json=SPEECH).headers["x-request-id"]
    (record,) = [r for r in caplog.records if r.name == "soundalike.access"]
    line = TextFormatter(content=False).format(record)
    assert " INFO soundalike.access: POST /v1/audio/speech 200 tts-1 in 0." in line
    assert line.endswith(f" s ({request_id})")


def test_content_is_logged_where_it_is_asked_for(open_api: Any, logged: Any) -> None:
    api = open_api(log_content=True)
    speech = SPEECH | {"model": "gpt-4o-mini-tts", "instructions": "Whisper."}
    audio = api.post("/v1/audio/speech", json=speech).content
    for stream in ("false", "true"):
        api.post(
            "/v1/audio/transcriptions",
            files={"file": ("hello.wav", audio, "audio/wav")},
            data={"model": "gpt-4o-transcribe", "prompt": "A greeting.", "stream": stream},
        )
    spoken, *heard = logged()
    assert spoken["content"] == {"input": "Hello canary.", "instructions": "Whisper."}
    for entry in heard:
        assert entry["content"]["prompt"] == "A greeting."
        assert entry["content"]["text"].strip() == "Hello canary."


def test_probes_are_logged_on_debug_alone(open_api: Any, logged: Any) -> None:
    api = open_api()
    for path in ("/healthz", "/readyz", "/metrics", "/v1/models"):
        api.get(path)
    assert [entry["level"] for entry in logged()] == ["debug", "debug", "debug", "info"]


def test_a_long_name_from_a_client_is_cut(open_api: Any, logged: Any) -> None:
    api = open_api()
    api.post("/v1/audio/speech", json=SPEECH | {"model": "m" * 10_000})
    api.get("/" + "p" * 10_000)
    first, second = logged()
    assert first["model"] == "m" * 256
    assert second["path"] == "/" + "p" * 255
    assert second["route"] == "unmatched"
    assert len(first["message"]) + len(second["message"]) < 1000


def test_an_answer_that_breaks_off_is_said_to(send: Any, logged: Any) -> None:
    send("multipart/form-data; boundary=b", [b"--b\r\n"], hang_up=True)
    (entry,) = logged()
    assert entry["complete"] is False
    assert "status" not in entry
    assert " unanswered" in entry["message"]
    assert entry["message"].endswith("broken off")
