"""One deployment on the server's side: its host, the jobs in it, and its life and death."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from soundalike.errors import ApiError, OverloadedError, ServerError
from soundalike.runtime.backoff import Backoff
from soundalike.runtime.base import Capabilities, Deployment, Load, State, Status
from soundalike.runtime.frames import (
    Frame,
    Job,
    Opening,
    dump_job,
    dump_opening,
    load_capabilities,
)
from soundalike.runtime.jobs import RunningJob, Tally
from soundalike.runtime.lanes import SORRY, WINDOW
from soundalike.runtime.links import Link, OpenLink
from soundalike.runtime.watchdog import Watchdog

log = logging.getLogger(__name__)

CLOSING = "The server is shutting down."


class Host:
    """Runs jobs on one engine, opening it when it is needed and again when it has died.

    Args:
        deployment: what to run.
        open_link: how to reach a host.
        idle_unload: seconds without a job after which the host is ended; 0 keeps it.
        queue_timeout: seconds in which an engine must begin with a job; 0 is no limit.
        stall_timeout: seconds in which an engine must open, and its jobs must come forward, before
            its host is killed; 0 is no limit.
    """

    def __init__(
        self,
        deployment: Deployment,
        open_link: OpenLink,
        idle_unload: float,
        *,
        queue_timeout: float = 0,
        stall_timeout: float = 0,
    ) -> None:
        self._deployment = deployment
        self._open_link = open_link
        self._idle_unload = idle_unload
        self._queue_timeout = queue_timeout
        self._stall_timeout = stall_timeout
        self._capacity = deployment.threads * deployment.depth + deployment.queue
        self._numbers = itertools.count(1)
        self._jobs: dict[int, RunningJob] = {}
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
        self._tally = Tally()
        self._died = False
        self._was_ready = False
        self._backoff = Backoff()
        self._retry: asyncio.TimerHandle | None = None
        self._watchdog: Watchdog | None = None
        self._closed = False

    @property
    def status(self) -> Status:
        # What failed has failed until it is open, however often it is tried again.
        failing = self._state == "loading" and self._backoff.failing
        state = "failed" if failing else self._state
        return Status(
            self._deployment.id, self._deployment.kind, state, self._reason, self._was_ready
        )

    @property
    def load(self) -> Load:
        running = sum(job.taken for job in self._jobs.values())
        return Load(
            self._deployment.id,
            self._deployment.kind,
            slots=self._deployment.threads * self._deployment.depth,
            queue=self._deployment.queue,
            running=running,
            queued=len(self._jobs) - running + self._coming,
            audio_seconds=self._tally.audio,
            busy_seconds=self._tally.busy,
            real_time_factor=self._tally.factor,
            restarts=self._tally.restarts,
            pid=self._link.pid if self._link else None,
        )

    async def open(self) -> Capabilities:
        """Open the engine unless it is open. All who wait for it share how that goes.

        Raises:
            ApiError: the engine cannot be opened.
            OverloadedError: it could not be opened just before, or not in time, or the server is
                about to end.
        """
        async with self._changing:
            if self._link is None:
                self._check_startable()
                await self._start()
            opened = self._opened
        assert opened is not None
        # Shielded: a client that goes away must not take the loading engine with it.
        return await asyncio.shield(opened)

    async def _start(self) -> None:
        self._state = "loading"
        self._tally.restarts += self._died
        self._died = False
        self._opened = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(_retrieve)
        try:
            self._link = await self._open_link(self._receive)
        except OSError as error:
            self._not_opened(ServerError(f"no host for {self._deployment.id}: {error}"))
            return
        except asyncio.CancelledError:
            self._state = "stopped"
            raise
        deployment = self._deployment
        opening = Opening(deployment.kind, deployment.config, deployment.threads, deployment.depth)
        self._link.send(Frame("open", value=dump_opening(opening)))
        if self._stall_timeout:
            self._watchdog = Watchdog(self._stall_timeout, self._send, self._give_up)

    def _check_startable(self) -> None:
        if self._closed:
            raise OverloadedError(CLOSING)
        if self._backoff.remaining:
            raise OverloadedError(
                "The engine could not be opened. It is tried again soon, please come back later.",
                retry_after=self._backoff.remaining,
            )

    async def capabilities(self) -> Capabilities:
        """What the engine can do; opens it where needed.

        Raises:
            As `open`.
        """
        async with self._in_time():
            return await self.open()

    async def run(self, job: Job) -> AsyncGenerator[Frame]:
        """The frames that a job makes. Closing the generator cancels it.

        Raises:
            OverloadedError: as many jobs wait as may.
            ApiError: whatever the job fails with.
        """
        number = next(self._numbers)
        running = RunningJob(self._deployment.id)
        taken = 0
        try:
            async with self._in_time():
                await self._submit(number, job, running)
                await running.begun.wait()
            while (frame := await running.frames.get()).op == "item":
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
            running.ended()

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        """Nothing in it may wait for longer than a job may wait for its turn."""
        try:
            async with asyncio.timeout(self._queue_timeout or None):
                yield
        except TimeoutError:
            raise OverloadedError(
                "The request waited too long for its turn, please try again later.", retry_after=1
            ) from None

    async def _submit(self, number: int, job: Job, running: RunningJob) -> None:
        """Pass a job to the host."""
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
        self._jobs[number] = running
        self._link.send(frame)

    async def close(self) -> None:
        """End the host and all jobs. One that is just being made is waited for, and ended."""
        self._closed = True
        for timer in filter(None, (self._idle, self._retry)):
            timer.cancel()
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
            if job := self._jobs.get(frame.job):
                if frame.op not in ("taken", "item"):
                    del self._jobs[frame.job]
                    self._tally.add(job, frame)
                    self._rest()
                job.receive(frame)
        elif frame.op == "opened":
            self._settle(load_capabilities(frame.value))
            self._backoff.succeeded()
            if self._watchdog:
                self._watchdog.opened()
            self._rest()
        elif frame.op == "failed":
            self._not_opened(ApiError.from_fields(frame.value))
            self._end_soon(lambda: self._state == "failed")
        elif frame.op == "pong" and self._watchdog:
            self._watchdog.answered(frame.value)

    def _give_up(self, reason: str) -> None:
        log.error("the host of %s is killed: %s", self._deployment.id, reason)
        if self._link is not None:
            self._link.kill()

    def _not_opened(self, failure: ApiError, *, died: bool = False) -> None:
        """Tell those who wait, and try again by and by: a server that says that it is not ready
        may get no request that would."""
        self._backoff.failed(by_accident=died)
        self._settle(failure)
        if self._deployment.preload and not self._closed:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(self._backoff.remaining + 0.01, self._open_again)

    def _open_again(self) -> None:
        async def opening() -> None:
            with suppress(ApiError):
                await self.open()

        self._in_background(opening())

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
        log.error("the host of %s died", self._deployment.id)
        self._unwatch()
        self._link = None
        self._died = True
        if self._state == "ready":
            self._state, self._reason = "unloaded", "its host died"
        if self._state == "loading":
            died = ServerError(f"the host of {self._deployment.id} died")
            self._not_opened(died, died=True)
        self._fail_jobs(ServerError(SORRY))

    def _fail_jobs(self, failure: ApiError) -> None:
        jobs, self._jobs = self._jobs, {}
        for number, job in jobs.items():
            job.receive(Frame("failed", number, failure.fields()))

    async def _end(self) -> None:
        """End the host. Whoever still waits for it is told before, so that a job which comes while
        it ends is none of them."""
        self._unwatch()
        link, self._link = self._link, None
        closing = OverloadedError(CLOSING)
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

        self._in_background(end())

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _unwatch(self) -> None:
        if self._watchdog:
            self._watchdog.stop()
            self._watchdog = None


def _retrieve(opened: asyncio.Future[Capabilities]) -> None:
    """Mark a failure as seen even where nobody waits for it any more."""
    if not opened.cancelled():
        opened.exception()
