"""How long to wait until something that failed is tried again."""

import time
from collections.abc import Callable

from soundalike.errors import OverloadedError

LONGEST = 60.0
"""Seconds."""

FREE_ACCIDENTS = 1


class Backoff:
    """Twice as long after each failure in a row, up to `LONGEST`.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def failed(self, *, by_accident: bool = False) -> None:
        """Count a failure. One that happens by accident, such as a kill, is no reason to wait:
        whoever asks next is to be answered. Another at once is none any more."""
        self._failures += 1
        doublings = self._failures - (1 + FREE_ACCIDENTS if by_accident else 1)
        delay = min(LONGEST, 2.0 ** min(doublings, 16)) if doublings >= 0 else 0.0
        self._until = self._clock() + delay

    def succeeded(self) -> None:
        self._failures, self._until = 0, 0.0

    def check(self) -> None:
        """Called before it is tried again.

        Raises:
            OverloadedError: it is too soon for that.
        """
        if remaining := self.remaining:
            raise OverloadedError(
                "The engine could not be opened. It is tried again soon, please come back later.",
                retry_after=remaining,
            )

    @property
    def failing(self) -> bool:
        """Whether it failed the last time."""
        return self._failures > 0

    @property
    def remaining(self) -> float:
        """Seconds until it may be tried again."""
        return max(0.0, self._until - self._clock())
