"""Lanes: jobs are stepped fairly, on one thread each, and end when they should."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from soundalike.engines.base import SpeechJob, TranscriptionJob
from soundalike.engines.underway import underway
from soundalike.errors import ApiError, InvalidRequestError, ServerError
from soundalike.runtime import lanes as lanes_module
from soundalike.runtime.frames import WINDOW, Frame, Job
from soundalike.runtime.lanes import Lanes, Steps, Work


class Log:
    """Takes what lanes emit; `until` waits for what a test expects."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._arriving: queue.Queue[Frame] = queue.Queue()

    def __call__(self, frame: Frame) -> None:
        self._arriving.put(frame)

    def until(self, op: str, job: int = 0) -> Frame:
        while True:
            frame = self._arriving.get(timeout=10)
            self.frames.append(frame)
            if (frame.op, frame.job) == (op, job):
                return frame

    def until_all_done(self, count: int) -> None:
        while sum(frame.op == "done" for frame in self.frames) < count:
            self.frames.append(self._arriving.get(timeout=10))


@contextmanager
def lanes(
    work: Work,
    *,
    threads: int = 1,
    depth: int = 1,
    close: Callable[[], None] = lambda: None,
    late: Callable[[Job], bool] = lambda _: False,
) -> Iterator[tuple[Lanes, Log]]:
    log = Log()
    running = Lanes(lambda: (work, close), log, threads=threads, depth=depth, late=late)
    try:
        yield running, log
    finally:
        running.close()


def job(text: str = "text") -> SpeechJob:
    return SpeechJob(text, "alloy")


def spell(job: Job) -> Steps:
    assert isinstance(job, SpeechJob)
    for letter in job.text:
        yield Frame("item", payload=letter.encode())


def test_a_job_gives_its_frames_in_order_and_then_is_done() -> None:
    with lanes(spell) as (running, log):
        running.submit(1, job("abc"))
        log.until("done", 1)
    assert [(f.op, f.job, f.payload) for f in log.frames] == [
        ("taken", 1, b""),
        ("item", 1, b"a"),
        ("item", 1, b"b"),
        ("item", 1, b"c"),
        ("done", 1, b""),
    ]


