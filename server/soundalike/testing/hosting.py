"""A web server on a thread of this process."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

__tracebackhide__ = True

HOST = "127.0.0.1"

GRACE = 1.0
"""Seconds that requests under way may take to end once the server is to end."""

MARGIN = 5.0
"""Seconds beyond its time-out after which a start is given up that does not even notice it."""

T = TypeVar("T")

Open = Callable[[], Awaitable[None]]


class Hosted:
    """An application that is served on a free port of loopback until it is told to stop. The
    socket is bound, and the port known, before the thread starts.

    Args:
        options: others for `uvicorn.Config`.
    """

    def __init__(self, app: ASGIApp, options: Mapping[str, Any]) -> None:
        # Only of sockets that say they are TCP does asyncio turn Nagle's algorithm off.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self._app = app
        self._options = options
        self._cause: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._leaving = asyncio.Event()
        self._started: Future[None] = Future()
        self._thread: threading.Thread | None = None

    def start(self, open_engines: Open, timeout: float) -> None:
        """Serve, and wait until the application answers and its engines are open.

        Args:
            open_engines: called once the application's lifespan has begun.
            timeout: seconds.

        Raises:
            TimeoutError: they are not by then.
            Exception: whatever keeps them from it.
        """
        self._thread = threading.Thread(
            target=self._run, args=(open_engines, timeout), name="soundalike", daemon=True
        )
        self._thread.start()
        try:
            self._started.result(timeout + MARGIN)
        except TimeoutError as error:
            raise TimeoutError(f"soundalike did not start within {timeout:g} s") from error

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        """End it, with every connection, and wait until it has ended."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._leaving.set)
        if self._thread is not None:
            self._thread.join(GRACE + MARGIN)

    def _run(self, open_engines: Open, timeout: float) -> None:
        config = uvicorn.Config(
            self._watched,
            interface="asgi3",
            lifespan="on",
            **self._options,
        )
        server = _Server(config, self._leaving, self._started)
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(server.run_until_left(self._socket, open_engines, timeout))
        except BaseException as error:  # SystemExit is how uvicorn gives up
            if not self._started.done():
                self._started.set_exception(self._cause or error)
        finally:
            self._socket.close()

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application; what fails its lifespan, uvicorn only logs."""
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            if scope["type"] == "lifespan":
                self._cause = error
            raise


class _Server(uvicorn.Server):
    """uvicorn, which says when it has started, and ends within milliseconds instead of tenths of a
    second: whoever still waits for an answer does so for a test that is over."""

    def __init__(
        self, config: uvicorn.Config, leaving: asyncio.Event, started: "Future[None]"
    ) -> None:
        super().__init__(config)
        self._leaving = leaving
        self._has_started = started

    async def run_until_left(
        self, listening: socket.socket, open_engines: Open, limit: float
    ) -> None:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        try:
            async with asyncio.timeout(limit):
                await self.startup([listening])
                await open_engines()
            ticking = asyncio.create_task(self.main_loop())
            self._has_started.set_result(None)
            await self._leaving.wait()
            ticking.cancel()
        finally:
            if self.started:
                await self.shutdown()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets  # closed with the thread that was given them
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        if tasks := set(self.server_state.tasks):
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.lifespan.shutdown()
