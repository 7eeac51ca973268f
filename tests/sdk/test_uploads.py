"""Uploads over a real connection, byte by byte."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

HEAD = (
    b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer sk-test\r\nContent-Type: multipart/form-data; boundary=x\r\n"
)
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
MODEL = b"\r\n--x\r\nContent-Disposition: form-data; name=model\r\n\r\nwhisper-1\r\n--x--\r\n"
PAUSE = threading.Event()
"""Never set: waited for between two looks at the disk."""


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(serve: Any, temporary: Path) -> Iterator[Any]:
    with serve("--engine", "stub", "--fixture", "off", TMPDIR=str(temporary)) as running:
        yield running


def connect(server: Any) -> socket.socket:
    url = urlsplit(server.base_url)
    return socket.create_connection((url.hostname, url.port), timeout=30)


def spooled(temporary: Path) -> list[Path]:
    return list(temporary.glob("soundalike-*/uploads/*"))


def wait_until(what: Any) -> None:
    for _ in range(1000):
        if what():
            return
        PAUSE.wait(0.02)
    raise AssertionError("in vain")


def test_a_chunked_upload_without_a_length(server: Any) -> None:
    with openai.OpenAI(base_url=server.base_url, api_key="sk-test") as sdk:
        spoken = sdk.audio.speech.create(
            model="tts-1", voice="alloy", input="In many small pieces."
        )
    body = FILE + spoken.content + MODEL
    with connect(server) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for start in range(0, len(body), 997):
            piece = body[start : start + 997]
            client.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        answer = client.makefile("rb").read()
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(content)["text"] == "In many small pieces."


def test_a_client_that_hangs_up_leaves_no_file(server: Any, temporary: Path) -> None:
    with connect(server) as client:
        client.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + FILE + bytes(600_000))
        wait_until(lambda: spooled(temporary))
    wait_until(lambda: not spooled(temporary))
    assert "Traceback" not in "".join(server.output)


def test_a_refusal_is_heard_by_a_client_that_sends_everything_first(server: Any) -> None:
    """The form is broken from the start, and longer than the buffers of a connection."""
    length = 20 * 2**20
    with connect(server) as client:
        client.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % length)
        client.sendall(b"--x\r\nno header\r\n\r\n".ljust(length, b"."))
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Could not parse multipart form" in answer


def test_a_client_that_asks_first_is_refused_before_it_sends_too_much(server: Any) -> None:
    with connect(server) as client:
        client.sendall(HEAD + b"Content-Length: 30000000\r\nExpect: 100-continue\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")  # and no `100 Continue` before it
    assert b"(30000000 bytes read)" in answer
