"""What decoding processes tell: nobody believes it, and it earns no more time than it may."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from soundalike.audio import told
from soundalike.audio.confined import AVAILABLE
from soundalike.audio.refusals import Refusal
from soundalike.audio.told import PACE, PATIENCE, READING, outcome
from soundalike.engines.underway import Underway
from soundalike.errors import ServerError, UndecodableAudioError

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="processes are confined on Linux only")

LONG = 60.0
"""Seconds to wait for what takes a moment."""

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def stream() -> Iterator[Ends]:
    """Our end, and that of a decoding process."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def line(**told: Any) -> bytes:
    return json.dumps(told).encode() + b"\n"


@pytest.mark.parametrize(
    "said",
    [
        b"no json\n",
        b"5\n",
        b"{}\n",
        b"[" * 10_000 + b"\n",
        b"\xff\xfe\n",
        b"x" * 100_000,
        line(heard="long") + line(ended=-11),
        line(heard=float("nan")) + line(ended=1),
        line(heard=-(10**400)),
        line(failed="ValueError: \n2026-01-01 INFO all is well"),
        line(refused=[]),
        line(refused={"kind": []}),
        line(refused=["made up", 1]),
        line(refused=[["too_long"], 1]),
        line(refused=["too_long"]),
        line(refused=["too_long", "x"]),
        line(refused=["too_long", float("inf")]),
        line(refused=["too_long", 10**400]),
        line(refused=ServerError("made up").fields()),
        line(surprise=True),
        line(claim=1),
    ],
)
def test_whatever_a_decoding_process_says_is_the_clients_mistake(
    stream: Ends, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = stream
    theirs.sendall(said)
    theirs.close()
    with pytest.raises(UndecodableAudioError):
        outcome(ours, patience=LONG, max_seconds=60)
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_a_refusal_is_told_in_the_hosts_own_words(stream: Ends) -> None:
    ours, theirs = stream
    theirs.sendall(line(refused=["too_long", 3600.5]))
    theirs.close()
    with pytest.raises(Refusal) as refusal:
        outcome(ours, patience=LONG, max_seconds=60)
    assert (refusal.value.reason, refusal.value.number) == ("too_long", 3600.5)


def test_what_was_heard_earns_no_more_than_the_longest_audio_would(
    stream: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = stream
    theirs.sendall(line(started=True) + line(heard=1e12) * 2)
    monkeypatch.setattr(told, "PACE", 600.0)
    with pytest.raises(TimeoutError):  # after a tenth of a second, not of an aeon
        outcome(ours, patience=0.0001, max_seconds=60)


def test_counted_packets_earn_no_more_than_the_file_has(
    stream: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    earned: list[float] = []
    monkeypatch.setattr(told._Told, "earn", lambda _, seconds: earned.append(seconds))
    ours, theirs = stream
    theirs.sendall(line(read=READING) + line(read=1e12) + line(heard=PACE) + line(done=None))
    outcome(ours, patience=LONG, max_seconds=60, size=2 * READING)
    assert earned == [1.0, 2.0, 3.0]


def test_only_more_sound_earns_more_time(stream: Ends) -> None:
    waiting = told._Told(stream[0], PATIENCE, lambda: None)
    first = waiting._deadline
    waiting.earn(5.0)
    waiting.earn(2.0)
    assert waiting._deadline == first + 5.0


def test_waiting_for_a_decoder_is_a_sign_of_life(
    stream: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deadline bounds it: what watches for jobs that are stuck must not take it for one."""
    signs: list[None] = []

    class Watched(Underway):
        def come_forward(self) -> None:
            super().come_forward()
            signs.append(None)

    monkeypatch.setattr(told, "WATCHFUL", 0.001)
    ours, theirs = stream
    with Watched().stepping():
        theirs.sendall(line(started=True))
        with pytest.raises(TimeoutError):
            outcome(ours, patience=0.05, max_seconds=60)
    assert len(signs) > 2
