"""JSON bodies."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request

from soundalike.api.memory import WIDEST, RequestMemory
from soundalike.errors import ContentTooLargeError, InvalidRequestError

MAX_JSON = 2**20
"""Bytes of a JSON body: many times what the longest input takes."""

VALUE = 128
"""Bytes of memory that a value in a list or an object takes, and its place there."""

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not "
    "valid JSON. If you have trouble figuring out how to fix this, please contact us through our "
    "help center at help.openai.com.)"
)


@asynccontextmanager
async def received_json(request: Request) -> AsyncGenerator[dict[str, Any]]:
    """The body as a JSON object, for which there is room in memory as long as the context.

    Raises:
        InvalidRequestError: it is not one, or its `model` is not a string.
        ContentTooLargeError: it is larger than any request can need to be.
        OverloadedError: it is large, and there are too many of that kind.
    """
    with RequestMemory() as memory:
        yield _object(await _read(request, memory), memory)


async def _read(request: Request, memory: RequestMemory) -> bytearray:
    data = bytearray()
    async for chunk in request.stream():
        if len(data) + len(chunk) > MAX_JSON:
            read = len(data) + len(chunk)
            raise ContentTooLargeError(
                f"413: Maximum content size limit ({MAX_JSON}) exceeded ({read} bytes read)"
            )
        memory.take(len(chunk))
        data += chunk
    return data


def _object(data: bytearray, memory: RequestMemory) -> dict[str, Any]:
    values = sum(data.count(mark) for mark in (b",", b"[", b"{"))
    memory.take(len(data) * (WIDEST - 1) + values * VALUE)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str | None):
        raise InvalidRequestError(NOT_JSON)
    return body
