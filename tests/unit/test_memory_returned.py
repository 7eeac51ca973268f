"""Memory that goes back to the machine between steps."""

import queue
import threading
import time

import pytest

from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.runtime import work
from soundalike.runtime.frames import Frame, Job, Opening, dump_opening
from soundalike.runtime.lanes import Lanes, Steps
from soundalike.runtime.memory import INTERVAL, Returning, malloc_trim


def test_at_most_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    given: list[float] = []
    returning = Returning(lambda: given.append(clock[0]))
    for moment in (100.0, 100.1, 100.0 + INTERVAL, 100.1 + INTERVAL):
        clock[0] = moment
        returning.after_step()
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
        returning.after_step()
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
        returning.after_step()
    returning.after_burst()
    assert given == [100.0, 102.0]


def test_this_machine_s_own_way_can_be_called() -> None:
    malloc_trim()()


def test_memory_goes_back_after_each_step_of_a_job() -> None:
    frames: queue.Queue[Frame] = queue.Queue()
    given: list[str] = []

    def spell(job: Job) -> Steps:
        assert isinstance(job, SpeechJob)
        for letter in job.text:
            given.append(letter)
            yield Frame("item")

    lanes = Lanes(
        lambda: (spell, lambda: None),
        frames.put,
        threads=1,
        depth=1,
        after_step=lambda: given.append("given back"),
    )
    lanes.submit(1, SpeechJob("ab", "alloy"))
    while frames.get(timeout=10).op != "done":
        pass
    lanes.close()
    assert given == ["a", "given back", "b", "given back", "given back"]


def test_what_opening_an_engine_took_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given = threading.Event()
    monkeypatch.setattr(work, "Returning", lambda: Returning(given.set))
    said: queue.Queue[Frame] = queue.Queue()
    host = work.EngineHost(said.put)
    opening = Opening("transcription", EngineConfig("stub"), threads=1, depth=1)
    host.handle(Frame("open", value=dump_opening(opening)))
    assert said.get(timeout=10).op == "opened"
    assert given.wait(timeout=10)
    host.close()
