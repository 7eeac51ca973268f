"""The life of one engine: opened when it is needed, tried again when it failed, ended."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress

from soundalike.errors import SORRY, ApiError, OverloadedError, ServerError
from soundalike.runtime.backoff import Backoff
from soundalike.runtime.base import DIED, Capabilities, Deployment, State, Status
from soundalike.runtime.frames import Frame, Opening, dump_opening, load_capabilities
from soundalike.runtime.links import Link, OpenLink

log = logging.getLogger(__name__)

CLOSING = "The server is shutting down."


class Lifetime:
    """Opens an engine in a host of its own, and again when that has died. Never has two of them.

    Args:
        deployment: what to open.
        open_link: how to reach a host.
        on_frame: takes what the host says of its jobs.
        on_open: called when the engine is open.
        on_end: told what the jobs of a host fail with that has died or is ended.

    Attributes:
        capabilities: what the engine said of itself when it was opened last; None before.
        restarts: how often the engine was opened anew after its host had died.
    """

    def __init__(
        self,
        deployment: Deployment,
        open_link: OpenLink,
        *,
        on_frame: Callable[[Frame], None],
        on_open: Callable[[], None],
        on_end: Callable[[ApiError], None],
    ) -> None:
        self.capabilities: Capabilities | None = None
        self.restarts = 0
        self._deployment = deployment
        self._open_link = open_link
        self._on_frame, self._on_open, self._on_end = on_frame, on_open, on_end
        self._changing = asyncio.Lock()
        """Held while a link is made or closed, so that there is never more than one."""
        self._opened: asyncio.Future[Capabilities] | None = None
        self._link: Link | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._state: State = "stopped"
        self._reason: str | None = None
        self._died = False
        self._was_ready = False
        self._backoff = Backoff()
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def status(self) -> Status:
        # What failed has failed until it is open, however often it is tried again.
        failing = self._state == "loading" and self._backoff.failing
        state = "failed" if failing else self._state
        of = self._deployment
        return Status(of.id, of.kind, state, self._reason, self._was_ready)

    @property
    def pid(self) -> int | None:
        """Of the host's process, where there is one."""
        return self._link.pid if self._link else None

    async def open(self) -> Capabilities:
        """Open the engine unless it is open. All who wait for it share how that goes.

        Raises:
            ApiError: the engine cannot be opened.
            OverloadedError: it could not be opened just before, or the server is about to end.
        """
        async with self._changing:
            if self._link is None:
                if self._closed:
                    raise OverloadedError(CLOSING, retry_after=1)
                self._backoff.check()
                await self._start()
            opened = self._opened
        assert opened is not None
        # Shielded: a client that goes away must not take the loading engine with it.
        return await asyncio.shield(opened)

    def send(self, frame: Frame) -> bool:
        """Pass a frame to the host; whether there is one."""
        if self._link is None:
            return False
        self._link.send(frame)
        return True

    def unload(self, idle: Callable[[], bool]) -> None:
        """End the host until the engine is needed again, if it is open and `idle` by then."""
        self._do_soon(self._end_if("ready", idle, "unloaded"))

    async def close(self) -> None:
        """End the host for good. One that is just being made is waited for, and ended."""
        self._closed = True
        if self._retry:
            self._retry.cancel()
        async with self._changing:
            await self._end()
        await asyncio.gather(*self._background)
        self._state = "stopped"

    async def _start(self) -> None:
        self._state = "loading"
        self.restarts += self._died
        self._died = False
        self._opened = asyncio.get_running_loop().create_future()
        # A failure is seen even where nobody waits for it any more.
        self._opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())
        try:
            self._link = await self._open_link(self._receive)
        except OSError as error:
            self._not_opened(ServerError(f"no host for {self._deployment.id}: {error}"))
            return
        except asyncio.CancelledError:
            self._state = "stopped"
            raise
        of = self._deployment
        opening = Opening(of.kind, of.config, of.threads, of.depth)
        self._link.send(Frame("open", value=dump_opening(opening)))

    def _receive(self, frame: Frame | None) -> None:
        if frame is None:
            self._lost()
        elif frame.job:
            self._on_frame(frame)
        elif frame.op == "opened":
            self.capabilities = load_capabilities(frame.value)
            self._settle(self.capabilities)
            self._backoff.succeeded()
            self._on_open()
        elif frame.op == "failed":
            self._failed(ApiError.from_fields(frame.value))

    def _failed(self, failure: ApiError) -> None:
        """The host says that the engine cannot be opened; or, after all, that it cannot work."""
        if self._state == "ready" and self._link:
            log.error("%s is of no use: %s", self._deployment.id, failure.message)
            self._link.kill()
            return
        self._not_opened(failure)
        self._do_soon(self._end_if("failed", lambda: True, "failed"))

    def _not_opened(self, failure: ApiError, *, died: bool = False) -> None:
        """Tell those who wait, and try again by and by: a server that says that it is not ready
        may get no request that would."""
        of = self._deployment
        # The first failure of one that is opened at start is told by whoever starts it.
        if not of.preload or self._was_ready or self._backoff.failing:
            log.error("%s cannot be opened: %s", of.id, failure.message)
        self._backoff.failed(by_accident=died)
        self._settle(failure)
        if of.preload and not self._closed:
            loop, delay = asyncio.get_running_loop(), self._backoff.remaining + 0.01
            self._retry = loop.call_later(delay, lambda: self._do_soon(self._open_again()))

    async def _open_again(self) -> None:
        with suppress(ApiError):
            await self.open()

    def _settle(self, outcome: Capabilities | ApiError) -> None:
        """Tell those who wait for the engine how its opening went."""
        if self._opened is None or self._opened.done():
            return
        if isinstance(outcome, ApiError):
            self._state, self._reason = "failed", outcome.message
            self._opened.set_exception(outcome)
        else:
            self._state, self._reason, self._was_ready = "ready", None, True
            self._opened.set_result(outcome)

    def _lost(self) -> None:
        """The host died: its jobs fail, nothing else does, and the next job opens it again."""
        died = f"the host of {self._deployment.id} died"
        log.error("%s", died)
        self._link, self._died = None, True
        if self._state == "ready":
            self._state, self._reason = "unloaded", DIED
        if self._state == "loading":
            self._not_opened(ServerError(died), died=True)
        self._on_end(ServerError(SORRY))

    async def _end(self) -> None:
        """End the host. Whoever still waits for it is told before, so that a job which comes while
        it ends is none of them."""
        link, self._link = self._link, None
        closing = OverloadedError(CLOSING, retry_after=1)
        self._settle(closing)
        self._on_end(closing)
        if link is not None:
            await link.close()

    async def _end_if(self, before: State, still: Callable[[], bool], after: State) -> None:
        """End the host once nothing else is done to it, if it is still to be ended then."""
        async with self._changing:
            if self._state == before and still():
                await self._end()
                self._state = after

    def _do_soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
