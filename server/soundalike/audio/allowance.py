"""What the uploads of one host share: places to be decoded in, and memory for their samples."""

import gc
import os
import sys
import threading
from collections import deque

from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.audio.refusals import ANY_SECONDS, LONGEST_SECONDS
from soundalike.engines.underway import underway

WATCHFUL = 0.25
"""Seconds between two looks at whether what is waited for is still wanted."""

SAMPLE = 4
"""Bytes."""

SHORT = int(ANY_SECONDS * RECOGNITION_RATE * SAMPLE)
"""Bytes of samples that every decoding may begin with."""

SHORT_ROOM = 18 * SHORT
LONG_ROOM = int(LONGEST_SECONDS * RECOGNITION_RATE * SAMPLE)
"""Bytes of samples that one host holds: three hours of recordings of up to ten minutes, and six of
longer ones. They are apart so that short recordings need not wait for the end of long ones. The
short ones have room for one on each lane (`soundalike.served.RECORDINGS`), and for two that were
given up but whose samples a step still holds, so that none holds up the others."""

LONG_LINE = 8
"""Uploads that wait for the room of long recordings, at most: each keeps a lane from others
meanwhile, and this is half of the lanes."""


def places() -> int:
    """How many uploads are decoded at once: one on each core, and two on a single one, so that a
    hostile file alone does not hold all others up."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(2, cores)


class FullError(Exception):
    """There is no room left for what is being decoded, or none in the line for it."""


class Allowance:
    """An amount that jobs have in common; who asks for more than is left waits in line.

    Args:
        total: nobody has more; who asks for more gets this much, and so need not wait for ever.
        longest: how many may be in line; None is no limit.
    """

    def __init__(self, total: int, longest: int | None = None) -> None:
        self.total = total
        self._longest = longest
        self._left = total
        self._line: deque[object] = deque()
        # Its lock may be taken again by the thread that has it: samples may be freed anywhere.
        self._changed = threading.Condition(threading.RLock())

    @property
    def left(self) -> int:
        return self._left

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    def reserve(self, amount: int) -> "Share":
        """Take an amount, after all who asked before.

        Raises:
            FullError: as many are in line as may.
            AbandonedError: nobody wants the job any more that is under way on this thread.
        """
        amount, job, turn = min(amount, self.total), underway(), object()
        with self._changed:
            if self._longest is not None and len(self._line) >= self._longest:
                raise FullError
            self._line.append(turn)
            try:
                while self._line[0] is not turn or amount > self._left:
                    job.come_forward()
                    if not self._changed.wait(WATCHFUL):
                        gc.collect()  # samples may hang on a cycle, as failures make them
                self._left -= amount
            finally:
                self._line.remove(turn)
                self._changed.notify_all()
        return Share(self, amount)

    def take(self, amount: int) -> "Share | None":
        """An amount at once, or None where others wait or too little is left."""
        amount = min(amount, self.total)
        with self._changed:
            if self._line or amount > self._left:
                return None
            self._left -= amount
        return Share(self, amount)

    def give_back(self, amount: int) -> None:
        with self._changed:
            self._left += amount
            self._changed.notify_all()


class Share:
    """What one job has of an allowance. For one thread at a time."""

    def __init__(self, of: Allowance, amount: int) -> None:
        self._of = of
        self._amount = amount

    def resize(self, amount: int) -> bool:
        """Have this much instead; whether there was so much."""
        amount = min(amount, self._of.total)
        if amount > self._amount and self._of.take(amount - self._amount) is None:
            return False
        if amount < self._amount:
            self._of.give_back(self._amount - amount)
        self._amount = amount
        return True

    def end(self) -> None:
        """Give all of it back. May be called again."""
        self.resize(0)


class Places:
    """Where uploads are decoded. Those that have turned out long have some of their own, so that
    two of them do not hold all others up for minutes."""

    def __init__(self, count: int | None = None) -> None:
        self.short = Allowance(count or places())
        self.long = Allowance(count or places())


class Place:
    """Where one upload is decoded; waits for it in line."""

    def __init__(self, of: Places) -> None:
        self._of = of
        self._share = of.short.reserve(1)
        self._long = False

    def fit(self, size: int) -> None:
        """There are so many bytes of samples by now."""
        if not self._long and size > SHORT and (share := self._of.long.take(1)):
            self._share.end()
            self._share, self._long = share, True

    def end(self) -> None:
        """Nothing is decoded there any more."""
        self._share.end()


class Room:
    """The memory for the samples that one host holds."""

    def __init__(self, short: int = SHORT_ROOM, long: int = LONG_ROOM) -> None:
        self.short = Allowance(short)
        self.long = Allowance(long, LONG_LINE)


class Held:
    """The room that the samples of one upload take up.

    Args:
        whole: bytes of samples to wait for. Else what a short recording may have is waited for,
            and what is beyond that must be free when it comes.

    Raises:
        FullError: as many wait already as may.
    """

    def __init__(self, room: Room, whole: int | None = None) -> None:
        self._room = room
        self._long = whole is not None
        self._reserved = SHORT if whole is None else whole
        self._share = (room.long if self._long else room.short).reserve(self._reserved)

    def fit(self, size: int) -> None:
        """There are so many bytes by now.

        Raises:
            FullError: the room has less.
        """
        if size <= self._reserved:
            return
        if not self._long:
            if (share := self._room.long.take(size)) is None:
                raise FullError
            self._share.end()
            self._share, self._long = share, True
        elif not self._share.resize(size):
            raise FullError
        self._reserved = size

    def keep(self, size: int) -> None:
        """There will be no other bytes than so many.

        Raises:
            FullError: the room has less.
        """
        self.fit(size)
        self._share.resize(size)

    def end(self) -> None:
        """The samples are gone."""
        self._share.end()
