"""More than a server can take: slow clients, many clients, and large ones."""

import io
import json
import socket
import threading
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="needs /proc")

MOST_MEMORY = 400 * 2**20
"""Bytes of the server's process. It starts with some 70 MB."""

SENTENCE = "One of very many who speak at the same time."


@pytest.fixture(scope="module")
def hasty(subject: Callable[..., AbstractContextManager[Any]]) -> Iterator[Any]:
    """A server that waits a second for its clients, and lets three connect."""
    with subject("--client-timeout", "1", "--max-connections", "3") as running:
        running.client.close()  # whose connection would be one of them
        yield running


def head(path: str, length: int, kind: str = "application/json") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-test\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


def answer_on(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, as they come over a connection that then is closed."""
    top, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def ended(client: socket.socket) -> bool:
    """Waits for the server to end a connection."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"POST /v1/audio/speech HTTP/1.1\r\nHost: loc"])
def test_who_does_not_send_a_head_is_hung_up_on(hasty: Any, sent: bytes) -> None:
    with hasty.connect() as client:
        client.sendall(sent)
        assert ended(client)


def test_who_does_not_send_the_body_is_told_so(hasty: Any) -> None:
    with hasty.connect() as client:
        client.sendall(head("/v1/audio/speech", 1000) + b"{")
        status, headers, body = answer_on(client)
    assert status == 408
    assert headers["connection"] == "close"
    assert headers["x-request-id"].startswith("req_")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_who_drips_the_body_is_told_so_too(hasty: Any) -> None:
    with hasty.connect() as client:
        client.sendall(head("/v1/audio/speech", 1000))
        dripping = threading.Event()

        def drip() -> None:
            with suppress(OSError):  # the connection is closed when it has been told
                while not dripping.wait(0.1):
                    client.send(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            # The first piece alone: what it goes on to send is answered with a reset.
            assert client.recv(2**16).startswith(b"HTTP/1.1 408 ")
        finally:
            dripping.set()
            thread.join()


def test_who_sends_slowly_but_steadily_is_served(hasty: Any) -> None:
    body = json.dumps(hasty.speech("steps=1")).encode().ljust(12_000)
    pause = threading.Event()
    with hasty.connect() as client:
        client.sendall(head("/v1/audio/speech", len(body)))
        for start in range(0, len(body), 2000):
            pause.wait(0.4)
            client.sendall(body[start : start + 2000])
        status, _, _ = answer_on(client)
    assert status == 200


def test_who_takes_nothing_of_the_answer_loses_its_job(hasty: Any) -> None:
    text = json.dumps(hasty.speech("name=untaken steps=100000 samples=240000")).encode()
    with hasty.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(head("/v1/audio/speech", len(text)) + text)
        hasty.wait_told("begin untaken")
        hasty.wait_told("end untaken")


def test_too_many_connections_are_refused_in_the_envelope_and_health_is_told(
    hasty: Any, wait_until: Any
) -> None:
    with ExitStack() as stack:
        bodies = json.dumps(hasty.speech("name=three steps=100000 samples=24000")).encode()
        for _ in range(3):
            client = stack.enter_context(hasty.connect())
            client.sendall(head("/v1/audio/speech", len(bodies)) + bodies)
        wait_until(lambda: hasty.told("begin three") == 3)
        with hasty.connect() as fourth:
            fourth.sendall(head("/v1/audio/speech", len(bodies)) + bodies)
            status, headers, body = answer_on(fourth)
        with hasty.connect() as probe:
            probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer_on(probe)[0] == 200
    assert status == 503
    assert headers["retry-after"] == "1"
    assert json.loads(body)["error"]["type"] == "server_error"
    wait_until(lambda: hasty.told("end three") == 3)


def test_who_waits_too_long_for_a_turn_is_told_when_to_come_back(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any, error_of: Any
) -> None:
    with subject("--queue-timeout", "1") as running, ExitStack() as stack:
        body = json.dumps(running.speech("name=held steps=100000 samples=24000")).encode()
        for _ in range(64):
            client = stack.enter_context(running.connect())
            client.sendall(head("/v1/audio/speech", len(body)) + body)
        wait_until(lambda: running.told("begin held") == 64)
        late = running.speak("name=late")
        assert late.status_code == 503
        assert late.headers["retry-after"] == "1"
        assert "waited too long" in error_of(late)["message"]
        assert running.told("begin late") == 0


def test_heads_and_forms_have_limits(shared: Any) -> None:
    with shared.connect() as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 150_000 + b"\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    many_files = [("file", (f"{n}.wav", b"x", "audio/wav")) for n in range(17)]
    many_fields = {f"field{n}": "x" for n in range(1001)}
    one_file = [("file", ("a.wav", b"x", "audio/wav"))]
    for files, fields in ((many_files, {}), (one_file, many_fields)):
        refused = shared.client.post(
            "/v1/audio/transcriptions", data={"model": "whisper-1"} | fields, files=files
        )
        assert refused.status_code == 400
        assert "multipart" in refused.json()["error"]["message"]
    long_head = b'--x\r\nContent-Disposition: form-data; name="' + b"n" * 10_000 + b'"\r\n\r\n'
    refused = shared.client.post(
        "/v1/audio/transcriptions",
        content=long_head + b"\r\n--x--\r\n",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert refused.status_code == 400


class Crowd:
    """Two hundred clients of the stub, each of which knows what it has to hear."""

    def __init__(self, running: Any) -> None:
        self._running = running
        self._speech = json.dumps(running.speech(SENTENCE)).encode()
        self._pcm = running.speak(SENTENCE).content
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(24_000)
            wav.writeframes(self._pcm)
        self._form = (
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            + file.getvalue()
            + b"\r\n--x--\r\n"
        )
        self._pause = threading.Event()

    def come(self, number: int) -> None:
        slow = number % 5 == 0
        if number % 4 == 0:
            path, kind, body = (
                "/v1/audio/transcriptions",
                "multipart/form-data; boundary=x",
                self._form,
            )
        else:
            path, kind, body = "/v1/audio/speech", "application/json", self._speech
        with self._running.connect() as client:
            client.sendall(head(path, len(body), kind))
            step = len(body) // 10 if slow else len(body)
            for start in range(0, len(body), step):
                self._pause.wait(0.05 if slow else 0)
                client.sendall(body[start : start + step])
            answer = b"".join(self._taken(client, slow=slow))
        top, _, content = answer.partition(b"\r\n\r\n")
        assert top.startswith(b"HTTP/1.1 200"), answer[:400]
        if number % 4 == 0:
            assert json.loads(content)["text"] == SENTENCE
        else:
            assert _dechunked(content) == self._pcm

    def _taken(self, client: socket.socket, *, slow: bool) -> Iterator[bytes]:
        while piece := client.recv(8192 if slow else 65536):
            yield piece
            self._pause.wait(0.02 if slow else 0)


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


def test_two_hundred_clients_at_once_are_all_served_and_health_is_told_meanwhile(
    subject: Callable[..., AbstractContextManager[Any]],
) -> None:
    with subject("--fixture", "off", "--queue", "300", engine="stub") as running:
        crowd = Crowd(running)
        server = psutil.Process(running.server.process.pid)
        most = 0
        with ThreadPoolExecutor(200) as pool:
            coming = [pool.submit(crowd.come, number) for number in range(200)]
            while not all(one.done() for one in coming):
                assert running.client.get("/healthz", timeout=5).status_code == 200
                most = max(most, server.memory_info().rss)
                threading.Event().wait(0.05)
        for one in coming:
            one.result()
        assert most < MOST_MEMORY


REFERENCE = b'--x\r\nContent-Disposition: form-data; name="known_speaker_references[]"\r\n\r\n'
PROMPT = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'
WIDE = "\U0001f600".encode()


FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("clients", "path", "kind", "sent"),
    [
        (150, "transcriptions", FORM, REFERENCE + WIDE * 750_000),
        (150, "transcriptions", FORM, PROMPT + WIDE * 750_000),
        (150, "voices", FORM, PROMPT + WIDE * 750_000),
        (350, "speech", "application/json", b'{"input": "' + b"a" * 1_000_000),
    ],
    ids=["references", "a prompt", "a name", "JSON"],
)
def test_texts_that_do_not_end_take_little_memory(
    subject: Callable[..., AbstractContextManager[Any]],
    wait_until: Any,
    clients: int,
    path: str,
    kind: str,
    sent: bytes,
) -> None:
    """Each of very many clients sends most of a text, and then nothing."""
    with subject("--fixture", "off", engine="stub") as running, ExitStack() as stack:
        server = psutil.Process(running.server.process.pid)
        looks = [server.memory_info().rss]

        def settled() -> bool:
            looks.append(server.memory_info().rss)
            return max(looks[-50:]) - min(looks[-50:]) < 2**20 and len(looks) > 50

        for _ in range(clients):
            client = stack.enter_context(running.connect())
            with suppress(ConnectionError):  # it may be refused before it has sent everything
                client.sendall(head(f"/v1/audio/{path}", len(sent) + 1000, kind) + sent)
        wait_until(settled)
        assert max(looks) < MOST_MEMORY
        assert running.speak(SENTENCE).status_code == 200


def test_who_takes_the_answer_slowly_but_steadily_is_served(hasty: Any) -> None:
    """By itself the kernel would ask for more only once a third of the megabytes that it holds is
    gone, for which this client takes far longer than the server waits."""
    text = json.dumps(hasty.speech("name=slow steps=100000 samples=24000")).encode()
    pause = threading.Event()
    with hasty.connect() as client:
        client.sendall(head("/v1/audio/speech", len(text)) + text)
        taken = 0
        for _ in range(100):
            pause.wait(0.05)
            taken += len(client.recv(12_000))
        assert taken > 500_000
        assert hasty.told("end slow") == 0
    hasty.wait_told("end slow")


def test_what_is_not_http_is_refused_in_the_envelope(shared: Any) -> None:
    with shared.connect() as client:
        client.sendall(b"HELO example.com\r\n\r\n")
        status, headers, body = answer_on(client)
    assert status == 400
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/json"
    error = json.loads(body)["error"]
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}


def test_an_idle_connection_is_closed_a_while_after_its_answer(shared: Any) -> None:
    with shared.connect() as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_on(client)[0] == 200  # which reads until the connection is closed


def test_silent_connections_take_no_more_than_their_share(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    """Those beyond the spare ones are reset; the spare ones have a second to ask for something."""
    with subject("--max-connections", "3", engine="stub") as running, ExitStack() as stack:
        running.client.close()
        silent = [stack.enter_context(running.connect()) for _ in range(60)]
        assert sum(_is_reset(client) for client in silent[35:]) == 25

        def health() -> bool:
            with running.connect() as probe, suppress(ConnectionError):
                probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return bool(probe.recv(12) == b"HTTP/1.1 200")
            return False

        wait_until(health)
        silent[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer_on(silent[0])[0] == 200


def _is_reset(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
