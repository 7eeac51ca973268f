"""Memory that a host does not need any more, back to the machine."""

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache

INTERVAL = 0.5
"""Seconds between two times of giving memory back, which takes some milliseconds."""

SPARE = 96 * 2**20
"""Bytes that may lie free for the next steps: to ask for the same pages again costs a clip a
twentieth of its time."""


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
        """Gives memory back where more is free than the next steps will need."""
        with self._lock:
            now = time.monotonic()
            self._owed = True
            if now - self._last < INTERVAL:
                return
            self._last = now
        self._give_back(SPARE)

    def now_and_then(self) -> None:
        """Gives back all that is free, where there were steps since the time before."""
        with self._lock:
            if not self._owed:
                return
            self._owed = False
            self._last = time.monotonic()
        self._give_back(0)


class _Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`: of its fields this alone is read, the bytes that are free."""

    _fields_ = (("_before", ctypes.c_size_t * 8), ("free", ctypes.c_size_t), ("_", ctypes.c_size_t))


@cache
def free_memory_back() -> Callable[[int], None]:
    """malloc_trim(3), where more bytes are free than a number that it takes (mallinfo2(3)). Nothing
    where the C library does not have both."""
    try:
        library = ctypes.CDLL(None)
        trim, heap = library.malloc_trim, library.mallinfo2
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows, glibc before 2.33
        return lambda _: None
    trim.argtypes, heap.restype = [ctypes.c_size_t], _Heap

    def give_back(kept: int) -> None:
        if heap().free > kept:
            trim(0)

    return give_back
