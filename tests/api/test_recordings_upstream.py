"""How the upstream is asked, and what becomes of answers that a well-behaved one would not give."""

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from soundalike.testing import Server, Soundalike, serve
from soundalike.testing.hosting import Hosted

KEY = "sk-of-the-client-0123456789abcdefghij"
ACCOUNT = {"openai-organization": "org-abcdefghijklmnop", "openai-project": "proj_abcdefghijklmnop"}
FOX = {"model": "tts-1", "voice": "alloy", "input": "The quick brown fox."}

Then = Callable[[], Awaitable[None]]


class Upstream:
    """A service that answers as it is told, and notes what it was asked."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []
        """Path with its query, method, body and headers."""
        self.status = 200
        self.chunks: Sequence[bytes] = [b"ID3 not ", b"really"]
        self.then: Then | None = None
        """What happens before the answer ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = f"{scope['path']}?{scope['query_string'].decode()}"
        self.asked.append((path, scope["method"], body, headers))
        encoded = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": encoded})
        for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if self.then is not None:
            await self.then()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def base_url(upstream: Upstream) -> Iterator[str]:
    async def nothing() -> None:
        pass

    hosted = Hosted(upstream, {"log_config": None, "date_header": False})
    hosted.start(nothing, 10)
    yield f"http://127.0.0.1:{hosted.port}/v1"
    hosted.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def speech(
    scope: Soundalike, headers: Mapping[str, str] | None = None, query: str = "", **fields: Any
) -> httpx2.Response:
    own = {"authorization": f"Bearer {KEY}"} | dict(headers or {})
    url = f"{scope.url}/audio/speech{query}"
    return httpx2.post(url, json=FOX | fields, headers=own, timeout=30)


def kept_text(folder: Path) -> str:
    """Everything in the folder, names included."""
    texts = [path.name + path.read_bytes().decode("latin-1") for path in folder.iterdir()]
    return "\n".join(texts)


def test_a_request_is_passed_on_as_it_came(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=f"{base_url}/")
    speech(scope, {"x-own": "1", "accept-encoding": "br", "cookie": "a=b"}, "?a=b%20c")
    ((path, method, body, headers),) = upstream.asked
    assert (path, method) == ("/v1/audio/speech?a=b%20c", "POST")
    assert json.loads(body) == FOX
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-own"] == "1"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-length"] == str(len(body))
    assert headers["host"] in base_url
    assert "cookie" not in headers
    assert "transfer-encoding" not in headers


def test_no_secret_is_kept(server: Server, upstream: Upstream, base_url: str, folder: Path) -> None:
    operator = "key-of-the-operator-0123456789abcdef"
    upstream.status = 401
    upstream.headers = {
        "content-type": "application/json",
        "set-cookie": "session=cookie-of-the-upstream",
        "x-request-id": f"req_{operator}",
        "openai-organization": "org-of-the-operator-0123456789",
    }
    upstream.chunks = [f'{{"error": "{operator} of {ACCOUNT["openai-project"]}"}}'.encode()]
    scope = server.scope()
    scope.record(folder, upstream=base_url, api_key=operator, record_errors=True)
    sent = ACCOUNT | {"cookie": "session=cookie-of-the-client-012345"}
    live = speech(scope, sent, f"?api-key={KEY}", instructions=f"Use {KEY}.", api_key="short-one")
    assert live.status_code == 401
    assert upstream.asked[0][3]["authorization"] == f"Bearer {operator}"
    kept = kept_text(folder)
    for secret in (KEY, operator, *ACCOUNT.values(), "cookie-of", "org-of-the", "short-one"):
        assert secret not in kept
    assert operator in live.text  # the client was told what the upstream said
    scope.record(folder, "none")
    replayed = speech(scope, sent, "?api-key=another", instructions=f"Use {KEY}.", api_key="other")
    assert replayed.status_code == 401
    assert len(replayed.content) == len(live.content)


