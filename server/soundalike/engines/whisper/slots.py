"""The threads that recognise clips, and whose turn it is.

A long file gives them many clips, so that it has every slot for itself while nobody else wants
one. Clips wait in one line: several long files get a clip each in turn, and who comes new does not
wait behind the clips that others have queued, nor for the end of the one that is being decoded.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

from soundalike.engines.underway import underway

T = TypeVar("T")

WATCHFUL = 0.25
"""Seconds between two looks at whether a result is still wanted."""

SOON = 0.01
"""Seconds in which a free slot has begun with a work; who waits for longer waits in line."""

NEWCOMER_WORKS = 1
"""Of each job, that may go before others: its first clip."""

NEWCOMER_LEAD = 16
"""Works that a newcomer's may go before. Not all: many short jobs must not keep a long one out."""


class Turn(Future[T]):
    """The result of a work, once it had its turn.

    Attributes:
        new: whether it is a newcomer's.
        begun: set once a slot has begun with it.
    """

    def __init__(self, *, new: bool) -> None:
        super().__init__()
        self.new = new
        self.begun = threading.Event()

    def set_running_or_notify_cancel(self) -> bool:
        running = super().set_running_or_notify_cancel()
        if running:
            self.begun.set()
        return running


@dataclass(order=True, frozen=True, slots=True)
class _Work:
    rank: int
    number: int
    run: Callable[[], Any] = field(compare=False)
    turn: Turn[Any] = field(compare=False)


class Slots:
    """So many threads, that do the works of several jobs in turn."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._line: list[_Work] = []
        self._changed = threading.Condition()
        self._closed = False
        self._numbers = count()
        self._here = threading.local()
        self._threads = [
            threading.Thread(target=self._serve, name=f"slot-{i}", daemon=True)
            for i in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def turns(self) -> "Turns":
        """For one job."""
        return Turns(self)

    def submit(self, run: Callable[[], T], *, new: bool = False) -> Turn[T]:
        """Queue a work; a newcomer's ahead of some others."""
        turn = Turn[T](new=new)
        with self._changed:
            number = next(self._numbers)
            rank = number - NEWCOMER_LEAD if new else number
            heappush(self._line, _Work(rank, number, run, turn))
            self._changed.notify()
        return turn

    def give_way(self) -> None:
        """Called between the steps of a work: does the newcomers' that go before it here and now,
        so that they need not wait for the rest of it. A newcomer's own gives way to nobody."""
        begun: _Work | None = getattr(self._here, "work", None)
        if begun is None or begun.turn.new:
            return
        while self._do(self._next_newcomer(before=begun)):
            pass

    def close(self) -> None:
        """Finish what is queued and wait for the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _next_newcomer(self, before: _Work) -> _Work | None:
        with self._changed:
            first = self._line[0] if self._line else None
            return heappop(self._line) if first and first.turn.new and first < before else None

    def _next(self) -> _Work | None:
        with self._changed:
            while not self._line and not self._closed:
                self._changed.wait()
            return heappop(self._line) if self._line else None

    def _serve(self) -> None:
        while self._do(self._next()):
            pass

    def _do(self, work: _Work | None) -> bool:
        if work is None:
            return False
        before = getattr(self._here, "work", None)
        self._here.work = work
        if work.turn.set_running_or_notify_cancel():
            try:
                work.turn.set_result(work.run())
            except BaseException as error:  # it belongs to whoever waits for the result
                work.turn.set_exception(error)
        self._here.work = before
        # It holds a recording, and an error holds this frame. Nor may a caller hold it, since the
        # next work may be long in coming.
        del work
        return True


class Turns:
    """The works of one job, the one that is under way where this is made. For one thread.

    While a newcomer's work has no slot, its job waits for its turn (`Underway.wait`). Later works
    wait as a part of it: what others get meanwhile is their share.

    Where nobody wants the job any more, its works that are queued are dropped, the wait for those
    that are being done ends with `AbandonedError`, and these end by themselves with their step.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._begun = 0
        self._underway = underway()

    def take(self, run: Callable[[], T]) -> T:
        """Wait for a slot and for the result of this work in it; raises what it raises."""
        return self._result(self._submit(run))

    def in_order(self, works: Iterable[Callable[[], T]]) -> Iterator[T]:
        """The result of each work. Works are taken from `works` ahead of the results that are
        asked for, enough to keep every slot busy. Those not begun are cancelled with the iterator.
        """
        begun: deque[Turn[T]] = deque()
        try:
            for work in works:
                begun.append(self._submit(work))
                if len(begun) >= 2 * self._slots.number:
                    yield self._result(begun.popleft())
            while begun:
                yield self._result(begun.popleft())
        finally:
            for turn in begun:
                turn.cancel()

    def _result(self, turn: Turn[T]) -> T:
        try:
            if turn.new and not turn.begun.wait(SOON):
                self._wait_in_line(turn)
            while not wait((turn,), WATCHFUL).done:
                if turn.running():
                    self._underway.check()
                else:  # to wait for one's turn is not to be stuck
                    self._underway.come_forward()
            return turn.result()
        finally:
            turn.cancel()
            del turn  # else its error would hold itself by way of this frame, and the recording

    def _wait_in_line(self, turn: Turn[T]) -> None:
        self._underway.wait()
        while not turn.begun.wait(WATCHFUL):
            self._underway.come_forward()
        self._underway.begin()

    def _submit(self, run: Callable[[], T]) -> Turn[T]:
        self._begun += 1
        return self._slots.submit(run, new=self._begun <= NEWCOMER_WORKS)
