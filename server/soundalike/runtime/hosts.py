"""One deployment on the server's side: its host, the jobs in it, and its life and death."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable

from soundalike.errors import ApiError, OverloadedError, ServerError
from soundalike.runtime.base import Capabilities, Deployment, State, Status
from soundalike.runtime.frames import (
    Frame,
    Job,
    Opening,
    dump_job,
    dump_opening,
    load_capabilities,
)
from soundalike.runtime.lanes import SORRY, WINDOW
from soundalike.runtime.links import Link, OpenLink

log = logging.getLogger(__name__)


class Host:
    """Runs jobs on one engine, opening it when it is needed and again when it has died.

    Args:
        deployment: what to run.
        open_link: how to reach a host.
        idle_unload: seconds without a job after which the host is ended; 0 keeps it.
    """

    def __init__(self, deployment: Deployment, open_link: OpenLink, idle_unload: float) -> None:
        self._deployment = deployment
        self._open_link = open_link
        self._idle_unload = idle_unload
        self._capacity = deployment.threads * deployment.depth + deployment.queue
        self._numbers = itertools.count(1)
        self._jobs: dict[int, asyncio.Queue[Frame]] = {}
        self._coming = 0
        """Jobs that wait for the engine to open."""
        self._changing = asyncio.Lock()
        """Held while a link is made or closed, so that there is never more than one."""
        self._opened: asyncio.Future[Capabilities] | None = None
        self._link: Link | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._state: State = "stopped"
        self._reason: str | None = None

    @property
    def status(self) -> Status:
        return Status(self._deployment.id, self._deployment.kind, self._state, self._reason)

    async def open(self) -> Capabilities:
        """Open the engine unless it is open. All who wait for it share how that goes.

        Raises:
            ApiError: the engine cannot be opened.
        """
        async with self._changing:
            if self._link is None:
                await self._start()
            opened = self._opened
        assert opened is not None
        # Shielded: a client that goes away must not take the loading engine with it.
        return await asyncio.shield(opened)

    async def _start(self) -> None:
        self._state, self._reason = "loading", None
        self._opened = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(_retrieve)
        try:
            self._link = await self._open_link(self._receive)
        except OSError as error:
            self._settle(ServerError(f"no host for {self._deployment.id}: {error}"))
            return
        except asyncio.CancelledError:
            self._state = "stopped"
            raise
        deployment = self._deployment
        opening = Opening(deployment.kind, deployment.config, deployment.threads, deployment.depth)
        self._link.send(Frame("open", value=dump_opening(opening)))

    async def run(self, job: Job) -> AsyncGenerator[Frame]:
        """The frames that a job makes. Closing the generator cancels it.

        Raises:
            OverloadedError: as many jobs wait as may.
            ApiError: whatever the job fails with.
        """
        number = next(self._numbers)
        frames = await self._submit(number, job)
        taken = 0
        try:
            while (frame := await frames.get()).op == "item":
                yield frame
                taken += frame.cost
                if taken >= WINDOW // 2:
                    self._send(Frame("credit", number, taken))
                    taken = 0
            if frame.op == "failed":
                raise ApiError.from_fields(frame.value)
        finally:
            # The job counts until its host says that it has ended: it may be in a long step.
            if number in self._jobs:
                self._send(Frame("cancel", number))

    async def _submit(self, number: int, job: Job) -> asyncio.Queue[Frame]:
        """Pass a job to the host; the queue takes what comes of it."""
        if len(self._jobs) + self._coming >= self._capacity:
            raise OverloadedError(
                "The engine is currently overloaded, please try again later.", retry_after=1
            )
        frame = Frame("run", number, dump_job(job))
        self._coming += 1
        try:
            await self.open()
        finally:
            self._coming -= 1
            self._rest()
        if self._link is None:  # it died between the end of its loading and now
            raise ServerError(SORRY)
        frames = self._jobs[number] = asyncio.Queue()
        self._link.send(frame)
        return frames

    async def close(self) -> None:
        """End the host and all jobs. One that is just being made is waited for, and ended."""
        if self._idle:
            self._idle.cancel()
        async with self._changing:
            await self._end()
        await asyncio.gather(*self._ending)
        self._state = "stopped"

    def _send(self, frame: Frame) -> None:
        if self._link is not None:
            self._link.send(frame)

    def _receive(self, frame: Frame | None) -> None:
        if frame is None:
            self._lost()
        elif frame.job:
            if frames := self._jobs.get(frame.job):
                if frame.op != "item":
                    del self._jobs[frame.job]
                    self._rest()
                frames.put_nowait(frame)
        elif frame.op == "opened":
            self._settle(load_capabilities(frame.value))
            self._rest()
        elif frame.op == "failed":
            self._settle(ApiError.from_fields(frame.value))
            self._end_soon(lambda: self._state == "failed")

    def _settle(self, outcome: Capabilities | ApiError) -> None:
        """Tell those who wait for the engine how its opening went."""
        if self._opened is None or self._opened.done():
            return
        if isinstance(outcome, ApiError):
            self._state, self._reason = "failed", outcome.message
            self._opened.set_exception(outcome)
        else:
            self._state = "ready"
            self._opened.set_result(outcome)

    def _lost(self) -> None:
        """The host died: its jobs fail, nothing else does, and the next job opens it again."""
        log.error("the host of %s died", self._deployment.id)
        self._link = None
        if self._state == "ready":
            self._state, self._reason = "unloaded", "its host died"
        self._settle(ServerError(f"the host of {self._deployment.id} died"))
        self._fail_jobs(ServerError(SORRY))

    def _fail_jobs(self, failure: ApiError) -> None:
        jobs, self._jobs = self._jobs, {}
        for number, frames in jobs.items():
            frames.put_nowait(Frame("failed", number, failure.fields()))

    async def _end(self) -> None:
        """End the host. Whoever still waits for it is told before, so that a job which comes while
        it ends is none of them."""
        link, self._link = self._link, None
        closing = OverloadedError("The server is shutting down.")
        self._settle(closing)
        self._fail_jobs(closing)
        if link is not None:
            await link.close()

    def _rest(self) -> None:
        """Count the time without work from now."""
        if self._idle:
            self._idle.cancel()
        if self._idle_unload:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._idle_unload, self._end_soon, self._idles)

    def _idles(self) -> bool:
        return self._state == "ready" and not self._jobs and not self._coming

    def _end_soon(self, still: Callable[[], bool]) -> None:
        """End the host once nothing else is done to it, if it is `still` to be ended then."""

        async def end() -> None:
            async with self._changing:
                if still():
                    idle = self._state == "ready"
                    await self._end()
                    if idle:
                        self._state = "unloaded"

        ending = asyncio.create_task(end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


def _retrieve(opened: asyncio.Future[Capabilities]) -> None:
    """Mark a failure as seen even where nobody waits for it any more."""
    if not opened.cancelled():
        opened.exception()
