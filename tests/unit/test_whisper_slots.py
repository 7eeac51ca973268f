"""Whose turn it is: works that wait in one line for a few threads."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from soundalike.engines.underway import AbandonedError, Underway
from soundalike.engines.whisper.slots import NEWCOMER_LEAD, NEWCOMER_WORKS, Slots


@pytest.fixture
def slots() -> Iterator[Slots]:
    opened = Slots(1)
    yield opened
    opened.close()


class Gate:
    """Keeps a slot busy until it is opened."""

    def __init__(self, slots: Slots) -> None:
        self._open = threading.Event()
        running = threading.Event()

        def hold() -> None:
            running.set()
            self._open.wait(10)

        self.future = slots.submit(hold)
        assert running.wait(10)

    def open(self) -> None:
        self._open.set()


def numbered(done: list[str], job: str, number: int) -> Callable[[], str]:
    def work() -> str:
        done.append(f"{job}{number}")
        return f"{job}{number}"

    return work


def test_results_come_in_order(slots: Slots) -> None:
    works = [numbered([], "a", number) for number in range(20)]
    assert list(slots.turns().in_order(works)) == [f"a{number}" for number in range(20)]


def test_several_threads_work_side_by_side() -> None:
    slots = Slots(2)
    meeting = threading.Barrier(2)
    assert sorted(slots.turns().in_order([lambda: meeting.wait(10)] * 2)) == [0, 1]
    slots.close()


def test_works_are_taken_no_further_ahead_than_keeps_the_slots_busy(slots: Slots) -> None:
    taken: list[int] = []

    def works() -> Iterator[Callable[[], int]]:
        for number in range(10):
            taken.append(number)
            yield lambda: 0

    results = slots.turns().in_order(works())
    next(results)
    assert taken == [0, 1]


def test_who_comes_new_does_not_wait_behind_what_others_have_queued(slots: Slots) -> None:
    done: list[str] = []
    gate = Gate(slots)
    long = slots.turns()
    futures = [long._submit(numbered(done, "long", number)) for number in range(6)]
    new = slots.turns()._submit(numbered(done, "new", 0))
    gate.open()
    new.result(10)
    for future in futures:
        future.result(10)
    assert done.index("new0") < done.index("long2")


def test_many_newcomers_do_not_keep_a_long_job_out(slots: Slots) -> None:
    done: list[str] = []
    gate = Gate(slots)
    long = slots.turns()
    for _ in range(3):
        waiting = long._submit(numbered(done, "long", 0))
    for number in range(NEWCOMER_LEAD + 10):
        last = slots.turns()._submit(numbered(done, "new", number))
    gate.open()
    last.result(10)
    waiting.result(10)
    assert done.index("long0") < len(done) - 5


def test_an_error_belongs_to_whoever_waits_for_the_result(slots: Slots) -> None:
    def broken() -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        slots.turns().take(broken)
    assert slots.turns().take(lambda: "alive") == "alive"


def test_what_has_not_begun_is_cancelled_with_the_iterator() -> None:
    slots = Slots(1)
    done: list[str] = []
    results = slots.turns().in_order(numbered(done, "a", number) for number in range(100))
    assert next(results) == "a0"
    results.close()  # type: ignore[attr-defined]
    slots.close()
    assert len(done) <= 3


def test_a_newcomer_s_work_is_done_between_the_steps_of_another(slots: Slots) -> None:
    done: list[str] = []
    begun, goes_on = threading.Event(), threading.Event()

    def long_work() -> None:
        done.append("first step")
        begun.set()
        goes_on.wait(10)
        slots.give_way()
        done.append("last step")

    long = slots.submit(long_work)
    assert begun.wait(10)
    other = slots.submit(numbered(done, "long", 2))
    new = slots.turns()._submit(numbered(done, "new", 1))
    goes_on.set()
    for future in (long, other, new):
        future.result(10)
    assert done == ["first step", "new1", "last step", "long2"]


def test_a_newcomer_gives_way_to_nobody(slots: Slots) -> None:
    done: list[str] = []
    begun, goes_on = threading.Event(), threading.Event()

    def new_work() -> None:
        begun.set()
        goes_on.wait(10)
        slots.give_way()
        done.append("first")

    first = slots.turns()._submit(new_work)
    assert begun.wait(10)
    second = slots.turns()._submit(numbered(done, "second", 0))
    goes_on.set()
    first.result(10)
    second.result(10)
    assert done == ["first", "second0"]


def test_newcomers_between_the_steps_do_not_keep_the_last_one_out(slots: Slots) -> None:
    done: list[str] = []
    begun, goes_on = threading.Event(), threading.Event()

    def long_work() -> None:
        begun.set()
        goes_on.wait(10)
        slots.give_way()
        done.append("last step")

    long = slots.submit(long_work)
    assert begun.wait(10)
    for number in range(NEWCOMER_LEAD + 10):
        last = slots.turns()._submit(numbered(done, "new", number))
    goes_on.set()
    long.result(10)
    last.result(10)
    assert 0 < done.index("last step") <= NEWCOMER_LEAD


def test_the_wait_for_a_slot_is_the_wait_for_ones_turn(slots: Slots) -> None:
    told: list[str] = []
    waits = threading.Event()

    def on_wait() -> None:
        told.append("waits")
        waits.set()

    job = Underway(lambda: told.append("begun"), on_wait)
    gate = Gate(slots)

    def listen() -> None:
        with job.stepping():
            job.begin()
            turns = slots.turns()
            turns.take(lambda: told.append("language"))
            turns.take(lambda: told.append("text"))

    listening = threading.Thread(target=listen)
    listening.start()
    assert waits.wait(10)
    gate.open()
    listening.join(10)
    assert told[:2] == ["begun", "waits"]
    assert [word for word in told if word in ("language", "text")] == ["language", "text"]
    assert told.count("begun") == told.count("waits") + 1
    assert job.begun


def test_who_waits_for_a_slot_and_is_not_wanted_any_more_gives_up(slots: Slots) -> None:
    done: list[str] = []
    waits = threading.Event()
    job = Underway(on_wait=waits.set)
    gate = Gate(slots)
    ended = threading.Event()

    def listen() -> None:
        with job.stepping():
            job.begin()
            with suppress(AbandonedError):
                slots.turns().take(numbered(done, "left", 0))
            ended.set()

    threading.Thread(target=listen).start()
    assert waits.wait(10)
    job.abandon()
    assert ended.wait(10)
    gate.open()
    slots.submit(lambda: None).result(10)
    assert done == []


def test_later_works_wait_as_a_part_of_their_job(slots: Slots) -> None:
    told: list[str] = []
    job = Underway(on_wait=lambda: told.append("waits"))
    with job.stepping():
        job.begin()
        turns = slots.turns()
        for _ in range(NEWCOMER_WORKS):
            turns.take(lambda: None)
        told.clear()
        gate = Gate(slots)
        threading.Timer(0.1, gate.open).start()
        turns.take(lambda: None)
    assert told == []


class Recording:
    """Stands for what takes much memory; notes when it is gone."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        weakref.finalize(self, self.gone.set)

    def heard(self) -> str:
        return "heard"

    def broken(self) -> str:
        raise ValueError("broken")


def test_a_slot_that_waits_holds_no_recording(slots: Slots) -> None:
    recording = Recording()
    gone = recording.gone
    assert slots.turns().take(recording.heard) == "heard"
    del recording
    assert gone.wait(10)


def test_an_error_holds_no_recording(slots: Slots) -> None:
    def fail() -> threading.Event:
        recording = Recording()
        gone = recording.gone
        with suppress(ValueError):
            slots.turns().take(recording.broken)
        return gone

    gc.disable()
    try:
        assert fail().wait(10)
    finally:
        gc.enable()
