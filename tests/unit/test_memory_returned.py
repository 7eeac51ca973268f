"""Memory that goes back to the machine after jobs."""

import time

import pytest

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


def test_this_machine_s_own_way_can_be_called() -> None:
    malloc_trim()()
