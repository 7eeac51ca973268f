"""What uploads share: who has how much of it, and who waits."""

import threading
from collections.abc import Callable

import pytest

from soundalike.audio.allowance import (
    LONG_LINE,
    SHORT,
    Allowance,
    FullError,
    Held,
    Place,
    Places,
    Room,
    places,
)
from soundalike.engines.underway import AbandonedError, Underway
from soundalike.served import RECORDINGS

LONG = 60.0
"""Seconds to wait for what takes a moment."""


def in_line(work: Callable[[], object], allowance: Allowance) -> threading.Thread:
    """A thread that waits for some of an allowance."""
    ahead = allowance.waiting
    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(int(LONG * 1000)):
        if allowance.waiting != ahead:
            return thread
        threading.Event().wait(0.001)
    raise AssertionError("nobody waits")


def test_nobody_waits_for_more_than_there_is() -> None:
    allowance = Allowance(10)
    share = allowance.reserve(99)
    assert allowance.left == 0
    assert share.resize(50)
    share.end()
    share.end()
    assert allowance.left == 10


def test_a_share_grows_by_what_is_left() -> None:
    allowance = Allowance(10)
    first, second = allowance.reserve(4), allowance.reserve(4)
    assert first.resize(6)
    assert not second.resize(5)
    assert allowance.left == 0
    assert first.resize(1)
    assert second.resize(5)
    assert allowance.left == 4


def test_who_waits_is_served_in_the_order_of_coming() -> None:
    allowance = Allowance(10)
    first = allowance.reserve(8)
    served: list[str] = []

    def have(amount: int, name: str) -> None:
        allowance.reserve(amount)
        served.append(name)

    waiting = [
        in_line(lambda: have(9, "large"), allowance),
        in_line(lambda: have(1, "small"), allowance),
    ]
    assert allowance.take(1) is None  # nor does anybody overtake them
    assert not first.resize(9)
    assert served == []
    first.end()
    for thread in waiting:
        thread.join(LONG)
    assert served == ["large", "small"]


def test_who_waits_comes_forward_and_leaves_the_line_when_abandoned() -> None:
    allowance = Allowance(1)
    allowance.reserve(1)
    job = Underway()
    failures: list[BaseException] = []

    def work() -> None:
        with job.stepping():
            try:
                allowance.reserve(1)
            except AbandonedError as failure:
                failures.append(failure)

    waiting = in_line(work, allowance)
    job.abandon()
    waiting.join(LONG)
    assert len(failures) == 1
    assert (allowance.waiting, allowance.left) == (0, 0)


def test_short_recordings_and_long_ones_have_room_of_their_own() -> None:
    room = Room(short=2 * SHORT, long=4 * SHORT)
    held = Held(room)
    assert (room.short.left, room.long.left) == (SHORT, 4 * SHORT)
    held.fit(SHORT)
    assert (room.short.left, room.long.left) == (SHORT, 4 * SHORT)
    held.fit(SHORT + 4)
    held.fit(2 * SHORT)
    assert (room.short.left, room.long.left) == (2 * SHORT, 2 * SHORT)
    other = Held(room)
    with pytest.raises(FullError):
        other.fit(3 * SHORT)
    third = room.long.reserve(2 * SHORT)
    with pytest.raises(FullError):
        held.fit(3 * SHORT)
    third.end()
    other.keep(100)
    assert room.short.left == 2 * SHORT - 100
    held.end()
    other.end()
    assert (room.short.left, room.long.left) == (2 * SHORT, 4 * SHORT)


def test_each_lane_has_room_for_a_short_recording_whatever_the_others_hold() -> None:
    room = Room()
    shares = [room.short.take(SHORT) for _ in range(RECORDINGS + 2)]
    assert all(shares)
    assert room.long.left == room.long.total


def test_long_recordings_that_wait_for_room_leave_half_of_the_lanes_to_others() -> None:
    assert RECORDINGS == 2 * LONG_LINE
    room = Room(long=2 * SHORT)
    first = room.long.reserve(SHORT)
    waiting = [in_line(lambda: Held(room, 2 * SHORT).end(), room.long) for _ in range(LONG_LINE)]
    with pytest.raises(FullError):
        Held(room, SHORT)
    assert room.long.waiting == LONG_LINE
    first.end()
    for thread in waiting:
        thread.join(LONG)
    Held(room, SHORT).end()
    assert (room.long.waiting, room.long.left) == (0, 2 * SHORT)


def test_who_has_waited_for_all_of_it_need_not_ask_again() -> None:
    room = Room(short=SHORT, long=2 * SHORT)
    held = Held(room, 9 * SHORT)
    held.fit(9 * SHORT)
    held.keep(SHORT)
    assert (room.short.left, room.long.left) == (SHORT, SHORT)


def test_the_only_upload_always_fits() -> None:
    room = Room(short=SHORT // 2, long=SHORT)
    held = Held(room)
    held.fit(2 * SHORT)
    held.fit(3 * SHORT)
    held.keep(3 * SHORT)
    assert room.long.left == 0
    held.end()
    assert room.long.left == SHORT


def test_long_recordings_leave_their_places_to_others() -> None:
    of = Places(1)
    first = Place(of)
    first.fit(SHORT)
    assert (of.short.left, of.long.left) == (0, 1)
    first.fit(SHORT + 4)
    assert (of.short.left, of.long.left) == (1, 0)
    second = Place(of)
    second.fit(SHORT + 4)  # but not to any number of others at once
    assert (of.short.left, of.long.left) == (0, 0)
    first.end()
    second.fit(SHORT + 4)
    assert (of.short.left, of.long.left) == (1, 0)
    second.end()
    assert (of.short.left, of.long.left) == (1, 1)


def test_two_places_at_least() -> None:
    assert places() >= 2
