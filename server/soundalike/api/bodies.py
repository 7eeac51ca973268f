"""JSON bodies."""

import json
from typing import Any

from starlette.requests import Request

from soundalike.errors import ContentTooLargeError, InvalidRequestError

MAX_JSON = 2**20
"""Bytes of a JSON body: many times what the longest input takes."""

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not "
    "valid JSON. If you have trouble figuring out how to fix this, please contact us through our "
    "help center at help.openai.com.)"
)


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        InvalidRequestError: it is not one, or its `model` is not a string.
        ContentTooLargeError: it is larger than any request can need to be.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_JSON:
            raise ContentTooLargeError(
                f"413: Maximum content size limit ({MAX_JSON}) exceeded ({len(data)} bytes read)"
            )
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str | None):
        raise InvalidRequestError(NOT_JSON)
    return body
