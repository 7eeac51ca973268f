"""Threads that step jobs fairly.

A job is a generator of frames. A lane is one thread. It takes jobs from a queue that all lanes of
a host share, keeps each to its end (a generator is never resumed by two threads) and gives the
jobs it holds one step in turn. A job whose reader is slow uses up its window and is passed over
until credit comes, so that it holds up nobody else.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from soundalike.engines.base import TranscriptionJob
from soundalike.engines.underway import AbandonedError, Underway
from soundalike.errors import SORRY, ApiError, ServerError
from soundalike.runtime.frames import WINDOW, Frame, Job

TRANSCRIPT_WINDOW = 64 * 2**20
"""`WINDOW` of a transcription: more than six hours of speech come to. It holds its recording until
it ends, for which others wait, and so must not wait for its reader."""

Steps = Generator[Frame, None, None]
Work = Callable[[Job], Steps]
Emit = Callable[[Frame], None]

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Ticket:
    number: int
    job: Job
    window: int
    underway: Underway
    steps: Steps | None = None
    since: float = 0.0
    busy: float = 0.0

    @property
    def runnable(self) -> bool:
        return self.underway.abandoned or self.window > 0

    def stop(self) -> None:
        """The engine does not work on it for now."""
        self.busy += time.perf_counter() - self.since


class Lanes:
    """Runs the jobs of one engine.

    Args:
        open_work: opens the engine and returns what turns a job into frames, and what closes the
            engine again. Called on the first lane's thread, as is the closing, once every lane
            has its thread.
        emit: takes every frame; called on the lanes' threads.
        threads: the number of lanes.
        depth: the number of jobs that one lane interleaves.
        late: whether a job begins only when its work says so (`Underway.begin`), since it first
            waits in line; at the latest when it gives something. Others begin with their first
            step. It is `taken` from then on, and the engine's time counts, but for when it
            `waits` once more.
        after_step: called on a lane's thread after each step of a job.
    """

    def __init__(
        self,
        open_work: Callable[[], tuple[Work, Callable[[], None]]],
        emit: Emit,
        *,
        threads: int,
        depth: int,
        late: Callable[[Job], bool] = lambda _: False,
        after_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_work = open_work
        self._emit = emit
        self._depth = depth
        self._late = late
        self._after_step = after_step
        self._waiting: deque[_Ticket] = deque()
        self._tickets: dict[int, _Ticket] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._work: Work | None = None
        self._first = threading.Thread(target=self._first_lane, args=(threads - 1,), name="lane-0")
        self._first.start()

    def submit(self, number: int, job: Job) -> None:
        window = TRANSCRIPT_WINDOW if isinstance(job, TranscriptionJob) else WINDOW
        ticket = _Ticket(number, job, window, self._underway(number))
        with self._changed:
            self._tickets[number] = ticket
            self._waiting.append(ticket)
            self._changed.notify()

    def credit(self, number: int, size: int) -> None:
        """The reader of a job has taken `size` bytes."""
        with self._changed:
            if ticket := self._tickets.get(number):
                ticket.window += size
                self._changed.notify_all()

    def cancel(self, number: int) -> None:
        """End a job before its next step, or in the midst of one where its engine comes forward;
        one that no lane has taken, at once. It still answers with `done`."""
        with self._changed:
            if (ticket := self._tickets.get(number)) is None:
                return
            ticket.underway.abandon()
            if queued := ticket in self._waiting:
                self._waiting.remove(ticket)
                del self._tickets[number]
            else:
                self._changed.notify_all()
        if queued:
            self._emit(Frame("done", number))

    def look(self) -> int:
        """Called again and again: how often in a row the job that is stuck the longest in a step
        had not come forward since the time before."""
        with self._changed:
            return max((ticket.underway.look() for ticket in self._tickets.values()), default=0)

    def close(self) -> None:
        """Stop after the steps under way, close the engine and wait for every thread."""
        self._stop()
        self._first.join()

    def _stop(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _first_lane(self, others: int) -> None:
        """Open the engine, let the other lanes begin on it, and close it after them."""
        rest: list[threading.Thread] = []
        try:
            for number in range(others):  # before the engine says that it is open
                thread = threading.Thread(target=self._lane, name=f"lane-{number + 1}")
                thread.start()
                rest.append(thread)
            work, close_engine = self._open_work()
        except BaseException as error:
            self._stop()
            for thread in rest:
                thread.join()
            self._emit(Frame("failed", value=_not_opened(error).fields()))
            return
        with self._changed:
            self._work = work
            self._changed.notify_all()
        self._lane()
        for thread in rest:
            thread.join()
        close_engine()

    def _lane(self) -> None:
        held: deque[_Ticket] = deque()
        while ticket := self._next(held):
            with ticket.underway.stepping():
                goes_on = self._step(ticket)
            if goes_on:
                held.append(ticket)
            else:
                with self._changed:
                    del self._tickets[ticket.number]
            self._after_step()
        for ticket in held:
            if ticket.steps:
                ticket.steps.close()

    def _next(self, held: deque[_Ticket]) -> _Ticket | None:
        """The job to step now: a new one first, for the sake of its first answer."""
        with self._changed:
            while not self._closed:
                if self._work and self._waiting and len(held) < self._depth:
                    return self._waiting.popleft()
                for ticket in held:
                    if ticket.runnable:
                        held.remove(ticket)
                        return ticket
                self._changed.wait()
        return None

    def _step(self, ticket: _Ticket) -> bool:
        """Take one step; whether the job goes on."""
        assert self._work is not None
        try:
            if ticket.underway.abandoned:
                if ticket.steps:
                    ticket.steps.close()
                raise StopIteration
            if ticket.steps is None:
                if not self._late(ticket.job):
                    ticket.underway.begin()
                ticket.steps = self._work(ticket.job)
            frame = self._timed(ticket, ticket.steps)
            ticket.underway.give()
            with self._changed:
                ticket.window -= frame.cost
            self._emit(replace(frame, job=ticket.number))
            return True
        except (StopIteration, AbandonedError):
            answer = Frame("done", ticket.number, ticket.busy)
        except ApiError as error:
            answer = Frame("failed", ticket.number, error.fields())
        except BaseException:  # a panic of a Rust library is no Exception, and a lane must live
            log.exception("job %d failed", ticket.number)
            answer = Frame("failed", ticket.number, ServerError(SORRY).fields())
        self._emit(answer)
        return False

    def _underway(self, number: int) -> Underway:
        """A job whose beginning and waiting the server learns of."""

        def begin() -> None:
            self._emit(Frame("taken", number))
            self._tickets[number].since = time.perf_counter()

        def wait() -> None:
            self._tickets[number].stop()
            self._emit(Frame("waits", number))

        return Underway(begin, wait)

    def _timed(self, ticket: _Ticket, steps: Steps) -> Frame:
        """The frame of one step, whose time counts from when the job has begun."""
        ticket.since = time.perf_counter()
        try:
            return next(steps)
        finally:
            if ticket.underway.begun:
                ticket.stop()


def _not_opened(error: BaseException) -> ApiError:
    if isinstance(error, ApiError):
        return error
    log.error("the engine cannot be opened", exc_info=error)
    return ServerError(f"engine not opened: {error}")
