"""How much memory of this process the texts of requests may take.

Files go to disk while they arrive. What else a client sends stays in memory until it is answered,
and the client decides how long it takes to send the rest. So there is room for each request, which
is enough for every honest one, and a common store for those that want more.
"""

import threading
from typing import Self

from soundalike.errors import OverloadedError

OWN = 256 * 2**10
"""Bytes that every request may take: the longest input to be spoken with the longest instructions
takes a third of it in four bytes a character."""

COMMON = 64 * 2**20
"""Bytes that all requests of a process may take together beyond what is their own."""

WIDEST = 4
"""Bytes of memory that a byte of text may become: Python keeps all characters of a string as wide
as the widest of them."""


class CommonMemory:
    """Bytes that are given out and come back. Safe for several threads."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._changing = threading.Lock()

    @property
    def left(self) -> int:
        return self._left

    def take(self, size: int) -> None:
        """Raises OverloadedError where there is not as much left."""
        with self._changing:
            if size > self._left:
                raise OverloadedError(
                    "The server holds too many large requests, please try again later.",
                    retry_after=1,
                )
            self._left -= size

    def give_back(self, size: int) -> None:
        with self._changing:
            self._left += size


_COMMON = CommonMemory(COMMON)


class RequestMemory:
    """What one request takes, until the context ends. For one thread at a time."""

    def __init__(self, common: CommonMemory = _COMMON) -> None:
        self._common = common
        self._taken = 0

    def take(self, size: int) -> None:
        """Count bytes before they are kept.

        Raises:
            OverloadedError: they are more than the request's own, and the common ones are taken.
        """
        beyond = self._beyond
        self._taken += size
        try:
            self._common.take(self._beyond - beyond)
        except OverloadedError:
            self._taken -= size
            raise

    @property
    def _beyond(self) -> int:
        return max(0, self._taken - OWN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._common.give_back(self._beyond)
        self._taken = 0
