"""Recording and replaying with a second soundalike as the upstream."""

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from soundalike.testing import Server, Soundalike, serve

KEY = "sk-of-the-client-0123456789abcdefghij"
FOX = {"model": "tts-1", "voice": "alloy", "input": "The quick brown fox."}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server under test; every recorder has a scope of its own."""
    with serve() as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Server]:
    """Another server, which is recorded."""
    with serve() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def ask(
    scope: Soundalike,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    file: tuple[str, bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """A request as SDKs send it: JSON, or a form where there is a file."""
    method = "GET" if body is None else "POST"
    sent: dict[str, Any] = (
        {"json": body} if file is None else {"data": body, "files": {"file": file}}
    )
    with httpx2.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=30) as client:
        return client.request(method, scope.url + path, **sent, headers=headers)


def speech(scope: Soundalike, **fields: Any) -> httpx2.Response:
    return ask(scope, "/audio/speech", FOX | fields)


def hear(scope: Soundalike, name: str, audio: bytes, **fields: Any) -> httpx2.Response:
    return ask(scope, "/audio/transcriptions", {"model": "whisper-1"} | fields, file=(name, audio))


def index(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "index.json").read_bytes())["recordings"]
    return found


def framed(scope: Soundalike, body: Mapping[str, Any]) -> list[int]:
    """The sizes of the chunks that a speech answer comes in, as its framing says (RFC 9112)."""
    host, _, path = scope.url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    data = json.dumps(body).encode()
    head = (
        f"POST /{path}/audio/speech HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
        "connection: close\r\n\r\n"
    )
    with socket.create_connection((name, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + data)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    rest = received.partition(b"\r\n\r\n")[2]
    sizes: list[int] = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            return sizes
        sizes.append(int(size, 16))
        rest = rest[sizes[-1] + 2 :]


def same(one: httpx2.Response, other: httpx2.Response) -> None:
    """The same answer, down to the name that the upstream gave it."""
    assert one.content == other.content != b""
    assert one.status_code == other.status_code
    ignored = {"date"}  # the time of the answer, which each server tells for itself
    first, second = (dict(answer.headers) for answer in (one, other))
    assert {n: v for n, v in first.items() if n not in ignored} == {
        n: v for n, v in second.items() if n not in ignored
    }
    assert one.headers["x-request-id"].startswith("req_")


def test_speech_is_replayed_with_the_upstream_gone(server: Server, folder: Path) -> None:
    long = {"input": "One sentence. " * 20, "response_format": "pcm"}
    with serve() as upstream:
        scope = server.scope()
        scope.record(folder, upstream=upstream.url)
        live = speech(scope), speech(scope, **long)
        assert [request.answered_by for request in scope.requests] == ["upstream", "upstream"]
        assert len(upstream.requests) == 2
        direct = speech(upstream, **long)
    scope = server.scope()
    scope.record(folder)
    same(live[1], speech(scope, **long))
    same(live[0], speech(scope))
    answered = [request.answered_by for request in scope.requests]
    assert answered == ["recording:0002", "recording:0001"]
    assert live[1].content == direct.content
    assert (folder / "0001-speech.mp3").read_bytes() == live[0].content
    assert live[0].headers["content-type"] == "audio/mpeg"


def test_a_replay_comes_in_the_chunks_of_the_recording(
    server: Server, upstream: Server, folder: Path
) -> None:
    long = FOX | {"input": "One sentence. " * 20, "response_format": "pcm"}
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    recorded = framed(scope, long)
    (recording,) = index(folder)
    sizes = [int(chunk.partition(":")[2]) for chunk in recording["answer"]["chunks"].split()]
    assert recorded == sizes
    assert len(sizes) > 1
    scope.record(folder)
    assert framed(scope, long) == sizes


@pytest.mark.parametrize("answer_format", ["json", "text", "srt", "verbose_json", "vtt"])
def test_transcriptions_are_replayed(
    server: Server, upstream: Server, folder: Path, answer_format: str
) -> None:
    audio = speech(upstream, response_format="wav").content
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    live = hear(scope, "fox.wav", audio, response_format=answer_format)
    assert "quick brown fox" in live.text
    scope.record(folder, "none")
    same(live, hear(scope, "fox.wav", audio, response_format=answer_format))
    (recording,) = index(folder)
    assert recording["request"]["fields"] == {
        "model": "whisper-1",
        "response_format": answer_format,
    }
    assert recording["request"]["file"]["name"] == "fox.wav"
    assert (folder / "0001-upload.wav").read_bytes() == audio
    suffix = "json" if "json" in answer_format else "txt"
    assert (folder / f"0001-transcription.{suffix}").read_bytes() == live.content


@pytest.mark.parametrize("path", ["/audio/transcriptions", "/audio/speech"])
def test_event_streams_are_replayed_event_by_event(
    server: Server, upstream: Server, folder: Path, path: str
) -> None:
    audio = speech(upstream, response_format="wav").content

    def ask_for_events(scope: Soundalike) -> httpx2.Response:
        if path == "/audio/speech":
            return ask(scope, path, FOX | {"model": "gpt-4o-mini-tts", "stream_format": "sse"})
        fields = {"model": "gpt-4o-transcribe", "stream": "true"}
        return ask(scope, path, fields, file=("fox.wav", audio))

    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    live = ask_for_events(scope)
    assert live.headers["content-type"].startswith("text/event-stream")
    assert live.text.count("data:") > 1
    scope.record(folder, "none")
    same(live, ask_for_events(scope))
    assert [path.name for path in folder.glob("*.sse")]


def test_boundaries_names_and_containers_make_no_other_request(
    server: Server, upstream: Server, folder: Path
) -> None:
    wav, flac = (speech(upstream, response_format=kind).content for kind in ("wav", "flac"))
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    live = hear(scope, "fox.wav", wav, language="en", temperature="0")
    scope.record(folder, "none")
    replayed = hear(scope, "other.flac", flac, temperature="0.0", language="en")
    same(live, replayed)
    first, second = scope.requests
    assert first.headers["content-type"] != second.headers["content-type"]  # their boundaries
    assert second.file is not None
    assert second.file.container == "flac"


def test_without_recordings_nothing_is_asked(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, "none", upstream=upstream.url)
    refused = speech(scope)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "no_recording_matched"
    assert "it holds none" in refused.json()["error"]["message"]
    assert len(upstream.requests) == 0
    assert not folder.exists()


def test_a_request_without_a_recording_is_told_the_nearest(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    speech(scope)
    speech(scope, input="Something else.", voice="nova")
    scope.record(folder, upstream=upstream.url)  # `once`, and there is something
    refused = speech(scope, voice="echo")
    assert refused.status_code == 400
    nearest = "nearest is recording 0001: fields.voice: wanted 'alloy', got 'echo'"
    assert nearest in refused.json()["error"]["message"]
    request = scope.requests[-1]
    assert (request.answered_by, request.matched) == ("refusal", False)
    assert str(request.near_miss) == nearest
    assert len(upstream.requests) == 2


def test_the_same_request_is_replayed_in_its_order_and_the_last_repeats(
    server: Server, upstream: Server, folder: Path
) -> None:
    upstream.seed(1)  # so that request ids tell the answers apart
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    first, second = speech(scope), speech(scope)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    scope.record(folder)
    for expected in (first, second, second):
        same(expected, speech(scope))


def test_new_episodes_are_recorded_and_known_ones_replayed(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, "new_episodes", upstream=upstream.url)
    known = speech(scope)
    scope.record(folder, "new_episodes", upstream=upstream.url)
    same(known, speech(scope))
    speech(scope, voice="nova")
    assert len(upstream.requests) == 2
    assert [each["request"]["fields"]["voice"] for each in index(folder)] == ["alloy", "nova"]


def test_all_records_again_and_replaces_the_same_request(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    speech(scope)
    speech(scope)
    other = speech(scope, voice="nova")
    scope.record(folder, "all", upstream=upstream.url)
    again = speech(scope)
    assert len(upstream.requests) == 4
    ids = [each["answer"]["headers"]["x-request-id"] for each in index(folder)]
    assert ids == [again.headers["x-request-id"], other.headers["x-request-id"]]
    assert [each["id"] for each in index(folder)] == ["0001", "0003"]


def test_rewrite_starts_anew_with_the_first_answer(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    speech(scope)
    speech(scope, voice="nova")
    before = index(folder)
    scope.record(folder, "rewrite", upstream=upstream.url)
    upstream.fault("status", status=500, times=1)
    assert speech(scope).status_code == 500
    assert index(folder) == before
    speech(scope, voice="echo")
    speech(scope, voice="onyx")
    assert [each["request"]["fields"]["voice"] for each in index(folder)] == ["echo", "onyx"]
    files = {path.name for path in folder.iterdir()} - {".lock"}
    assert files == {"index.json", "0001-speech.mp3", "0002-speech.mp3"}


def test_errors_are_passed_on_and_recorded_only_if_asked(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, "new_episodes", upstream=upstream.url)
    refused = speech(scope, voice="nobody")
    assert refused.status_code == 400
    assert "('body', 'voice')" in refused.json()["error"]["message"]
    assert not (folder / "index.json").exists()
    scope.record(folder, upstream=upstream.url, record_errors=True)
    upstream.fault("status", status=503, times=1)
    assert speech(scope).status_code == 503
    assert not (folder / "index.json").exists()
    refused = speech(scope, voice="nobody")
    scope.record(folder)
    same(refused, speech(scope, voice="nobody"))


def test_models_and_their_pages_are_recorded_too(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    live = (
        ask(scope, "/models"),
        ask(scope, "/models/whisper-1"),
        ask(scope, "/audio/voices?limit=1"),
    )
    scope.record(folder, "none")
    same(live[1], ask(scope, "/models/whisper-1"))
    same(live[0], ask(scope, "/models"))
    same(live[2], ask(scope, "/audio/voices?limit=1"))
    assert ask(scope, "/audio/voices?limit=2").status_code == 400


def test_faults_apply_on_top(server: Server, upstream: Server, folder: Path) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    live = speech(scope)
    scope.record(folder, "none")
    scope.fault("status", status=429, times=1)
    assert speech(scope).status_code == 429
    scope.fault("wrong_content_type", times=1)
    spoilt = speech(scope)
    assert spoilt.content == live.content
    assert spoilt.headers["content-type"] != live.headers["content-type"]
    same(live, speech(scope))


def test_other_scopes_and_the_server_itself_are_left_alone(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url)
    assert speech(server.scope()).status_code == 200
    assert httpx2.get(f"{server.root}/healthz").status_code == 200
    assert len(upstream.requests) == 0


def test_a_request_without_a_key_is_refused_before_anything_is_asked(
    server: Server, upstream: Server, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=upstream.url, api_key="sk-of-the-operator-0123456789")
    assert httpx2.post(f"{scope.url}/audio/speech", json=FOX).status_code == 401
    assert len(upstream.requests) == 0
