"""One deployment on the server's side: its engine, and the jobs that it has."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from soundalike.errors import (
    SORRY,
    ApiError,
    ContentTooLargeError,
    OverloadedError,
    ServerError,
)
from soundalike.observation import Observation, current
from soundalike.runtime.base import Capabilities, Deployment, Load, Status
from soundalike.runtime.frames import WINDOW, BrokenFrameError, Frame, Job, dump_job
from soundalike.runtime.jobs import RunningJob, Tally
from soundalike.runtime.lifetime import Lifetime
from soundalike.runtime.links import OpenLink
from soundalike.runtime.watchdog import watched


class Host:
    """Runs jobs on one engine, opening it when it is needed and again when it has died.

    Args:
        deployment: what to run.
        open_link: how to reach a host.
        idle_unload: seconds without a job after which the host is ended; 0 keeps it.
        queue_timeout: seconds that a request may wait for engines to begin with its jobs, or to go
            on with them where they have to wait once more; 0 is no limit.
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
        self._engine = Lifetime(
            deployment,
            watched(open_link, deployment.id, stall_timeout) if stall_timeout else open_link,
            on_frame=self._receive,
            on_open=self._opened,
            on_end=self._fail_jobs,
        )
        self._idle_unload = idle_unload
        self._queue_timeout = queue_timeout
        self._capacity = deployment.threads * deployment.depth + deployment.queue
        self._numbers = itertools.count(1)
        self._jobs: dict[int, RunningJob] = {}
        self._coming = 0
        """Requests that wait for the engine to open."""
        self._idle: asyncio.TimerHandle | None = None
        self._prepared = False
        self._tally = Tally()

    @property
    def status(self) -> Status:
        return self._engine.status

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
            restarts=self._engine.restarts,
            pid=self._engine.pid,
        )

    async def open(self) -> Capabilities:
        """Open the engine unless it is open.

        Raises:
            As `Lifetime.open`.
        """
        return await self._engine.open()

    def prepare(self) -> None:
        """Have codecs loaded whenever the engine has opened, ahead of the first job."""
        self._prepared = True
        self._engine.send(Frame("prepare"))

    async def capabilities(self) -> Capabilities:
        """What the engine can do, as it said when it was open last; opens it if it never was.

        Raises:
            As `open`.
            OverloadedError: also where it is not open in time, or as many wait as may.
        """
        if known := self._engine.capabilities:
            return known
        async with self._in_time():
            return await self._wait_for_engine()

    async def run(self, job: Job) -> AsyncGenerator[Frame]:
        """The frames that a job makes. Closing the generator cancels it.

        Raises:
            OverloadedError: as many jobs wait as may.
            ContentTooLargeError: the job is too large to be passed on.
            ApiError: whatever the job fails with.
        """
        number = next(self._numbers)
        running = RunningJob(self._deployment.id)
        taken = 0
        try:
            async with self._in_time():
                await self._submit(number, job, running)
                await running.begun.wait()
            while (frame := await running.frames.get()).op in ("item", "waits"):
                if frame.op == "waits":
                    async with self._in_time():
                        await running.begun.wait()
                    continue
                yield frame
                taken += frame.cost
                if taken >= WINDOW // 2:
                    self._engine.send(Frame("credit", number, taken))
                    taken = 0
            if frame.op == "failed":
                raise ApiError.from_fields(frame.value)
        finally:
            # The job counts until its host says that it has ended: it may be in a long step.
            if number in self._jobs:
                self._engine.send(Frame("cancel", number))
            running.leave()

    async def close(self) -> None:
        """End the host and all jobs. One that is just being made is waited for, and ended."""
        if self._idle:
            self._idle.cancel()
        await self._engine.close()

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        """In it a request waits for its turn, which it may for so long in all."""
        request = current.get() or Observation("", "")
        began = time.monotonic()
        left = max(0.0, self._queue_timeout - request.waited) if self._queue_timeout else None
        try:
            async with asyncio.timeout(left):
                yield
        except TimeoutError:
            raise OverloadedError(
                "The request waited too long for its turn, please try again later.", retry_after=1
            ) from None
        finally:
            request.waited += time.monotonic() - began

    async def _submit(self, number: int, job: Job, running: RunningJob) -> None:
        """Pass a job to the host."""
        await self._wait_for_engine()
        try:
            sent = self._engine.send(Frame("run", number, dump_job(job)))
        except BrokenFrameError:
            raise ContentTooLargeError("The request is too large for an engine.") from None
        if not sent:  # it died between the end of its loading and now
            raise ServerError(SORRY)
        self._jobs[number] = running

    async def _wait_for_engine(self) -> Capabilities:
        """Open the engine where needed; meanwhile the caller is one of those who wait."""
        if len(self._jobs) + self._coming >= self._capacity:
            raise OverloadedError(
                "The engine is currently overloaded, please try again later.", retry_after=1
            )
        self._coming += 1
        try:
            return await self.open()
        finally:
            self._coming -= 1
            self._rest()

    def _opened(self) -> None:
        if self._prepared:
            self.prepare()
        self._rest()

    def _receive(self, frame: Frame) -> None:
        if job := self._jobs.get(frame.job):
            if frame.op not in ("taken", "waits", "item"):
                self._end(frame)
                self._rest()
            else:
                job.receive(frame)

    def _fail_jobs(self, failure: ApiError) -> None:
        for number in list(self._jobs):
            self._end(Frame("failed", number, failure.fields()))

    def _end(self, last: Frame) -> None:
        job = self._jobs.pop(last.job)
        job.receive(last)
        self._tally.add(job, last)

    def _rest(self) -> None:
        """Count the time without work from now."""
        if self._idle:
            self._idle.cancel()
        if self._idle_unload:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._idle_unload, self._engine.unload, self._idles)

    def _idles(self) -> bool:
        return not self._jobs and not self._coming
