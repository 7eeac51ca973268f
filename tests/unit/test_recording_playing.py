"""How a recorded answer is sent."""

import asyncio
from typing import Any, Literal

import pytest

from soundalike.fixture.recordings.playing import Outlet, Tape, play
from soundalike.fixture.recordings.recorded import RecordedAnswer, RecordedRequest, Recording

REQUEST = RecordedRequest(endpoint="speech", method="POST", path="/audio/speech")


def played(
    answer: RecordedAnswer, body: bytes, timing: Literal["none", "real"] = "none"
) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    recording = Recording(id="0001", request=REQUEST, answer=answer)
    asyncio.run(play(recording, body, send, timing=timing))
    return messages


def pieces(messages: list[dict[str, Any]]) -> list[tuple[bytes, bool]]:
    return [(message["body"], message["more_body"]) for message in messages[1:]]


def test_a_chunked_answer_comes_in_its_chunks_and_then_ends() -> None:
    answer = RecordedAnswer(
        status=200, headers={"content-type": "audio/mpeg"}, chunks="0.1:2 0.2:3"
    )
    messages = played(answer, b"abcde")
    assert messages[0]["status"] == 200
    assert messages[0]["headers"] == [(b"content-type", b"audio/mpeg")]
    assert pieces(messages) == [(b"ab", True), (b"cde", True), (b"", False)]


def test_the_last_byte_of_a_known_length_ends_the_answer() -> None:
    answer = RecordedAnswer(status=201, headers={"content-length": "5"}, chunks="0:2 0:3")
    assert pieces(played(answer, b"abcde")) == [(b"ab", True), (b"cde", False)]


def test_a_body_that_was_edited_is_sent_whole_with_its_length() -> None:
    answer = RecordedAnswer(status=200, headers={"content-length": "5"}, chunks="0:2 0:3")
    messages = played(answer, b"edited")
    assert messages[0]["headers"] == [(b"content-length", b"6")]
    assert pieces(messages) == [(b"edited", False)]


def test_an_empty_body_is_an_answer_too() -> None:
    answer = RecordedAnswer(status=204)
    assert pieces(played(answer, b"")) == [(b"", False)]


@pytest.mark.parametrize(("timing", "slept"), [("none", []), ("real", [0.5, 0.1, 0.2])])
def test_delays_are_kept_only_if_asked_for(
    monkeypatch: pytest.MonkeyPatch, timing: Literal["none", "real"], slept: list[float]
) -> None:
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr("soundalike.fixture.recordings.playing.asyncio.sleep", sleep)
    answer = RecordedAnswer(status=200, delay=0.5, chunks="0.1:2 0.2:3")
    played(answer, b"abcde", timing)
    assert delays == slept


def test_a_tape_tells_chunks_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.25, 10.5, 10.501])
    monkeypatch.setattr(
        "soundalike.fixture.recordings.playing.time.perf_counter", lambda: next(clock)
    )
    tape = Tape()
    tape.head()
    tape.chunk(b"ab")
    tape.chunk(b"c")
    answer, body = tape.taken(200, {"content-type": "audio/mpeg"})
    assert (answer.delay, answer.chunks, body) == (0.25, "0.25:2 0.001:1", b"abc")


def test_an_outlet_holds_back_what_completes_an_answer() -> None:
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def run() -> None:
        out = Outlet(send, 3)
        await out.head(200, {})
        await out.chunk(b"ab")
        await out.chunk(b"c")
        assert sent == [b"", b"ab"]
        await out.end()

    asyncio.run(run())
    assert sent == [b"", b"ab", b"c"]
