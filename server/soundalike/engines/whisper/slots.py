"""The threads that recognise clips, and whose turn it is.

A long file gives them many clips, so that it has every slot for itself while nobody else wants
one. Clips wait in one line: several long files get a clip each in turn, and who comes new does not
wait behind the clips that others have queued.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from queue import PriorityQueue
from typing import Any, TypeVar

T = TypeVar("T")

NEWCOMER_WORKS = 2
"""Of each job, that may go before others: the language of its first clip, and the text of it."""

NEWCOMER_LEAD = 16
"""Works that a newcomer's may go before. Not all: many short jobs must not keep a long one out."""


@dataclass(order=True, frozen=True, slots=True)
class _Work:
    rank: float
    number: int
    run: Callable[[], Any] | None = field(compare=False)
    """None ends the thread that takes it."""
    future: Future[Any] = field(compare=False)


class Slots:
    """So many threads, that do the works of several jobs in turn."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._line: PriorityQueue[_Work] = PriorityQueue()
        self._numbers = count()
        self._threads = [
            threading.Thread(target=self._serve, name=f"slot-{i}", daemon=True)
            for i in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def turns(self) -> "Turns":
        """For one job."""
        return Turns(self)

    def submit(self, run: Callable[[], T], *, lead: int = 0) -> Future[T]:
        """Queue a work, ahead of as many others as `lead`."""
        future: Future[T] = Future()
        number = next(self._numbers)
        self._line.put(_Work(number - lead, number, run, future))
        return future

    def close(self) -> None:
        """Finish what is queued and wait for the threads."""
        for _ in self._threads:
            self._line.put(_Work(float("inf"), next(self._numbers), None, Future()))
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (work := self._line.get()).run is not None:
            if work.future.set_running_or_notify_cancel():
                try:
                    work.future.set_result(work.run())
                except BaseException as error:  # it belongs to whoever waits for the result
                    work.future.set_exception(error)


class Turns:
    """The works of one job. For one thread."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._begun = 0

    def take(self, run: Callable[[], T]) -> T:
        """Wait for a slot and for the result of this work in it; raises what it raises."""
        return self._submit(run).result()

    def in_order(self, works: Iterable[Callable[[], T]]) -> Iterator[T]:
        """The result of each work. Works are taken from `works` ahead of the results that are
        asked for, enough to keep every slot busy. Those not begun are cancelled with the iterator.
        """
        begun: deque[Future[T]] = deque()
        try:
            for work in works:
                begun.append(self._submit(work))
                if len(begun) >= 2 * self._slots.number:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    def _submit(self, run: Callable[[], T]) -> Future[T]:
        self._begun += 1
        new = self._begun <= NEWCOMER_WORKS
        return self._slots.submit(run, lead=NEWCOMER_LEAD if new else 0)
