"""Memory that a host does not need any more, back to the machine."""

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache

INTERVAL = 0.5
"""Seconds between two times of giving memory back, which takes some milliseconds."""


class Returning:
    """Gives freed memory back between the steps of jobs, at most once in a while.

    glibc keeps what was freed below the last block in use. Recordings and tensors of all sizes,
    freed in any order, so leave a host at several times what it holds.
    """

    def __init__(self, give_back: Callable[[], None] | None = None) -> None:
        self._give_back = give_back or malloc_trim()
        self._lock = threading.Lock()
        self._last = 0.0
        self._owed = False

    def after_step(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._owed = now - self._last < INTERVAL
            if self._owed:
                return
            self._last = now
        self._give_back()

    def after_burst(self) -> None:
        """Called now and then: gives back what was freed by steps that ended too soon after
        another."""
        with self._lock:
            if not self._owed:
                return
            self._owed = False
            self._last = time.monotonic()
        self._give_back()


@cache
def malloc_trim() -> Callable[[], None]:
    """malloc_trim(3) where the C library has it; elsewhere nothing."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return lambda: None
    trim.argtypes = [ctypes.c_size_t]
    return lambda: trim(0)
