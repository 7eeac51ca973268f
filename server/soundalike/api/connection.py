"""Work that is worth doing only while the client is still there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


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
    """The same chunks, the first of which has come.

    What goes wrong before it is raised here, while there can still be an answer with a status of
    its own.
    """

    async def first_chunk() -> Result | None:
        return await anext(chunks, None)

    first = await while_connected(request, first_chunk())

    async def all_chunks() -> AsyncIterator[Result]:
        async with aclosing(chunks):
            if first is not None:
                yield first
                async for chunk in chunks:
                    yield chunk

    return all_chunks()
