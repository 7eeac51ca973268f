"""Work that is worth doing only while the client is still there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from soundalike.formats.events import EVENT_STREAM_TYPE

Result = TypeVar("Result")

EVENT_STREAM_HEADERS = {"content-type": EVENT_STREAM_TYPE, "cache-control": "no-store"}


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled when the client goes away. The request's body must
    have been read.

    Raises:
        ClientDisconnect: the client went away first.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def started(request: Request, chunks: AsyncGenerator[Result]) -> AsyncIterator[Result]:
    """The same chunks, the first of which has come; closing `chunks` is the caller's part.

    What goes wrong before it is raised here, while there can still be an answer with a status of
    its own.
    """

    async def first_chunk() -> Result | None:
        return await anext(chunks, None)

    first = await while_connected(request, first_chunk())

    async def all_chunks() -> AsyncIterator[Result]:
        if first is not None:
            yield first
            async for chunk in chunks:
                yield chunk

    return all_chunks()


class Stream(StreamingResponse):
    """A body that leaves while it is made.

    Args:
        held: what the body needs. It is given back when the answer has ended, however it did: a
            generator's own `finally` does not run where the client is gone before the first byte.
    """

    def __init__(
        self, body: AsyncIterator[bytes], headers: Mapping[str, str], held: AsyncExitStack
    ) -> None:
        super().__init__(body, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)
