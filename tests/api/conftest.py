"""The real application in this process, on the stub engine."""

import io
import uuid
import wave
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest
from starlette.testclient import TestClient

from soundalike.app import create_app
from soundalike.engines.base import TranscriptionJob
from soundalike.settings import Settings
from soundalike.transcript import TranscriptionEvent

KEY = {"authorization": "Bearer sk-test"}


class OpenApi(Protocol):
    def __call__(self, **settings: Any) -> TestClient: ...


@pytest.fixture
def open_api(tmp_path: Path) -> Iterator[OpenApi]:
    """Opens applications with settings of their own; all are closed at the end."""
    opened: list[TestClient] = []

    def open_one(**settings: Any) -> TestClient:
        values: dict[str, Any] = {
            "engine": "stub",
            "runtime": "inline",
            "models": tmp_path,
        } | settings
        client = TestClient(create_app(Settings(**values)), headers=KEY)
        client.__enter__()
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.__exit__()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application with the default settings, shared by a module's tests."""
    settings = Settings(engine="stub", runtime="inline", models=tmp_path_factory.mktemp("models"))
    with TestClient(create_app(settings), headers=KEY) as client:
        yield client


class Exchange:
    """One transcription by ASGI alone, the request in the pieces in which a network brings it:
    the test client would join them."""

    def __init__(
        self, content_type: str, pieces: Sequence[bytes], *, hang_up: bool, deaf: bool
    ) -> None:
        self.remaining = list(pieces)
        """What the server did not take."""
        self.jobs: list[TranscriptionJob] = []
        """What reached the engine."""
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self._content_type = content_type
        self._hang_up = hang_up
        self._deaf = deaf

    @property
    def job(self) -> TranscriptionJob:
        (job,) = self.jobs
        return job

    async def run(self, app: Any) -> None:
        headers = KEY | {"content-type": self._content_type, "transfer-encoding": "chunked"}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "http",
            "method": "POST",
            "path": "/v1/audio/transcriptions",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self.remaining:
            piece = self.remaining.pop(0)
            more = bool(self.remaining) or self._hang_up
            return {"type": "http.request", "body": piece, "more_body": more}
        if not self._hang_up:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if self._deaf:
            raise OSError("the client is gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


class Send(Protocol):
    def __call__(
        self,
        content_type: str,
        pieces: Sequence[bytes],
        *,
        hang_up: bool = False,
        deaf: bool = False,
    ) -> Exchange: ...


@pytest.fixture
def send(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Sends a transcription in pieces, and hangs up in the midst of it or, `deaf`, before the
    answer's first byte, if told so. Whatever was sent, nothing of it is left on disk."""
    service = api.app.state.service  # type: ignore[attr-defined]
    transcribe = service.runtime.transcribe
    exchange: Exchange

    async def noting(model: str, job: TranscriptionJob) -> AsyncGenerator[TranscriptionEvent]:
        exchange.jobs.append(job)
        async with aclosing(transcribe(model, job)) as events:
            async for event in events:
                yield event

    monkeypatch.setattr(service.runtime, "transcribe", noting)

    def sent(
        content_type: str, pieces: Sequence[bytes], *, hang_up: bool = False, deaf: bool = False
    ) -> Exchange:
        nonlocal exchange
        exchange = Exchange(content_type, pieces, hang_up=hang_up, deaf=deaf)
        assert api.portal is not None
        api.portal.call(exchange.run, api.app)
        assert list(service.spool.iterdir()) == []
        return exchange

    return sent


class ControlledScope:
    """A scope of an application, its control plane and its audio endpoints."""

    def __init__(self, client: TestClient, name: str) -> None:
        self.client = client
        self.name = name

    def __call__(self, method: str, path: str, **request: Any) -> Any:
        return self.client.request(method, f"/s/{self.name}/_soundalike{path}", **request)

    def speak(self, text: str = "Hello.", **fields: Any) -> Any:
        return self.client.post(
            f"/s/{self.name}/v1/audio/speech",
            json={"model": "tts-1", "voice": "alloy", "input": text} | fields,
        )

    def transcribe(self, audio: bytes, name: str = "hi.wav", **fields: Any) -> Any:
        return self.client.post(
            f"/s/{self.name}/v1/audio/transcriptions",
            data={"model": "whisper-1"} | fields,
            files={"file": (name, audio, "audio/wav")},
        )


@pytest.fixture
def control(api: TestClient) -> ControlledScope:
    """A scope of this test's own."""
    return ControlledScope(api, uuid.uuid4().hex)


@pytest.fixture(scope="session")
def second_of_silence() -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(16_000)
        wav.writeframes(bytes(2 * 16_000))
    return file.getvalue()
