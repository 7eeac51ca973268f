"""Jobs that are being worked on: whether they come forward, and whether anybody wants them."""

import threading
from concurrent.futures import Future

import pytest

from soundalike.engines.underway import AbandonedError, Underway, underway
from soundalike.engines.whisper.slots import Slots


def blocked(slots: Slots, gate: threading.Event) -> Future[bool]:
    """A work that keeps the only slot until the gate opens."""
    begun = threading.Event()

    def work() -> bool:
        begun.set()
        return gate.wait(10)

    blocking = slots.submit(work)
    assert begun.wait(10)  # else a newcomer's work would go before it
    return blocking


def test_a_step_is_looked_at_in_vain_until_it_comes_forward() -> None:
    job = Underway()
    assert [job.look(), job.look()] == [0, 0]  # no step is taken
    with job.stepping():
        assert [job.look(), job.look()] == [1, 2]
        job.come_forward()
        assert job.look() == 1
        job.check()
        assert job.look() == 2
    assert job.look() == 0
    with job.stepping():
        assert job.look() == 1


def test_a_slot_that_comes_forward_for_a_step_that_has_ended_begins_none() -> None:
    job = Underway()
    with job.stepping():
        pass
    job.come_forward()
    assert job.look() == 0


def test_a_job_begins_once() -> None:
    begun: list[str] = []
    job = Underway(lambda: begun.append("begun"))
    assert not job.begun
    job.begin()
    job.begin()
    assert job.begun
    assert begun == ["begun"]


def test_a_job_that_waits_once_more_begins_again() -> None:
    told: list[str] = []
    job = Underway(lambda: told.append("begun"), lambda: told.append("waits"))
    job.wait()  # it has not even begun
    job.begin()
    job.wait()
    job.wait()
    assert not job.begun
    job.begin()
    assert told == ["begun", "waits", "begun"]


def test_an_abandoned_job_hears_of_it_wherever_it_asks() -> None:
    job = Underway()
    with job.stepping():
        assert underway() is job
        job.abandon()
        with pytest.raises(AbandonedError):
            underway().come_forward()
        with pytest.raises(AbandonedError):
            underway().check()
    assert underway() is not job
    underway().check()


def test_works_of_an_abandoned_job_that_wait_for_a_slot_are_dropped() -> None:
    slots = Slots(1)
    gate, done = threading.Event(), list[str]()
    blocking = blocked(slots, gate)
    job = Underway()
    with job.stepping():
        turns = slots.turns()
        threading.Timer(0.1, job.abandon).start()
        with pytest.raises(AbandonedError):
            list(turns.in_order([lambda: done.append("a"), lambda: done.append("b")]))
        with pytest.raises(AbandonedError):
            turns.take(lambda: done.append("c"))
    gate.set()
    blocking.result()
    slots.close()
    assert done == []


def test_who_waits_for_a_work_that_is_being_done_need_not_wait_for_its_end() -> None:
    slots = Slots(1)
    gate, begun = threading.Event(), threading.Event()
    job = Underway()

    def work() -> None:
        begun.set()
        job.abandon()
        gate.wait(10)

    with job.stepping(), pytest.raises(AbandonedError):
        slots.turns().take(work)
    assert begun.is_set()
    gate.set()
    slots.close()


def test_to_wait_for_a_turn_is_not_to_be_stuck() -> None:
    job = Underway()
    slots = Slots(1)
    gate, pause = threading.Event(), threading.Event()
    blocking = blocked(slots, gate)

    def look() -> None:
        for _ in range(5):
            job.look()
        while job.look() > 1:
            pause.wait(0.3)
        gate.set()

    with job.stepping():
        looking = threading.Thread(target=look)
        looking.start()
        assert slots.turns().take(lambda: "done") == "done"
        looking.join()
    blocking.result()
    slots.close()
