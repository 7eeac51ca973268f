"""Faults into a real server on a real port: what its processes hold, and an engine that fails."""

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 30.0
"""Seconds after which a test gives up what it waits for."""

KEY = {"authorization": "Bearer sk-test"}
AUDIO = Path(__file__).parents[1] / "api"
PAUSE = threading.Event()

ENTRY_POINTS = """
[soundalike.speech_engines]
faulty = faulty_engine:FaultySpeech
[soundalike.transcription_engines]
faulty = faulty_engine:FaultyTranscription
"""


def _wait_until(what: Callable[[], object], because: str = "it did not happen") -> None:
    """Look again and again, until `what` is true."""
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, because
        PAUSE.wait(0.02)


@dataclass(frozen=True)
class Held:
    """What a server holds: open files, threads, and processes below it."""

    handles: tuple[str, ...]
    threads: int
    children: int
    temporary: tuple[str, ...]


@dataclass
class Subject:
    """A server with faulty engines, as a test sees it."""

    server: Any
    plan: Path
    log: Path
    temporary: Path
    client: httpx.Client

    def speak(self, text: str, **fields: Any) -> httpx.Response:
        return self.client.post("/v1/audio/speech", json=self.speech(text, **fields))

    def stream(self, text: str, **fields: Any) -> AbstractContextManager[httpx.Response]:
        return self.client.stream("POST", "/v1/audio/speech", json=self.speech(text, **fields))

    @staticmethod
    def speech(text: str, **fields: Any) -> dict[str, Any]:
        given = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm"}
        return given | fields

    def transcribe(self, audio: bytes, **fields: Any) -> httpx.Response:
        return self.client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1"} | fields,
            files={"file": ("a.wav", audio, "audio/wav")},
        )

    def connect(self) -> socket.socket:
        url = urlsplit(self.server.base_url)
        return socket.create_connection((url.hostname, url.port), timeout=PATIENCE)

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/readyz").json()
        return found

    def engine(self, kind: str = "speech") -> dict[str, Any]:
        (found,) = (engine for engine in self.ready()["engines"] if engine["kind"] == kind)
        assert isinstance(found, dict)
        return found

    def queued(self) -> float:
        """Jobs that wait for the engine that speaks, as the metrics tell."""
        (found,) = (
            sample.value
            for family in text_string_to_metric_families(self.client.get("/metrics").text)
            for sample in family.samples
            if sample.name == "soundalike_jobs_queued" and sample.labels["kind"] == "speech"
        )
        return found

    def told(self, line: str) -> int:
        """How often the engine noted a line."""
        return self.log.read_text().splitlines().count(line) if self.log.exists() else 0

    def wait_told(self, line: str, times: int = 1) -> None:
        _wait_until(lambda: self.told(line) >= times, f"never told: {line}")

    def host(self, kind: str = "speech") -> psutil.Process:
        """The process of an engine, as the engine told when it was opened last."""
        told = re.findall(rf"^{kind} in (\d+)$", self.log.read_text(), re.MULTILINE)
        return psutil.Process(int(told[-1]))

    def held(self) -> Held:
        """Once it does not change any more: helpers that are made ahead come a moment later."""
        looks: list[Held] = []

        def settled() -> bool:
            looks.append(self._held())
            return looks[-10:] == looks[-1:] * 10

        _wait_until(settled)
        return looks[-1]

    def _held(self) -> Held:
        """At this moment. Connections are not counted: a client's pool decides about them."""
        process = psutil.Process(self.server.process.pid)
        folder = Path(f"/proc/{process.pid}/fd")
        names = []
        for handle in folder.iterdir():
            try:
                name = str(handle.readlink())
            except FileNotFoundError:
                continue
            if not name.startswith("socket:"):
                names.append(name.partition(":")[0])
        return Held(
            tuple(sorted(names)),
            process.num_threads(),
            len(process.children(recursive=True)),
            tuple(sorted(str(p) for p in self.temporary.glob("soundalike-*/uploads/*"))),
        )


@pytest.fixture(scope="session")
def faulty_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Python finds the faulty engines as if they were installed."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copy(Path(__file__).with_name("faulty_engine.py"), folder)
    info = folder / "faulty_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture(scope="session")
def subject(
    serve: Any, faulty_package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[Subject]]:
    """Starts servers whose engines fail as they are told."""

    @contextmanager
    def starting(*flags: str, plan: str = "ok", engine: str = "faulty") -> Iterator[Subject]:
        folder = tmp_path_factory.mktemp("subject")
        (folder / "plan").write_text(plan)
        (folder / "temporary").mkdir()
        environment = {
            "PYTHONPATH": str(faulty_package),
            "SOUNDALIKE_FAULTY_PLAN": str(folder / "plan"),
            "SOUNDALIKE_FAULTY_LOG": str(folder / "log"),
            "TMPDIR": str(folder / "temporary"),
        }
        with (
            serve("--engine", engine, *flags, **environment) as server,
            httpx.Client(base_url=server.root, headers=KEY, timeout=PATIENCE) as client,
        ):
            yield Subject(server, folder / "plan", folder / "log", folder / "temporary", client)

    return starting


@pytest.fixture(scope="module")
def shared(subject: Callable[..., AbstractContextManager[Subject]]) -> Iterator[Subject]:
    """A server for all tests of a module that leave it as they found it."""
    with subject() as running:
        yield running


def _error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def _last_event(body: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(body.decode().strip().rpartition("data: ")[2])
    return event


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Looks again and again, until something is true."""
    return _wait_until


@pytest.fixture(scope="session")
def error_of() -> Callable[[httpx.Response], dict[str, Any]]:
    """The error in an answer, which has the API's shape."""
    return _error_of


@pytest.fixture(scope="session")
def last_event() -> Callable[[bytes], dict[str, Any]]:
    """The last of a stream of events."""
    return _last_event
