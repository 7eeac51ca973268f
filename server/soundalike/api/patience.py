"""How long the server waits for a client that sends, and how many clients it has at once."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundalike.api.errors import render
from soundalike.api.headers import ServiceHeaders
from soundalike.api.protocol import CROWDED, PROGRESS
from soundalike.errors import ApiError, OverloadedError, RequestTimeoutError

ALWAYS = frozenset({"/healthz", "/readyz"})
"""Paths that are answered however many others ask."""


class Patience:
    """Pure ASGI middleware: refuses the requests of too many clients, and gives those up that
    send too slowly. The application is told that such a client is gone; the client, what it did.

    Args:
        seconds: in which the next `PROGRESS` bytes of a body must come; 0 is no limit.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope.get("extensions", {}).get(CROWDED) and scope["path"] not in ALWAYS:
            busy = OverloadedError(
                "The server has too many connections, please try again later.", retry_after=1
            )
            await _refuse(busy, scope, receive, send)
        elif self._seconds:
            await self._answer_in_time(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, self._seconds)
        answering = False

        async def send_unless_late(message: Message) -> None:
            nonlocal answering
            if not body.late:
                answering = True
                await send(message)

        await self._app(scope, body.receive, send_unless_late)
        if body.late and not answering:
            late = RequestTimeoutError("The request took too long to arrive, please try again.")
            await _refuse(late, scope, receive, send)


class _Body:
    """A request's body on its way.

    Attributes:
        late: it came too slowly, and no more of it is waited for.
    """

    def __init__(self, receive: Receive, seconds: float) -> None:
        self.late = False
        self._receive = receive
        self._seconds = seconds
        self._more = True
        self._missing = PROGRESS
        self._waited = 0.0

    async def receive(self) -> Message:
        """The next piece; for a body that is late, that the client is gone."""
        if not self._more:
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._seconds - self._waited):
                message = await self._receive()
        except TimeoutError:
            self.late = True
            return {"type": "http.disconnect"}
        self._waited += loop.time() - began
        self._more = message.get("more_body", False)
        self._missing -= len(message.get("body", b""))
        if self._missing <= 0:
            self._missing, self._waited = PROGRESS, 0.0
        return message


async def _refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    answer = render(error)
    answer.headers["connection"] = "close"
    await ServiceHeaders(answer)(scope, receive, send)
