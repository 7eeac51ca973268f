"""Errors as an application on the Node SDK meets them. Observed behaviour, section 5."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
LONG = {
    "model": "gpt-4o-mini-tts",
    "voice": "alloy",
    "input": "a sentence. " * 341,
    "response_format": "pcm",
    "speed": 0.25,
}
"""Fifty megabytes: more than can be on its way to a client that does not read."""

LONG_FILE = {"model": "whisper-1", "name": "long.flac"}

RETRIES = {"maxRetries": 2}
"""What the SDK does where it is not told otherwise."""

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, guarded_server: Any) -> Path:
    """Files to upload: a short one, one that takes seconds to hear, one that is too large."""
    folder = tmp_path_factory.mktemp("recordings")
    with openai.OpenAI(base_url=guarded_server.base_url, api_key="sk-test") as client:
        for name, text in (("short", "Hello."), ("long", "one two three four. " * 200)):
            client.audio.speech.create(
                model="tts-1", voice="alloy", input=text, response_format="flac"
            ).write_to_file(folder / f"{name}.flac")
    (folder / "large.flac").write_bytes(bytes(25 * 2**20))
    return folder


def spoken(node_sdk: Call, server: Any, folder: Path) -> bool:
    """Whether a plain request works."""
    answer = node_sdk(server.base_url, "speechFile", path=str(folder / "next.mp3"), **SPEECH)
    return bool(answer["ok"]["bytes"] > 1000)


@pytest.mark.parametrize(
    ("kind", "status", "code", "call", "parameters"),
    [
        ("BadRequestError", 400, None, "speechFile", SPEECH | {"voice": "nobody"}),
        (
            *("BadRequestError", 400, "invalid_language_format", "transcribe"),
            {"model": "whisper-1", "language": "klingon", "path": "short.flac"},
        ),
        ("PermissionDeniedError", 403, None, "deleteModel", {"model": "whisper-1"}),
        ("NotFoundError", 404, "model_not_found", "speechFile", SPEECH | {"model": "nope"}),
        (
            *("APIError", 413, None, "transcribe"),
            {"model": "whisper-1", "path": "large.flac"},
        ),
    ],
)
def test_a_refusal_is_not_tried_again_by_node(
    node_sdk: Call,
    guarded_server: Any,
    folder: Path,
    kind: str,
    status: int,
    code: str | None,
    call: str,
    parameters: dict[str, Any],
) -> None:
    path = str(folder / parameters.get("path", "none"))
    answer = node_sdk(guarded_server.base_url, call, RETRIES, **parameters | {"path": path})
    assert answer["attempts"] == [[0, status]]
    error = answer["error"]
    assert (error["class"], error["status"], error["code"]) == (kind, status, code)
    assert error["type"] == ("server_error" if status == 413 else "invalid_request_error")
    assert error["requestId"].startswith("req_")


def test_a_wrong_key_is_an_authentication_error_in_node(
    node_sdk: Call, guarded_server: Any
) -> None:
    wrong = {"apiKey": "sk-wrong-0123456789abcdef"}
    answer = node_sdk(guarded_server.base_url, "speechFile", RETRIES | wrong, path="-", **SPEECH)
    assert answer["attempts"] == [[0, 401]]
    error = answer["error"]
    assert (error["class"], error["code"]) == ("AuthenticationError", "invalid_api_key")
    assert "sk-wrong*************cdef" in error["message"]


def test_node_waits_for_a_rate_limit(node_sdk: Call, guarded_server: Any) -> None:
    patient = {"apiKey": "sk-patient"}
    answer = node_sdk(guarded_server.base_url, "speakUntilRefused", RETRIES | patient, **SPEECH)
    assert answer["attempts"][-2:] == [[0, 429], [1, 200]]


def test_node_gives_a_rate_limit_up_after_three_attempts(
    node_sdk: Call, guarded_server: Any
) -> None:
    hasty = {"apiKey": "sk-hasty", "hurried": True}
    while "error" not in (
        answer := node_sdk(guarded_server.base_url, "speakUntilRefused", RETRIES | hasty, **SPEECH)
    ):
        pass  # a request had become free between two attempts
    assert answer["attempts"][-3:] == [[0, 429], [1, 429], [2, 429]]
    assert set(answer["waits"]) == {1000}  # as `retry-after` says
    error = answer["error"]
    assert (error["class"], error["type"]) == ("RateLimitError", "requests")
    assert error["code"] == "rate_limit_exceeded"


def test_node_tries_a_failure_again(
    node_sdk: Call, guarded_server: Any, failing_engines: Any, folder: Path
) -> None:
    with failing_engines(guarded_server, times=1):
        answer = node_sdk(
            *(guarded_server.base_url, "transcribeBuffer", RETRIES),
            **LONG_FILE | {"path": str(folder / "long.flac")},
        )
    assert answer["attempts"] == [[0, 500], [1, 200]]
    assert answer["ok"]["text"].startswith("one two three four.")


def test_node_gives_a_failure_up_after_three_attempts_and_the_next_request_works(
    node_sdk: Call, guarded_server: Any, failing_engines: Any, folder: Path
) -> None:
    with failing_engines(guarded_server, times=3):
        answer = node_sdk(
            *(guarded_server.base_url, "transcribeBuffer", RETRIES),
            **LONG_FILE | {"path": str(folder / "long.flac")},
        )
    assert answer["attempts"] == [[0, 500], [1, 500], [2, 500]]
    error = answer["error"]
    assert (error["class"], error["status"]) == ("InternalServerError", 500)
    assert error["type"] == "server_error"
    named = re.search(r"include the request ID (req_[0-9a-f]{32}) in", error["message"])
    assert named
    assert named[1] == error["requestId"]
    assert spoken(node_sdk, guarded_server, folder)


@contextmanager
def killed_at(event: Path, kill: Callable[[], None]) -> Iterator[None]:
    """Kills once there is a file, and then takes it away, whereupon the other side reads on."""
    over = threading.Event()

    def wait() -> None:
        while not event.exists():
            if over.wait(0.02):
                return
        kill()
        event.unlink()

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join()


def test_node_raises_a_failure_in_a_stream(
    node_sdk: Call, guarded_server: Any, kill_hosts: Any, folder: Path
) -> None:
    first = folder / "first event"
    with killed_at(first, lambda: kill_hosts(guarded_server)):
        answer = node_sdk(
            *(guarded_server.base_url, "streamSpeech", RETRIES),
            **LONG | {"stream_format": "sse", "path": str(first)},
        )
    assert answer["attempts"] == [[0, 200]]
    error = answer["error"]
    # Without a status, and no lost connection: the stream itself has said it.
    assert error["class"] == "APIError"
    assert "status" not in error
    assert error["type"] == "server_error"
    assert error["message"].startswith("The server had an error while processing your request.")
    assert spoken(node_sdk, guarded_server, folder)
