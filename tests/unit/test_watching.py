"""What the journal knows at the moment at which a client can know it."""

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message

from soundalike.fixture.exchange import Exchange
from soundalike.fixture.journal import Bodies
from soundalike.fixture.scopes import Scope
from soundalike.fixture.watching import Watching

DELTA = b'data: {"type":"transcript.text.delta","delta":"a"}\r\n\r\n'
DONE = b"data: [DONE]\r\n\r\n"
SPOKEN = b'data: {"type":"speech.audio.done","usage":{}}\r\n\r\n'


def watched(
    folder: Path, headers: dict[bytes, bytes], chunks: list[bytes]
) -> list[tuple[bytes, bool]]:
    """The chunks that are sent, and whether the exchange was journalled as complete before each."""
    scope = Scope("test", Bodies(folder))
    sent: list[tuple[bytes, bool]] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append((message["body"], any(one.complete for one in scope.journal.all())))

    async def answer() -> None:
        exchange = Exchange("req_1", 1, "test", "other", "GET", "/v1/x")
        watch = Watching(send, scope, exchange, era=0)
        start = {"type": "http.response.start", "status": 200, "headers": list(headers.items())}
        await watch.send(start)
        for chunk in chunks:
            await watch.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await watch.send({"type": "http.response.body", "body": b""})

    asyncio.run(answer())
    return sent


@pytest.mark.parametrize("last", [DONE, SPOKEN, SPOKEN + DONE])
def test_the_end_of_a_stream_of_events(tmp_path: Path, last: bytes) -> None:
    headers = {b"content-type": b"text/event-stream; charset=utf-8"}
    assert watched(tmp_path, headers, [DELTA, last]) == [(DELTA, False), (last, True)]
    assert watched(tmp_path, headers, [DELTA + last]) == [(DELTA + last, True)]


def test_the_length_that_the_headers_tell(tmp_path: Path) -> None:
    headers = {b"content-length": b"4"}
    assert watched(tmp_path, headers, [b"ab", b"cd"]) == [
        (b"ab", False),
        (b"cd", True),
        (b"", True),
    ]


def test_what_only_looks_like_the_end(tmp_path: Path) -> None:
    headers = {b"content-type": b"audio/wav"}
    assert watched(tmp_path, headers, [DONE]) == [(DONE, False), (b"", True)]
