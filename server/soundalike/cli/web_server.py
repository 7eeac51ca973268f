"""uvicorn's server, and how it ends: in good time, and at once when it is told a second time."""

import asyncio
import logging
import socket
from pathlib import Path
from types import FrameType

import uvicorn

from soundalike.app import create_app
from soundalike.runtime.base import Runtime
from soundalike.serving import server_options
from soundalike.settings import Settings

LAST_WORDS = 1.0
"""Seconds in which clients may take what is still to be told once their work was ended."""

log = logging.getLogger(__name__)


class WebServer(uvicorn.Server):
    """Serves the application until SIGTERM or Ctrl-C.

    Then nothing new is accepted, and what runs may end within `settings.grace` seconds. What does
    not is ended with an error that its client sees. A second signal ends everything at once.

    Attributes:
        listens: set when it does, or cannot (then it is not `started`).
    """

    def __init__(self, settings: Settings, runtime: Runtime, folder: Path) -> None:
        options = server_options(settings)
        super().__init__(uvicorn.Config(create_app(settings, runtime, folder), **options))
        self.listens = asyncio.Event()
        self._grace = settings.grace
        self._runtime = runtime
        self._hurry = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.listens.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self._loop.call_soon_threadsafe(self._hurry.set)
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if under_way := len(self.server_state.tasks):
            log.warning(
                "%d %s under way may end within %g s; a second signal ends them at once",
                *(under_way, "request" if under_way == 1 else "requests", self._grace),
            )
        ending = asyncio.create_task(self._end_work())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_work(self) -> None:
        if not await self._hurried(self._grace):
            log.warning("requests are ended that took longer than %g s", self._grace)
            await self._runtime.close()
            await self._hurried(LAST_WORDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _hurried(self, seconds: float) -> bool:
        """Whether it is told to hurry within that time; waits for it."""
        try:
            async with asyncio.timeout(seconds):
                return await self._hurry.wait()
        except TimeoutError:
            return False
