"""Notices a host that hangs.

A host answers pings from its main thread, and says in each answer for how many pings the job that
is stuck the longest has not come forward. All is counted in pings rather than timed, so that a
pause of the server, or of the whole machine, is not taken for one of a host.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from soundalike.errors import ServerError
from soundalike.runtime.frames import Frame
from soundalike.runtime.links import Link, OpenLink, Receive

log = logging.getLogger(__name__)

SILENCE = 60.0
"""Seconds in which a host must answer; its jobs may take longer."""

MISSED = 4
"""Pings without an answer, after which a host is given up."""


class Watchdog:
    """Watches one link from its opening on.

    Args:
        patience: seconds in which the engine must open, and in which a job must come forward.
        ping: sends a frame to the host.
        give_up: told once why the host is to be killed.

    Attributes:
        opening: whether the engine is still to say that it is open, or cannot be opened.
    """

    def __init__(
        self, patience: float, ping: Callable[[Frame], None], give_up: Callable[[str], None]
    ) -> None:
        self._patience = patience
        self._ping = ping
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._interval = min(patience, SILENCE) / MISSED
        self._unanswered = 0
        self._most = patience / self._interval
        self._pings = 0
        self.opening = True
        self._timer = self._loop.call_later(self._interval, self._tick)

    def answered(self, still: Any) -> None:
        """The host has answered.

        Args:
            still: for how many pings its slowest job has not come forward.
        """
        self._unanswered = 0
        if isinstance(still, int) and still > self._most:
            self._stop(f"a job has made no progress for {self._patience:g} s")

    def stop(self) -> None:
        """Watch no more."""
        self._timer.cancel()

    def _tick(self) -> None:
        if self._unanswered >= MISSED:
            self._stop("it does not answer")
        elif self.opening and self._pings >= self._most:
            self._stop(f"its engine did not open within {self._patience:g} s")
        else:
            self._unanswered += 1
            self._pings += 1
            self._ping(Frame("ping"))
            self._timer = self._loop.call_later(self._interval, self._tick)

    def _stop(self, reason: str) -> None:
        self.stop()
        self._give_up(reason)


class WatchedLink:
    """A link to a host that is killed when it hangs.

    Args:
        name: what the log calls the host.
        patience: as for `Watchdog`.
        receive: takes each frame but the answers to pings.
    """

    def __init__(self, name: str, patience: float, receive: Receive) -> None:
        self._name = name
        self._patience = patience
        self._receive = receive
        self._link: Link
        self._watchdog: Watchdog

    async def open(self, open_link: OpenLink) -> Link:
        self._link = await open_link(self._take)
        self._watchdog = Watchdog(self._patience, self.send, self._give_up)
        return self

    @property
    def pid(self) -> int | None:
        return self._link.pid

    def send(self, frame: Frame) -> None:
        self._link.send(frame)

    def kill(self) -> None:
        self._link.kill()

    async def close(self) -> None:
        self._watchdog.stop()
        await self._link.close()

    def _take(self, frame: Frame | None) -> None:
        if frame is None:
            self._watchdog.stop()
        elif frame.op == "pong":
            self._watchdog.answered(frame.value)
            return
        elif frame.op in ("opened", "failed") and not frame.job:
            self._watchdog.opening = False
        self._receive(frame)

    def _give_up(self, reason: str) -> None:
        log.error("the host of %s is killed: %s", self._name, reason)
        if self._watchdog.opening:  # no accident: to open it again at once would go the same way
            failure = ServerError(f"the host of {self._name} was killed: {reason}")
            self._receive(Frame("failed", value=failure.fields()))
        self._link.kill()


def watched(open_link: OpenLink, name: str, patience: float) -> OpenLink:
    """The same links, each watched from its opening on."""

    async def open_watched(receive: Receive) -> Link:
        return await WatchedLink(name, patience, receive).open(open_link)

    return open_watched