def test_a_job_that_is_done_tells_for_how_long_the_engine_worked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(lanes_module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    with lanes(spell) as (running, log):
        running.submit(1, job("abc"))
        done = log.until("done", 1)
    assert done.value == 4  # three letters, and the step that found none


def test_a_job_is_taken_when_a_lane_begins_with_it_and_not_before() -> None:
    gate = threading.Event()

    def gated(job: Job) -> Steps:
        gate.wait(10)
        yield from spell(job)

    with lanes(gated) as (running, log):
        running.submit(1, job("a"))
        running.submit(2, job("b"))
        log.until("taken", 1)
        running.cancel(2)
        assert log.until("done", 2).value is None
        gate.set()
        log.until("done", 1)
    assert ("taken", 2) not in [(frame.op, frame.job) for frame in log.frames]


def test_jobs_that_share_a_lane_take_turns() -> None:
    gate = threading.Event()

    def gated(job: Job) -> Steps:
        gate.wait(10)
        yield from spell(job)

    with lanes(gated, depth=2) as (running, log):
        running.submit(1, job("aaaa"))
        running.submit(2, job("bbbb"))
        gate.set()
        log.until("done", 2)
    order = b"".join(frame.payload for frame in log.frames)
    assert order.count(b"aa") <= 1, order  # but for the head start of the first


def test_a_job_whose_reader_is_slow_waits_and_holds_up_nobody() -> None:
    def endless(job: Job) -> Steps:
        while True:
            yield Frame("item", payload=bytes(WINDOW // 4))

    def work(job: Job) -> Steps:
        assert isinstance(job, SpeechJob)
        return endless(job) if job.text == "endless" else spell(job)

    with lanes(work, depth=2) as (running, log):
        running.submit(1, job("endless"))
        running.submit(2, job("ab"))
        log.until("done", 2)
        running.submit(3, job("cd"))
        log.until("done", 3)
        assert sum((frame.op, frame.job) == ("item", 1) for frame in log.frames) == 4
        running.credit(1, WINDOW // 4)
        log.until("item", 1)


def test_a_transcription_does_not_keep_its_recording_for_a_slow_reader() -> None:
    def work(job: Job) -> Steps:
        for number in range(5000):
            yield Frame("item", value=number)

    with lanes(work) as (running, log):
        running.submit(1, TranscriptionJob(Path("recording.wav")))
        log.until("done", 1)  # without any credit
    assert sum(frame.op == "item" for frame in log.frames) == 5000


def test_a_job_that_waits_in_line_is_taken_when_it_begins() -> None:
    waits, gate = threading.Event(), threading.Event()

    def work(job: Job) -> Steps:
        waits.set()
        gate.wait(10)
        underway().begin()
        yield from spell(job)

    with lanes(work, late=lambda _: True) as (running, log):
        running.submit(1, job("a"))
        assert waits.wait(10)
        assert log._arriving.empty()
        gate.set()
        log.until("done", 1)
    assert [frame.op for frame in log.frames] == ["taken", "item", "done"]


def test_the_wait_in_line_is_no_work_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def work(job: Job) -> Steps:
        nonlocal now
        now += 100  # in line
        underway().begin()
        now += 1
        yield Frame("item")
        now += 2

    clock = SimpleNamespace(perf_counter=lambda: now)
    monkeypatch.setattr(lanes_module, "time", clock)
    with lanes(work, late=lambda _: True) as (running, log):
        running.submit(1, job())
        assert log.until("done", 1).value == 3


def test_who_waits_in_line_once_more_is_told_of_and_costs_the_engine_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0

    def work(job: Job) -> Steps:
        nonlocal now
        underway().begin()
        now += 1
        underway().wait()
        now += 100  # in line
        underway().begin()
        now += 2
        yield Frame("item")

    clock = SimpleNamespace(perf_counter=lambda: now)
    monkeypatch.setattr(lanes_module, "time", clock)
    with lanes(work, late=lambda _: True) as (running, log):
        running.submit(1, job())
        assert log.until("done", 1).value == 3
    assert [frame.op for frame in log.frames] == ["taken", "waits", "taken", "item", "done"]


def test_what_a_job_waits_for_after_its_first_answer_is_a_part_of_its_work() -> None:
    def work(job: Job) -> Steps:
        underway().begin()
        yield Frame("item")
        underway().wait()
        underway().begin()
        yield Frame("item")

    with lanes(work, late=lambda _: True) as (running, log):
        running.submit(1, job())
        log.until("done", 1)
    assert [frame.op for frame in log.frames] == ["taken", "item", "item", "done"]


def test_a_job_that_does_not_say_when_it_begins_has_begun_with_its_first_frame() -> None:
    with lanes(spell, late=lambda _: True) as (running, log):
        running.submit(1, job("ab"))
        log.until("done", 1)
    assert [frame.op for frame in log.frames] == ["taken", "item", "item", "done"]


def test_a_job_that_is_cancelled_while_it_waits_in_line_was_never_taken() -> None:
    waits = threading.Event()

    def work(job: Job) -> Steps:
        under_way = underway()
        waits.set()
        while True:
            under_way.come_forward()
        yield Frame("item")

    with lanes(work, late=lambda _: True) as (running, log):
        running.submit(1, job())
        assert waits.wait(10)
        running.cancel(1)
        assert log.until("done", 1).value == 0
    assert [frame.op for frame in log.frames] == ["done"]


def test_a_job_stays_on_the_thread_that_took_it() -> None:
    seen: dict[str, set[int]] = {}

    def work(job: Job) -> Steps:
        assert isinstance(job, SpeechJob)
        for _ in range(50):
            seen.setdefault(job.text, set()).add(threading.get_ident())
            yield Frame("item")

    with lanes(work, threads=3, depth=2) as (running, log):
        for number in range(1, 7):
            running.submit(number, job(str(number)))
        log.until_all_done(6)
    assert all(len(threads) == 1 for threads in seen.values())


def test_a_cancelled_job_is_closed_on_its_own_thread_and_answers_done() -> None:
    closed = threading.Event()

    def work(job: Job) -> Steps:
        try:
            while True:
                yield Frame("item", payload=bytes(WINDOW))
        finally:
            closed.set()

    with lanes(work) as (running, log):
        running.submit(1, job())
        log.until("item", 1)
        running.cancel(1)
        log.until("done", 1)
        assert closed.is_set()


def test_a_job_cancelled_before_its_first_step_never_runs_and_answers_at_once() -> None:
    gate = threading.Event()
    begun: list[str] = []

    def work(job: Job) -> Steps:
        assert isinstance(job, SpeechJob)
        begun.append(job.text)
        gate.wait(10)
        yield Frame("item")

    with lanes(work) as (running, log):
        running.submit(1, job("first"))
        running.submit(2, job("second"))
        running.cancel(2)
        log.until("done", 2)  # while the first is in its step, so that the queue has room again
        gate.set()
        log.until("done", 1)
    assert begun == ["first"]


class Panic(BaseException):
    """What a Rust library's panic is."""


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (InvalidRequestError("no"), InvalidRequestError),
        (ZeroDivisionError(), ServerError),
        (Panic(), ServerError),
    ],
)
def test_a_job_that_fails_says_so_and_the_next_one_runs(
    raised: BaseException, kind: type[ApiError], caplog: pytest.LogCaptureFixture
) -> None:
    def work(job: Job) -> Steps:
        assert isinstance(job, SpeechJob)
        if job.text == "bad":
            raise raised
        yield Frame("item")

    with lanes(work) as (running, log):
        running.submit(1, job("bad"))
        failed = log.until("failed", 1)
        running.submit(2, job("good"))
        log.until("done", 2)
    error = ApiError.from_fields(failed.value)
    assert type(error) is kind
    assert "division" not in error.message


def test_a_frame_that_cannot_be_passed_on_fails_its_job_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def work(job: Job) -> Steps:
        yield Frame("item", value=object())

    log = Log()

    def encoding(frame: Frame) -> None:
        frame.encode()
        log(frame)

    running = Lanes(lambda: (work, lambda: None), encoding, threads=1, depth=1)
    for number in (1, 2):
        running.submit(number, job())
        log.until("failed", number)
    running.close()


@pytest.mark.parametrize("raised", [OSError("no such weights"), SystemExit("no such weights")])
def test_an_engine_that_cannot_be_opened_is_reported_once(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()

    def broken() -> tuple[Work, Callable[[], None]]:
        raise raised

    running = Lanes(broken, log, threads=2, depth=1)
    failed = log.until("failed")
    running.close()
    assert "no such weights" in ApiError.from_fields(failed.value).message


def test_closing_ends_the_jobs_and_then_the_engine() -> None:
    order: list[str] = []

    def work(job: Job) -> Steps:
        try:
            while True:
                yield Frame("item", payload=bytes(WINDOW))
        finally:
            order.append("job")

    with lanes(work, close=lambda: order.append("engine")) as (running, log):
        running.submit(1, job())
        log.until("item", 1)
    assert order == ["job", "engine"]


def test_a_job_that_is_cancelled_in_the_midst_of_a_step_ends_where_it_comes_forward() -> None:
    begun = threading.Event()

    def work(job: Job) -> Steps:
        under_way = underway()
        begun.set()
        while True:
            under_way.come_forward()
        yield Frame("item")

    with lanes(work) as (running, log):
        running.submit(1, job())
        assert begun.wait(10)
        running.cancel(1)
        log.until("done", 1)


def test_a_job_that_is_stuck_in_a_step_is_seen() -> None:
    begun, gate = threading.Event(), threading.Event()

    def work(job: Job) -> Steps:
        begun.set()
        gate.wait(10)
        yield Frame("item")

    with lanes(work) as (running, log):
        assert running.look() == 0
        running.submit(1, job())
        assert begun.wait(10)
        assert [running.look() for _ in range(3)] == [1, 2, 3]
        gate.set()
        log.until("done", 1)
        assert running.look() == 0


def test_an_engine_whose_lanes_cannot_start_is_not_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = threading.Thread.start

    def no_third(thread: threading.Thread) -> None:
        if thread.name == "lane-2":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_third)
    log, opened = Log(), list[str]()
    before = set(threading.enumerate())

    def open_work() -> tuple[Work, Callable[[], None]]:
        opened.append("opened")
        return spell, lambda: None

    running = Lanes(open_work, log, threads=3, depth=1)
    failed = log.until("failed")
    running.close()
    assert "new thread" in ApiError.from_fields(failed.value).message
    assert opened == []
    lanes_left = set(threading.enumerate()) - before
    assert not [thread for thread in lanes_left if thread.name.startswith("lane-")]


def test_jobs_that_come_before_the_engine_is_open_wait_for_it() -> None:
    gate = threading.Event()

    def open_late() -> tuple[Work, Callable[[], None]]:
        gate.wait(10)
        return spell, lambda: None

    log = Log()
    running = Lanes(open_late, log, threads=3, depth=1)
    for number in range(1, 5):
        running.submit(number, job())
    gate.set()
    log.until_all_done(4)
    running.close()