def test_an_encoded_answer_is_kept_decoded(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    text = b'{"text": "hello"}'
    packed = gzip.compress(text)
    upstream.headers = {
        "content-type": "application/json",
        "content-encoding": "gzip",
        "content-length": str(len(packed)),
    }
    upstream.chunks = [packed]
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    live = speech(scope)
    assert live.content == text
    assert "content-encoding" not in live.headers
    assert (folder / "0001-speech.json").read_bytes() == text
    scope.record(folder, "none")
    assert speech(scope).content == text


def test_an_answer_in_a_coding_that_cannot_be_undone_is_a_502(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    upstream.headers = {"content-type": "application/json", "content-encoding": "br"}
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    failed = speech(scope)
    assert failed.status_code == 502
    assert failed.json()["error"]["message"].endswith("answers encoded, unasked: br.")
    assert not (folder / "index.json").exists()


def test_an_upstream_that_cannot_be_reached_is_a_502(server: Server, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    scope = server.scope()
    scope.record(folder, upstream=f"http://127.0.0.1:{port}/v1")
    failed = speech(scope)
    assert failed.status_code == 502
    error = failed.json()["error"]
    assert error["type"] == "server_error"
    assert f"127.0.0.1:{port} failed: ConnectError" in error["message"]
    assert not (folder / "index.json").exists()


def test_an_upstream_that_is_silent_is_given_up(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and says nothing
        scope = server.scope()
        port = silent.getsockname()[1]
        scope.record(folder, upstream=f"http://127.0.0.1:{port}/v1", timeout=0.1)
        failed = speech(scope)
    assert failed.status_code == 502
    assert "ReadTimeout" in failed.json()["error"]["message"]


def test_an_answer_that_breaks_off_breaks_off_here_too(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    async def crash() -> None:
        raise ConnectionError("the upstream crashes")

    upstream.then = crash
    upstream.headers = {"content-type": "audio/mpeg"}
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    with pytest.raises(httpx2.RemoteProtocolError):
        speech(scope)
    (request,) = scope.requests
    assert not request.complete
    assert request.error is not None
    assert "broke its answer off" in request.error
    assert not (folder / "index.json").exists()


def test_a_client_that_goes_away_leaves_no_recording(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    left = asyncio.Event()
    ended: list[bool] = []

    async def wait() -> None:
        try:
            await left.wait()
        finally:
            ended.append(True)

    upstream.then = wait
    upstream.headers = {"content-type": "audio/mpeg"}
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    with httpx2.stream(
        "POST",
        f"{scope.url}/audio/speech",
        json=FOX,
        headers={"authorization": f"Bearer {KEY}"},
    ) as answer:
        assert next(answer.iter_raw()) == b"ID3 not "
    assert scope._scope.journal.settle(10)
    (request,) = scope.requests
    assert not request.complete
    assert not (folder / "index.json").exists()


def test_chunks_are_passed_on_while_they_come(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    seen = asyncio.Event()
    loop: list[asyncio.AbstractEventLoop] = []

    async def wait() -> None:
        loop.append(asyncio.get_running_loop())
        await seen.wait()

    upstream.then = wait
    upstream.headers = {"content-type": "audio/mpeg"}
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{scope.url}/audio/speech"
    with httpx2.stream("POST", url, json=FOX, headers=headers) as answer:
        pieces = answer.iter_raw()
        came = next(pieces)
        while len(came) < len(b"ID3 not really"):
            came += next(pieces)
        assert came == b"ID3 not really"
        assert not (folder / "index.json").exists()
        loop[0].call_soon_threadsafe(seen.set)
        assert list(pieces) == []
    assert (folder / "0001-speech.mp3").read_bytes() == b"ID3 not really"


def test_another_endpoint_of_the_upstream_is_recorded_as_well(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    upstream.headers = {"content-type": "application/json"}
    upstream.chunks = [b"{}"]
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    headers = {"authorization": f"Bearer {KEY}"}
    for body in (b"one", b"two"):
        httpx2.post(f"{scope.url}/other/things", content=body, headers=headers)
    scope.record(folder, "none")
    url = f"{scope.url}/other/things"
    assert httpx2.post(url, content=b"two", headers=headers).content == b"{}"
    assert httpx2.post(url, content=b"three", headers=headers).status_code == 400
    assert scope.requests[-2].answered_by == "recording:0002"


def test_an_upload_that_lies_on_disk_is_passed_on_whole(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    data = bytes(range(256)) * 20_000  # more than is kept in memory
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{scope.url}/audio/transcriptions"
    httpx2.post(url, data={"model": "m"}, files={"file": ("a.bin", data)}, headers=headers)
    ((_, _, body, sent),) = upstream.asked
    assert data in body
    assert sent["content-length"] == str(len(body))
    assert (folder / "0001-upload.bin").read_bytes() == data


def test_an_upload_over_the_limit_is_refused_as_ever(
    server: Server, upstream: Upstream, base_url: str, folder: Path
) -> None:
    scope = server.scope()
    scope.record(folder, upstream=base_url)
    headers = {"authorization": f"Bearer {KEY}"}
    files = {"file": ("a.wav", bytes(26 * 2**20))}
    url = f"{scope.url}/audio/transcriptions"
    refused = httpx2.post(url, data={"model": "whisper-1"}, files=files, headers=headers)
    assert refused.status_code == 413
    assert upstream.asked == []


@pytest.mark.parametrize(
    "upstream_url", ["api.openai.com", "ftp://example.org", "http://u:p@example.org", "http://"]
)
def test_an_upstream_that_is_no_base_url_is_refused(
    server: Server, folder: Path, upstream_url: str
) -> None:
    with pytest.raises(ValueError, match="upstream"):
        server.scope().record(folder, upstream=upstream_url)
