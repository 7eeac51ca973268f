"""One deployment on the server's side: its host, the jobs in it, and its life and death."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator

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
        self._opening = asyncio.Lock()
        self._opened: asyncio.Future[Capabilities] | None = None
        self._link: Link | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Task[None] | None = None
        self._state: State = "stopped"
        self._reason: str | None = None

    @property
    def status(self) -> Status:
        return Status(self._deployment.id, self._deployment.kind, self._state, self._reason)

    async def open(self) -> Capabilities:
        """Open the engine unless it is open.

        Raises:
            ApiError: the engine cannot be opened.
        """
        async with self._opening:
            if self._link is None or self._opened is None:
                await self._start()
            assert self._opened is not None
            try:
                # Shielded: a client that goes away must not take the loading engine with it.
                return await asyncio.shield(self._opened)
            except ApiError:
                await self._end()
                raise

    async def _start(self) -> None:
        self._state = "loading"
        self._opened = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(_retrieve)
        self._link = await self._open_link(self._receive)
        deployment = self._deployment
        opening = Opening(deployment.kind, deployment.config, deployment.threads, deployment.depth)
        self._link.send(Frame("open", value=dump_opening(opening)))

    async def run(self, job: Job) -> AsyncGenerator[Frame]:
        """The frames that a job makes. Closing the generator cancels it.

        Raises:
            OverloadedError: as many jobs wait as may.
            ApiError: whatever the job fails with.
        """
        if len(self._jobs) >= self._capacity:
            raise OverloadedError(
                "The engine is currently overloaded, please try again later.", retry_after=1
            )
        number = next(self._numbers)
        frames = self._jobs[number] = asyncio.Queue()
        self._keep()
        try:
            await self.open()
            assert self._link is not None
            self._link.send(Frame("run", number, dump_job(job)))
        except BaseException:
            self._forget(number)
            raise
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

    async def close(self) -> None:
        self._keep()
        if self._unloading:
            await self._unloading
        await self._end()
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
                    self._forget(frame.job)
                frames.put_nowait(frame)
        elif frame.op == "opened":
            self._state, self._reason = "ready", None
            self._settle(load_capabilities(frame.value))
        elif frame.op == "failed":
            self._settle(ApiError.from_fields(frame.value))

    def _settle(self, outcome: Capabilities | ApiError) -> None:
        """Tell those who wait for the engine how its opening went."""
        if self._opened is None or self._opened.done():
            return
        if isinstance(outcome, ApiError):
            self._state, self._reason = "failed", outcome.message
            self._opened.set_exception(outcome)
        else:
            self._opened.set_result(outcome)

    def _lost(self) -> None:
        """The host died: its jobs fail, nothing else does, and the next job opens it again."""
        log.error("the host of %s died", self._deployment.id)
        self._state, self._reason = "stopped", "its host died"
        self._settle(ServerError(f"the host of {self._deployment.id} died"))
        self._link = None
        for number in list(self._jobs):
            failure = ServerError(SORRY)
            self._jobs.pop(number).put_nowait(Frame("failed", number, failure.fields()))

    async def _end(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        for number in list(self._jobs):
            failure = OverloadedError("The server is shutting down.")
            self._jobs.pop(number).put_nowait(Frame("failed", number, failure.fields()))

    def _keep(self) -> None:
        if self._idle:
            self._idle.cancel()
            self._idle = None

    def _forget(self, number: int) -> None:
        self._jobs.pop(number, None)
        if not self._jobs and self._idle_unload:
            self._keep()
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._idle_unload, self._unload)

    def _unload(self) -> None:
        async def unload() -> None:
            async with self._opening:
                if not self._jobs:
                    await self._end()
                    self._state = "stopped"

        self._unloading = asyncio.create_task(unload())


def _retrieve(opened: asyncio.Future[Capabilities]) -> None:
    """Mark a failure as seen even where nobody waits for it any more."""
    if not opened.cancelled():
        opened.exception()
