"""Places and memory that uploads wait for, and what the server learns of it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from soundalike.audio.allowance import SHORT, Allowance, Places, Room
from soundalike.audio.confined import AVAILABLE, ConfinedDecoder
from soundalike.audio.uploads import InlineDecoder
from soundalike.engines.underway import AbandonedError, Underway
from soundalike.errors import OverloadedError, UndecodableAudioError

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="processes are confined on Linux only")

LONG = 60.0
"""Seconds to wait for what takes a moment."""


def test_only_so_many_are_decoded_at_once(
    own: ConfinedDecoder, hours_of_silence: Path, wav: Any, decoding: Any, processes: Any
) -> None:
    own._places = Places(1)
    own._places.long.reserve(1)  # else the first goes there as soon as it has turned out long
    first = decoding(lambda: own.decode(hours_of_silence))
    processes.busy(own.pid)
    waits = threading.Event()

    class Watched(Underway):
        def come_forward(self) -> None:
            waits.set()
            super().come_forward()

    job = Watched()

    def work() -> None:
        with job.stepping():
            own.decode(wav(1.0))

    second = decoding(work)
    assert waits.wait(LONG)
    assert len(processes.confined(own.pid)) == 1
    job.abandon()
    assert isinstance(second.ended(), AbandonedError)
    assert own._places.short.left == 0
    own.close()
    first.ended()
    assert own._places.short.left == 1


def test_samples_take_up_room_until_they_are_gone(new_decoder: Any, wav: Any) -> None:
    room = Room(short=2 * SHORT, long=4 * SHORT)
    decoder = new_decoder(room=room)
    path = wav(1.0)
    short = decoder.decode(path)
    assert room.short.left == 2 * SHORT - short.nbytes
    long = decoder.decode(wav(700.0, 1000))
    assert room.short.left == 2 * SHORT - short.nbytes
    assert room.long.left == 4 * SHORT - long.nbytes
    part = long[5:10]
    del long, short
    assert (room.short.left, room.long.left) == (2 * SHORT, 4 * SHORT - 700 * 64_000)
    del part
    assert room.long.left == 4 * SHORT
    path.write_bytes(b"no audio")
    with pytest.raises(UndecodableAudioError):
        decoder.decode(path)
    assert room.short.left == 2 * SHORT


@pytest.mark.parametrize("task", ["decode", "inspect"])
def test_a_job_begins_when_its_upload_need_not_wait_any_more(
    own: ConfinedDecoder, wav: Any, decoding: Any, in_line: Any, task: str
) -> None:
    path = wav(1.0)
    own._room, own._places = Room(short=SHORT), Places(1)
    room, place = own._room.short.reserve(SHORT), own._places.short.reserve(1)
    begun = threading.Event()
    job = Underway(begun.set)

    def work() -> None:
        with job.stepping():
            getattr(own, task)(path)

    waiting = decoding(work)
    if task == "decode":
        in_line(own._room.short)
        assert not begun.is_set()
    room.end()
    in_line(own._places.short)
    assert not begun.is_set()
    place.end()
    assert waiting.ended() is None
    assert begun.is_set()


def test_a_job_begins_at_once_where_uploads_do_not_wait(wav: Any) -> None:
    path = wav(1.0)
    for task in (InlineDecoder().decode, InlineDecoder().inspect):
        job = Underway()
        with job.stepping():
            task(path)
        assert job.begun


def test_a_long_upload_is_told_to_come_back_where_as_many_wait_as_may(
    new_decoder: Any, wav: Any, decoding: Any, in_line: Any
) -> None:
    room = Room(short=2 * SHORT, long=2 * SHORT)
    room.long = Allowance(2 * SHORT, longest=1)
    decoder = new_decoder(room=room)
    others = room.long.reserve(SHORT)
    path = wav(700.0, 1000)
    waiting = decoding(lambda: decoder.decode(path))
    in_line(room.long)
    with pytest.raises(OverloadedError, match="try again later") as told_to:
        decoder.decode(path)
    assert told_to.value.retry_after == 1
    assert room.short.left == 2 * SHORT
    others.end()
    assert waiting.ended() is None
    assert len(decoder.decode(path)) == 700 * 16_000


def test_a_long_upload_waits_for_room_and_a_short_one_does_not(
    new_decoder: Any, wav: Any, decoding: Any, in_line: Any
) -> None:
    room = Room(short=2 * SHORT, long=2 * SHORT)
    decoder = new_decoder(room=room)
    others = room.long.reserve(SHORT)
    long: list[int] = []
    told: list[str] = []
    job = Underway(lambda: told.append("begun"), lambda: told.append("waits"))
    path = wav(700.0, 1000)

    def work() -> None:
        with job.stepping():
            long.append(len(decoder.decode(path)))

    waiting = decoding(work)
    in_line(room.long)
    assert told == ["begun", "waits"], "how long it is shows only while it is decoded"
    assert len(decoder.decode(wav(1.0))) == 16_000
    assert long == []
    others.end()
    assert waiting.ended() is None
    assert told == ["begun", "waits", "begun"]
    assert long == [700 * 16_000]
    assert room.long.left == 2 * SHORT
