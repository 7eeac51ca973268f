"""Faults as they go over the wire: byte by byte, and in the journal."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from soundalike.app import create_app
from soundalike.fixture.exchange import Exchange
from soundalike.fixture.faults import fault
from soundalike.fixture.faults.corrupt_audio import CorruptAudio
from soundalike.fixture.faults.garbage import Garbage
from soundalike.fixture.faults.sse import STREAM
from soundalike.fixture.scopes import Scope
from soundalike.observation import Observation
from soundalike.serving import server_options
from soundalike.settings import Settings

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello.", "response_format": "wav"}
EVENTS = SPEECH | {"model": "gpt-4o-mini-tts", "stream_format": "sse"}

SILENCE = 0.5
"""Seconds without a byte after which nothing more is taken to come."""

PATIENCE = 10.0
"""Seconds after which a test gives up."""

_scopes = count()


class Served:
    """An application that runs in a thread of this process."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(engine="stub", runtime="inline", fixture="on", models=folder)
        self.app = create_app(settings)
        self.server = uvicorn.Server(uvicorn.Config(self.app, **server_options(settings)))
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.server.run, args=([self.listening],))
        self.thread.start()
        until(lambda: self.server.started)

    def scope(self) -> Scope:
        scope: Scope = self.app.state.scopes.get(f"test-{next(_scopes)}")
        return scope

    def idle(self) -> bool:
        """Whether neither a request nor a connection is left."""
        state = self.server.server_state
        return not state.tasks and not state.connections

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        self.listening.close()


