"""A large body as it arrives, as long as it keeps to its limit."""

from collections.abc import AsyncIterator

from starlette.requests import Request

from soundalike.errors import ContentTooLargeError

PIECE = 128 * 1024
"""Bytes that are gathered before they are written."""

PATIENCE = 20
"""How many times the limit is read past before the connection is given up."""


async def limited_pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a thread's while; what is beyond `limit` bytes is read
    past and dropped.

    Raises:
        ContentTooLargeError: it is larger than `limit`.
        ClientDisconnect: the client went away before it had sent everything.
    """
    piece = bytearray()
    async for chunk in _limited(request, limit):
        piece += chunk
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body's chunks.

    A client that asks first (RFC 9110, `Expect: 100-continue`) is refused before it sends
    anything. Any other can hear the refusal only after it has sent everything: a connection that
    is closed in its face reaches it as a network error.
    """
    size = int(request.headers.get("content-length") or 0)
    asks_first = request.headers.get("expect", "").lower() == "100-continue"
    read = 0
    if size <= limit or not asks_first:
        async for chunk in request.stream():
            read += len(chunk)
            size = max(size, read)
            if size <= limit:
                yield chunk
            elif read > PATIENCE * limit:
                break
    if size > limit:
        raise ContentTooLargeError(
            f"413: Maximum content size limit ({limit}) exceeded ({size} bytes read)", billed=True
        )
