"""Memory that goes back to the machine after jobs."""

import time

import pytest

from soundalike.runtime import work
from soundalike.runtime.frames import Frame
from soundalike.runtime.memory import INTERVAL, Returning, malloc_trim


def test_at_most_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    given: list[float] = []
    returning = Returning(lambda: given.append(clock[0]))
    for moment in (100.0, 100.1, 100.0 + INTERVAL, 100.1 + INTERVAL):
        clock[0] = moment
        returning.after_job()
    assert given == [100.0, 100.0 + INTERVAL]


def test_what_a_burst_leaves_goes_back_at_the_next_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    given: list[float] = []
    returning = Returning(lambda: given.append(clock[0]))
    monkeypatch.setattr(work, "Returning", lambda: returning)
    said: list[Frame] = []
    host = work.EngineHost(said.append)
    host.handle(Frame("ping"))
    assert given == []  # nothing is owed
    for moment in (100.0, 100.1, 100.2):
        clock[0] = moment
        returning.after_job()
    assert given == [100.0]
    for moment in (115.0, 130.0):
        clock[0] = moment
        host.handle(Frame("ping"))
    assert given == [100.0, 115.0]
    assert [frame.op for frame in said] == ["pong"] * 3


def test_what_a_later_job_gave_back_is_not_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    given: list[float] = []
    returning = Returning(lambda: given.append(clock[0]))
    for moment in (100.0, 100.1, 102.0):
        clock[0] = moment
        returning.after_job()
    returning.after_burst()
    assert given == [100.0, 102.0]


def test_this_machine_s_own_way_can_be_called() -> None:
    malloc_trim()()
