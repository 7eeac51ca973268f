"""Faults into a server that recognises with Whisper: kills, clients that leave, a shared store."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="needs /proc")

KEY = {"authorization": "Bearer sk-test"}
PATIENCE = 120.0
"""Seconds for an answer: a host that was killed loads its weights again."""

SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody knows why. "


class Listener:
    """A server with Whisper, as a client and its operator see it."""

    def __init__(self, server: Any, wait_until: Any) -> None:
        self.server = server
        self.client = httpx.Client(base_url=server.root, headers=KEY, timeout=PATIENCE)
        self._wait_until: Callable[..., None] = wait_until

    def transcribe(self, audio: bytes, **fields: str) -> httpx.Response:
        return self.client.post("/v1/audio/transcriptions", **self.form(audio, **fields))

    @staticmethod
    def form(audio: bytes, **fields: str) -> dict[str, Any]:
        return {
            "data": {"model": "whisper-1", "language": "en"} | fields,
            "files": {"file": ("a.wav", audio, "audio/wav")},
        }

    def ask(self, audio: bytes) -> socket.socket:
        """A request on a connection of its own, sent and not yet answered."""
        request = self.client.build_request("POST", "/v1/audio/transcriptions", **self.form(audio))
        body = request.read()
        url = urlsplit(self.server.root)
        client = socket.create_connection((url.hostname, url.port), timeout=PATIENCE)
        client.sendall(
            b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
            b"Authorization: Bearer sk-test\r\nContent-Length: %d\r\nContent-Type: %s\r\n\r\n"
            % (len(body), request.headers["content-type"].encode())
            + body
        )
        return client

    def state(self) -> str:
        engines = self.client.get("/readyz").json()["engines"]
        (found,) = (e["state"] for e in engines if e["kind"] == "transcription")
        return str(found)

    def running(self) -> float:
        """Jobs that Whisper works on."""
        (found,) = (
            sample.value
            for family in text_string_to_metric_families(self.client.get("/metrics").text)
            for sample in family.samples
            if sample.name == "soundalike_jobs_running" and sample.labels["kind"] == "transcription"
        )
        return found

    def hosts(self) -> list[psutil.Process]:
        return psutil.Process(self.server.process.pid).children()

    def host(self) -> psutil.Process:
        """The process that holds the weights."""
        return max(self.hosts(), key=lambda process: process.memory_info().rss)

    def wait_decoding(self) -> psutil.Process:
        """Until Whisper is at work on a recording; its process."""
        host = self.host()
        before = host.cpu_times().user
        self._wait_until(lambda: self.running() >= 1)
        self._wait_until(lambda: host.cpu_times().user > before + 0.5)
        return host


@pytest.fixture(scope="module")
def listener(serve: Any, model_store: Path, wait_until: Any) -> Iterator[Listener]:
    with serve("--models", str(model_store), "--queue", "1") as server:
        found = Listener(server, wait_until)
        with found.client:
            yield found


@pytest.fixture(scope="module")
def short(listener: Listener) -> bytes:
    return _spoken(listener, SENTENCE)


@pytest.fixture(scope="module")
def long(listener: Listener) -> bytes:
    """Several minutes."""
    return _spoken(listener, SENTENCE * 60)


def _spoken(listener: Listener, text: str) -> bytes:
    body = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "wav"}
    answer = listener.client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 200
    return answer.content


@pytest.fixture
def unharmed(listener: Listener, short: bytes) -> Iterator[Listener]:
    """The server. After the test it still answers, and has nothing to do."""
    yield listener
    answer = listener.transcribe(short)
    assert answer.status_code == 200, answer.text
    assert "lazy dog" in answer.json()["text"]
    assert listener.running() == 0
    assert listener.client.get("/readyz").json()["status"] == "ready"


def test_a_kill_of_whisper_while_it_decodes_fails_its_request_alone(
    unharmed: Listener, long: bytes
) -> None:
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(unharmed.transcribe, long)
        unharmed.wait_decoding().kill()
        answer = failing.result()
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"


def test_a_kill_of_whisper_while_it_loads_fails_who_waits(
    unharmed: Listener, short: bytes, wait_until: Any
) -> None:
    known = {process.pid for process in unharmed.hosts()}
    unharmed.host().kill()
    wait_until(lambda: unharmed.state() == "unloaded")
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(unharmed.transcribe, short)
        wait_until(lambda: [p for p in unharmed.hosts() if p.pid not in known])
        (loading,) = (p for p in unharmed.hosts() if p.pid not in known)
        wait_until(lambda: loading.memory_info().rss > 30_000_000)
        loading.kill()
        assert failing.result().status_code == 500


def test_a_kill_of_whisper_in_the_midst_of_a_stream_is_an_error_event(
    unharmed: Listener, long: bytes, last_event: Any
) -> None:
    form = unharmed.form(long, model="gpt-4o-transcribe", stream="true")
    with unharmed.client.stream("POST", "/v1/audio/transcriptions", **form) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert "transcript.text.delta" in next(lines)
        unharmed.host().kill()
        body = "\n".join(lines)
    assert last_event(body.encode())["error"]["type"] == "server_error"


def test_a_client_that_leaves_a_long_recording_frees_its_slots(
    unharmed: Listener, long: bytes, short: bytes, wait_until: Any
) -> None:
    host = unharmed.host()
    leaving = [unharmed.ask(long) for _ in range(3)]
    unharmed.wait_decoding()
    for client in leaving:
        client.close()
    wait_until(lambda: unharmed.running() == 0)
    assert "lazy dog" in unharmed.transcribe(short).json()["text"]
    assert unharmed.host() == host


def test_two_servers_may_work_from_one_store_at_the_same_time(
    listener: Listener, short: bytes, serve: Any, model_store: Path, wait_until: Any
) -> None:
    with serve("--models", str(model_store), "--speech-engine", "stub") as server:
        other = Listener(server, wait_until)
        with other.client, ThreadPoolExecutor(2) as pool:
            both = [pool.submit(one.transcribe, short) for one in (listener, other)]
            answers = [one.result() for one in both]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert "lazy dog" in answers[0].json()["text"]


def test_who_waits_too_long_for_a_slot_of_whisper_is_told_when_to_come_back(
    short: bytes, serve: Any, model_store: Path, wait_until: Any
) -> None:
    flags = ("--speech-engine", "stub", "--transcription-slots", "1", "--queue-timeout", "0.5")
    with serve("--models", str(model_store), *flags) as server:
        other = Listener(server, wait_until)
        with other.client, ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(other.transcribe, [short] * 20))
            wait_until(lambda: other.running() == 0)
            assert "lazy dog" in other.transcribe(short).json()["text"]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < len(answers)
    assert {answer.status_code for answer in refused} == {503}
    assert all("waited too long for its turn" in answer.text for answer in refused)
    assert all(answer.headers["retry-after"] for answer in refused)
    heard = [answer.json()["text"] for answer in answers if answer.status_code == 200]
    assert all("lazy dog" in text for text in heard)