def until(true: Callable[[], bool]) -> None:
    """Wait for something that is sure to come."""
    for _ in range(round(PATIENCE / 0.01)):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("models"))
    first = server.scope()
    with connected(server) as connection:  # which has the engine load what it needs
        connection.sendall(request(first))
        assert first.journal.wait(1, PATIENCE)
        assert received(connection).end == "closed"
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No fault makes the server complain."""
    yield
    warned = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert [r.getMessage() for r in warned] == []


LoggedLike = Callable[[Exchange], bool]


@pytest.fixture
def logged_like(caplog: pytest.LogCaptureFixture) -> LoggedLike:
    """Whether the last line of the access log says the same of a request as the journal."""
    caplog.set_level(logging.INFO, "soundalike.access")

    def is_same(exchange: Exchange) -> bool:
        record = [each for each in caplog.records if each.name == "soundalike.access"][-1]
        seen: Observation = record.observation  # type: ignore[attr-defined]
        assert f" {exchange.status or 'unanswered'} " in record.getMessage()
        assert record.getMessage().endswith(", broken off") == (not exchange.complete)
        assert (seen.first_byte is None) == (exchange.first_byte is None)
        return (seen.request_id, seen.status, seen.size, seen.complete) == (
            exchange.id,
            exchange.status,
            exchange.response_bytes,
            exchange.complete,
        )

    return is_same


@dataclass
class Received:
    """What came over a connection, and how it ended: `open`, `closed` or `reset`."""

    data: bytes = b""
    end: str = "open"
    pieces: list[bytes] = field(default_factory=list)

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


def request(
    scope: Scope, body: dict[str, Any] | None = SPEECH, headers: str = "connection: close\r\n"
) -> bytes:
    """A request for speech, or for the list of models; by default the last of its connection."""
    prefix = f"/s/{scope.name}/v1"
    line = f"POST {prefix}/audio/speech" if body else f"GET {prefix}/models"
    data = json.dumps(body).encode() if body else b""
    head = (
        f"{line} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer sk-test-0123456789\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n{headers}\r\n"
    )
    return head.encode() + data


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    with socket.create_connection(served.listening.getsockname(), PATIENCE) as connection:
        yield connection


def received(connection: socket.socket) -> Received:
    """Everything until the end of the connection, or until nothing more comes."""
    got = Received()
    connection.settimeout(SILENCE)
    while True:
        try:
            piece = connection.recv(2**16)
        except TimeoutError:
            return got
        except ConnectionResetError:
            got.end = "reset"
            return got
        if not piece:
            got.end = "closed"
            return got
        got.data += piece
        got.pieces.append(piece)


def answer(served: Served, sent: bytes) -> Received:
    with connected(served) as connection:
        connection.sendall(sent)
        return received(connection)


def journalled(scope: Scope) -> Exchange:
    """The only exchange of a scope, after it has ended."""
    assert scope.journal.settle(PATIENCE)
    (exchange,) = scope.journal.all()
    return exchange


def dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole


@pytest.fixture(scope="module")
def models(served: Served) -> bytes:
    """The list of models, as JSON."""
    return answer(served, request(served.scope(), None)).body


@pytest.fixture(scope="module")
def audio(served: Served) -> bytes:
    """Speech."""
    audio = dechunked(answer(served, request(served.scope())).body)
    assert len(audio) > 10_000
    return audio


@pytest.mark.parametrize(
    ("kind", "end", "data"),
    [
        ("hang", "open", b""),
        ("reset", "reset", b""),
        ("empty", "closed", b""),
        ("garbage", "closed", Garbage().data()),
    ],
)
def test_no_answer_at_all(
    served: Served, logged_like: LoggedLike, kind: str, end: str, data: bytes
) -> None:
    scope = served.scope()
    scope.faults.add(fault(kind, {}))
    got = answer(served, request(scope))
    assert (got.end, got.data) == (end, data)
    exchange = journalled(scope)
    assert (exchange.fault, exchange.answered_by) == (kind, f"fault:{kind}")
    assert (exchange.status, exchange.complete) == (None, False)
    assert exchange.response_bytes == len(data)
    until(served.idle)
    assert logged_like(exchange)


def test_the_journal_knows_of_a_request_that_hangs(served: Served) -> None:
    scope = served.scope()
    scope.faults.add(fault("hang", {}))
    with connected(served) as connection:
        connection.sendall(request(scope))
        (exchange,) = scope.journal.wait(1, PATIENCE)
        assert (exchange.fault, exchange.ended) == ("hang", None)
    assert journalled(scope).ended is not None


def test_a_journal_that_was_emptied_meanwhile_stays_so(served: Served) -> None:
    scope = served.scope()
    scope.faults.add(fault("hang", {}))
    with connected(served) as connection:
        connection.sendall(request(scope))
        scope.journal.wait(1, PATIENCE)
        scope.reset()
    assert scope.journal.settle(PATIENCE)
    assert scope.journal.all() == []


@pytest.mark.parametrize(
    ("kind", "options", "end"),
    [
        ("reset_after_headers", {}, "reset"),
        ("truncate", {"share": 0.25}, "closed"),
        ("truncate", {"framing": "chunked", "after_bytes": 10}, "closed"),
        ("truncate", {"framing": "close"}, "closed"),
        ("bad_chunk", {}, "closed"),
        ("stall", {"after_bytes": 7}, "open"),
    ],
)
def test_a_part_of_an_answer(
    served: Served,
    logged_like: LoggedLike,
    models: bytes,
    kind: str,
    options: dict[str, Any],
    end: str,
) -> None:
    scope = served.scope()
    active = scope.faults.add(fault(kind, options))
    got = answer(served, request(scope, None))
    assert got.end == end
    assert got.data.startswith(b"HTTP/1.1 200 OK\r\n")
    part = b"" if kind == "reset_after_headers" else active.fault.part(models)  # type: ignore[attr-defined]
    framing = options.get("framing", "chunked" if kind == "bad_chunk" else "length")
    if framing == "chunked":
        assert b"transfer-encoding: chunked" in got.head
        good = b"%x\r\n%b\r\n" % (len(part), part)
        assert got.body.startswith(good)
        rest = got.body.removeprefix(good)
        assert rest.startswith(b"xyz\r\n") if kind == "bad_chunk" else rest == b""
    else:
        assert (b"content-length: %d" % len(models) in got.head) == (framing == "length")
        assert b"transfer-encoding" not in got.head
        assert got.body == part
    exchange = journalled(scope)
    assert (exchange.fault, exchange.status, exchange.complete) == (kind, 200, False)
    assert exchange.response_bytes == len(part)
    if part:
        assert exchange.response_sha256 is not None
        assert scope.bodies.read(exchange.response_sha256) == part
    assert b"x-request-id: " + exchange.response_headers["x-request-id"].encode() in got.head
    until(served.idle)
    assert logged_like(exchange)


def test_drops_make_a_whole_answer(served: Served, models: bytes) -> None:
    scope = served.scope()
    scope.faults.add(fault("drip", {"size": len(models) // 10, "seconds": 0.02}))
    got = answer(served, request(scope, None))
    assert got.body == models
    assert len(got.pieces) > 5
    assert journalled(scope).complete


def test_a_client_may_leave_between_two_drops(served: Served) -> None:
    scope = served.scope()
    scope.faults.add(fault("drip", {"size": 1, "seconds": 60}))
    with connected(served) as connection:
        connection.sendall(request(scope, None))
        connection.recv(20)
    exchange = journalled(scope)
    assert (exchange.status, exchange.complete) == (200, False)
    until(served.idle)


def test_nobody_is_asked_for_an_answer_that_nobody_waits_for(served: Served) -> None:
    scope = served.scope()
    scope.faults.add(fault("latency", {"seconds": 60}))
    with connected(served) as connection:
        connection.sendall(request(scope))
        assert received(connection) == Received()
    exchange = journalled(scope)
    assert (exchange.status, exchange.answered_by) == (None, "fault:latency")
    until(served.idle)


@pytest.mark.parametrize(("damage", "at"), [("cut", 11), ("broken", 11)])
def test_json_that_is_none(served: Served, models: bytes, damage: str, at: int) -> None:
    scope = served.scope()
    scope.faults.add(fault("bad_json", {"damage": damage, "after_bytes": at}))
    got = answer(served, request(scope, None))
    assert got.data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-type: application/json" in got.head
    assert b"content-length: %d" % len(got.body) in got.head
    with pytest.raises(json.JSONDecodeError):
        json.loads(got.body)
    assert (got.body == models[:at]) == (damage == "cut")
    assert journalled(scope).complete


def test_a_type_that_is_wrong(served: Served, models: bytes) -> None:
    scope = served.scope()
    scope.faults.add(fault("wrong_content_type", {"content_type": "text/plain; charset=x"}))
    got = answer(served, request(scope, None))
    assert got.head.count(b"\r\ncontent-type:") == 1
    assert b"\r\ncontent-type: text/plain; charset=x" in got.head
    assert got.body == models


def test_speech_is_damaged_in_the_same_places_every_time(served: Served, audio: bytes) -> None:
    scope = served.scope()
    scope.faults.add(fault("corrupt_audio", {}))
    first, second = (answer(served, request(scope)) for _ in range(2))
    assert b"content-type: audio/wav" in first.head
    assert dechunked(first.body) == dechunked(second.body) == CorruptAudio().damaged(audio)


def test_a_stream_without_its_end(served: Served) -> None:
    whole = dechunked(answer(served, request(served.scope(), EVENTS)).body)
    scope = served.scope()
    scope.faults.add(fault("sse_cut", {"events": 2}))
    got = answer(served, request(scope, EVENTS))
    assert b"content-type: text/event-stream" in got.head
    assert got.body.endswith(b"0\r\n\r\n")
    frames = whole.split(b"\r\n\r\n")
    assert dechunked(got.body) == b"".join(frame + b"\r\n\r\n" for frame in frames[:2])


def test_a_stream_that_fails(served: Served) -> None:
    scope = served.scope()
    scope.faults.add(fault("sse_error", {"events": 1, "message": "No.", "code": "tired"}))
    body = dechunked(answer(served, request(scope, EVENTS)).body)
    first, error, rest = body.split(b"\r\n\r\n")
    assert b"speech.audio.delta" in first
    assert json.loads(error.removeprefix(b"data: ")) == {
        "error": {"message": "No.", "type": "server_error", "param": None, "code": "tired"}
    }
    assert rest == b""


@pytest.mark.parametrize("kind", ["bad_json", "wrong_content_type", "sse_cut", "corrupt_audio"])
def test_a_refusal_is_not_harmed(served: Served, kind: str) -> None:
    refused = SPEECH | {"voice": "nobody"}
    usual = answer(served, request(served.scope(), refused))
    scope = served.scope()
    scope.faults.add(fault(kind, {}))
    got = answer(served, request(scope, refused))
    assert got.data.startswith(b"HTTP/1.1 400 ")
    assert got.body == usual.body


@pytest.mark.parametrize(
    ("kind", "body", "needs", "type_"),
    [
        ("bad_json", SPEECH, "an answer in JSON", "audio/wav"),
        ("sse_cut", SPEECH, STREAM, "audio/wav"),
        ("sse_error", None, STREAM, "application/json"),
        ("corrupt_audio", None, "speech that comes as audio", "application/json"),
    ],
)
def test_what_cannot_be_harmed_so_is_refused(
    served: Served, kind: str, body: dict[str, Any] | None, needs: str, type_: str
) -> None:
    scope = served.scope()
    scope.faults.add(fault(kind, {}))
    got = answer(served, request(scope, body))
    assert got.data.startswith(b"HTTP/1.1 400 ")
    message = json.loads(got.body)["error"]["message"]
    assert message == (
        f"The fault '{kind}' needs {needs}; the answer to this request is of type '{type_}'."
    )
    assert journalled(scope).error == message


def test_a_header_that_asks_for_no_fault_is_refused(served: Served) -> None:
    scope = served.scope()
    got = answer(served, request(scope, headers="X-Soundalike-Fault: explode\r\n"))
    assert got.data.startswith(b"HTTP/1.1 400 ")
    assert "No fault is called 'explode'" in json.loads(got.body)["error"]["message"]
    assert f"x-request-id: {journalled(scope).id}".encode() in got.data.lower()


def test_requests_of_one_connection_fail_one_by_one(served: Served, models: bytes) -> None:
    """Whatever leaves a connection as it was, leaves it fit for the next request."""
    scope = served.scope()
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("status", {"status": 429}),
        ("latency", {"seconds": 0.01}),
        ("drip", {"size": 500, "seconds": 0.001}),
        ("bad_json", {}),
        ("wrong_content_type", {}),
        ("corrupt_audio", {}),
    ]
    with connected(served) as connection:
        for kind, options in kinds:
            scope.faults.add(fault(kind, {**options, "times": 1}))
            body = SPEECH if kind == "corrupt_audio" else None
            connection.sendall(request(scope, body, headers=""))
            assert received(connection).end == "open"
        connection.sendall(request(scope, None, headers=""))
        got = received(connection)
        assert (got.body, got.end) == (models, "open")
    exchanges = scope.journal.all()
    assert [e.fault for e in exchanges] == [*(kind for kind, _ in kinds), None]
    assert all(e.complete for e in exchanges)


@pytest.mark.parametrize("kind", ["empty", "reset", "garbage", "truncate", "bad_chunk"])
def test_a_request_behind_one_whose_connection_ends_is_lost(served: Served, kind: str) -> None:
    scope = served.scope()
    scope.faults.add(fault(kind, {"times": 1}))
    got = answer(served, request(scope, None, headers="") * 2)
    assert got.end in ("closed", "reset")
    assert got.data.count(b"HTTP/1.1 ") == (kind in ("truncate", "bad_chunk"))
    assert journalled(scope).fault == kind
    until(served.idle)


def test_the_next_connection_is_as_good_as_any(served: Served, models: bytes) -> None:
    scope = served.scope()
    for kind in ("reset", "empty", "garbage", "truncate", "bad_chunk"):
        scope.faults.add(fault(kind, {"times": 1}))
        answer(served, request(scope, None))
        assert answer(served, request(scope, None)).body == models


@pytest.mark.parametrize(
    ("kind", "options"),
    [("hang", {}), ("stall", {}), ("latency", {"seconds": 60}), ("drip", {"seconds": 60})],
)
def test_a_server_stops_whoever_still_waits(
    tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    served = Served(tmp_path)
    scope = served.scope()
    scope.faults.add(fault(kind, options))
    with connected(served) as connection:
        connection.sendall(request(scope, None))
        until(lambda: bool(served.server.server_state.tasks))
        received(connection)
        served.stop()
        assert not served.thread.is_alive()
        assert received(connection).end in ("closed", "reset")


def test_an_answer_is_journalled_before_its_last_byte_leaves(served: Served) -> None:
    scope = served.scope()
    scope.faults.add(fault("drip", {"size": 1000, "seconds": 0.2}))
    with connected(served) as connection:
        connection.sendall(request(scope, None, headers=""))
        got = Received()
        while b"content-length: " not in got.head or len(got.body) < _length(got.head):
            got.data += connection.recv(2**16)
        (exchange,) = scope.journal.all()
    assert exchange.complete
    assert exchange.response_bytes == len(got.body)


def _length(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].split()[0])
