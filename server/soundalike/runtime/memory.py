"""Memory that a host does not need any more, back to the machine."""

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache

INTERVAL = 0.5
"""Seconds between two times of giving memory back, which takes some milliseconds."""

SPARE = 96 * 2**20
"""Bytes that may be free before some are given back: to ask for the same pages again costs a clip a
twentieth of its time. glibc's own limit for the heap's end is the same (`links.MALLOC`)."""


class Returning:
    """Gives freed memory back between the steps of jobs, at most once in a while.

    glibc keeps what was freed below the last block in use. Recordings and tensors of all sizes,
    freed in any order, so leave a host at several times what it holds.
    """

    def __init__(self, give_back: Callable[[int], None] | None = None) -> None:
        """Args:
        give_back: does so where more bytes are free than it is told.
        """
        self._give_back = give_back or free_memory_back()
        self._lock = threading.Lock()
        self._last = 0.0
        self._owed = False

    def after_step(self) -> None:
        """Gives memory back where more is free than `SPARE`."""
        with self._lock:
            now = time.monotonic()
            self._owed = True
            if now - self._last < INTERVAL:
                return
            self._last = now
        self._give_back(SPARE)

    def now_and_then(self) -> None:
        """Called with each ping: gives back all that is free, where there were steps since the
        time before. Where nobody pings, `SPARE` stays."""
        with self._lock:
            owed, self._owed = self._owed, False
        if owed:
            self.give_all()

    def give_all(self) -> None:
        """Gives back all that is free."""
        with self._lock:
            self._last = time.monotonic()
        self._give_back(0)


class _Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`: of its fields this alone is read, the bytes that are free."""

    _fields_ = (("_before", ctypes.c_size_t * 8), ("free", ctypes.c_size_t), ("_", ctypes.c_size_t))


@cache
def free_memory_back() -> Callable[[int], None]:
    """malloc_trim(3), where more bytes are free than a number that it takes (mallinfo2(3), which
    counts what lies between blocks in use even when it was given back before). Before glibc 2.33,
    which does not tell, at 0 alone; with other C libraries nothing."""
    try:
        library = ctypes.CDLL(None)
        trim = library.malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return lambda _: None
    trim.argtypes = [ctypes.c_size_t]
    heap = getattr(library, "mallinfo2", None)
    if heap is not None:
        heap.restype = _Heap

    def give_back(above: int) -> None:
        if not above or (heap and heap().free > above):
            trim(0)

    return give_back
