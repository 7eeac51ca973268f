"""The two ways to reach an engine host: a child process, or threads of this one."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

from soundalike.runtime.frames import BrokenFrameError, Frame, receive_frame
from soundalike.runtime.work import EngineHost

Receive = Callable[[Frame | None], None]
"""Takes each frame from a host on the event loop, and None when the host is gone."""

GRACE = 2.0
"""Seconds in which a host process may end by itself before it is killed."""


class Link(Protocol):
    """A live connection to one host."""

    @property
    def pid(self) -> int | None:
        """Of the host's process, where it has one of its own."""
        ...

    def send(self, frame: Frame) -> None:
        """Pass a frame on; without effect on a host that is gone."""
        ...

    async def close(self) -> None:
        """End the host and wait until it has ended. `receive` is not called any more."""
        ...


OpenLink = Callable[[Receive], Awaitable[Link]]


class ProcessLink:
    """A host in a child process, over its stdin and stdout."""

    def __init__(self, process: asyncio.subprocess.Process, receive: Receive) -> None:
        self._process = process
        self._receive = receive
        self._reading = asyncio.create_task(self._read(), name=f"host {process.pid}")

    @classmethod
    async def open(cls, receive: Receive) -> "ProcessLink":
        process = await asyncio.create_subprocess_exec(
            # -P: a folder in which the server happens to be started adds no modules.
            *(sys.executable, "-P", "-m", "soundalike.runtime.host"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process, receive)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def send(self, frame: Frame) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frame.encode())

    async def close(self) -> None:
        self._reading.cancel()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(GRACE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while frame := await receive_frame(self._process.stdout):
                self._receive(frame)
        except BrokenFrameError:
            self._process.kill()
        await self._process.wait()
        self._receive(None)


class ThreadLink:
    """A host in threads of this process."""

    pid = None

    def __init__(self, receive: Receive) -> None:
        self._loop = asyncio.get_running_loop()
        self._receive: Receive | None = receive
        self._host = EngineHost(self._emit)

    @classmethod
    async def open(cls, receive: Receive) -> "ThreadLink":
        return cls(receive)

    def send(self, frame: Frame) -> None:
        self._host.handle(frame)

    async def close(self) -> None:
        self._receive = None
        await asyncio.to_thread(self._host.close)

    def _emit(self, frame: Frame) -> None:
        self._loop.call_soon_threadsafe(self._deliver, frame)

    def _deliver(self, frame: Frame) -> None:
        if self._receive:
            self._receive(frame)
