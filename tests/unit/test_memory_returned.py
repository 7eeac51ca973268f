"""Memory that goes back to the machine between steps."""

import ctypes
import os
import queue
import subprocess
import sys
import time

import pytest

from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.runtime import memory, work
from soundalike.runtime.frames import Frame, Job, Opening, dump_job, dump_opening
from soundalike.runtime.lanes import Lanes, Steps
from soundalike.runtime.links import MALLOC
from soundalike.runtime.memory import INTERVAL, SPARE, Returning


def test_at_most_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    given: list[tuple[float, int]] = []
    returning = Returning(lambda kept: given.append((clock[0], kept)))
    for moment in (100.0, 100.1, 100.0 + INTERVAL, 100.1 + INTERVAL):
        clock[0] = moment
        returning.after_step()
    assert given == [(100.0, SPARE), (100.0 + INTERVAL, SPARE)]


def test_all_goes_back_at_a_ping_after_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    given: list[tuple[float, int]] = []
    returning = Returning(lambda kept: given.append((clock[0], kept)))
    monkeypatch.setattr(work, "Returning", lambda: returning)
    said: list[Frame] = []
    host = work.EngineHost(said.append)

    def ping() -> None:
        host.handle(Frame("ping"))

    step = returning.after_step
    ping()
    assert given == []  # nothing is owed
    acts = {100.0: step, 100.1: step, 115.0: ping, 115.1: step, 130.0: ping, 145.0: ping}
    for clock[0], act in acts.items():
        act()
    assert given == [(100.0, SPARE), (115.0, 0), (130.0, 0)]
    assert [frame.op for frame in said] == ["pong"] * 4


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="glibc alone, from 2.33 on, tells how much is free",
)
def test_free_memory_goes_back_where_there_is_more_of_it_than_may_be_kept() -> None:
    """In a process of its own, whose memory is its own alone."""
    done = subprocess.run(
        [sys.executable, "-c", HOLES],
        env={**os.environ, **MALLOC, "MALLOC_TRIM_THRESHOLD_": str(2**30)},
        capture_output=True,
        text=True,
        check=True,
    )
    held, spared, left, held_again, left_again = map(int, done.stdout.split())
    assert spared > held - 2**20
    assert left < held - 80 * 2**20
    assert left_again < held_again - 80 * 2**20


HOLES = """
import os
from pathlib import Path
from soundalike.runtime.memory import free_memory_back

def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

def holes():
    blocks = [bytearray(2**20) for _ in range(100)]
    return bytearray(2**20)  # in use, above the holes

last = holes()
print(resident())
free_memory_back()(2**29)
print(resident())
free_memory_back()(60 * 2**20)  # more than is in use, less than is free
print(resident())
last = holes()
print(resident())
free_memory_back()(0)
print(resident())
"""


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


def test_what_opening_an_engine_and_a_job_took_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "INTERVAL", 0)
    given: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(work, "Returning", lambda: Returning(given.put))
    said: queue.Queue[Frame] = queue.Queue()
    host = work.EngineHost(said.put)
    opening = Opening("speech", EngineConfig("stub"), threads=1, depth=1)
    host.handle(Frame("open", value=dump_opening(opening)))
    assert said.get(timeout=10).op == "opened"
    assert given.get(timeout=10) == 0
    host.handle(Frame("run", 1, dump_job(SpeechJob("a", "alloy", "pcm"))))
    assert given.get(timeout=10) == SPARE
    host.close()
