"""uvicorn's HTTP protocol, with limits on what a client may keep waiting for it."""

import asyncio
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from soundalike.api.errors import render
from soundalike.errors import InvalidRequestError

CROWDED = "soundalike.crowded"
"""Under `scope["extensions"]` where there are more connections than there may be."""

PORTION = 65536
"""Bytes that h11 is given at once: as many as it keeps of a head, so that none has twice that."""

PROGRESS = 1024
"""Bytes by which a client must come forward that sends on after it was answered."""

HURRY = 1.0
"""Seconds, instead of `patience`, on connections beyond those that there may be."""

UNSENT = 65536
"""Bytes of an answer that the kernel takes ahead of what it can send. It else takes megabytes for
a slow reader, and room for more only once a third of them is gone."""

_INFO = struct.Struct("@8B24I2QQ")
"""The beginning of Linux's `struct tcp_info`, up to the bytes that were acknowledged."""


class LimitedProtocol(H11Protocol):
    """Ends a connection whose client neither sends the head of a request nor takes its answer.

    uvicorn itself ends those that are idle after an answer. What becomes of a slow body the
    application decides, see `soundalike.api.patience`.

    Args:
        patience: seconds between two looks; a client that owed something at one look, and has
            done nothing for it at the next, is given up. 0 is no limit.
        most: connections at once, beyond which a request is marked as `CROWDED`; None is no limit.
        spare: connections beyond those, so that health can be asked for; further ones are reset.
    """

    def __init__(
        self,
        *args: Any,
        patience: float = 0,
        most: int | None = None,
        spare: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._patience = patience
        self._most = most
        self._spare = spare
        self._looking: asyncio.TimerHandle | None = None
        self._received = 0
        self._drained = 0
        self._owed: tuple[Any, ...] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._most is not None and len(self.connections) > self._most:
            if len(self.connections) > self._most + self._spare:
                transport.abort()
                return
            self._patience = min(self._patience or HURRY, HURRY)
            self._mark_crowded()
        self._bound_unsent()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        # h11 limits what it keeps of an unfinished head, but not what it is given at once.
        for start in range(0, len(data), PORTION):
            if not self.transport.is_closing():
                super().data_received(data[start : start + PORTION])

    def resume_writing(self) -> None:
        self._drained += 1
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP as any other refusal, where there was no answer yet."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        answer = render(InvalidRequestError(msg))
        headers = [
            *answer.raw_headers,
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _bound_unsent(self) -> None:
        connected: socket.socket | None = self.transport.get_extra_info("socket")
        if connected is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with suppress(OSError):  # it is no TCP, or gone
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    def _mark_crowded(self) -> None:
        application = self.app

        async def marked(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[CROWDED] = True
            await application(scope, receive, send)

        self.app = marked

    def _look(self) -> None:
        owed = self._what_is_owed()
        if owed is not None and owed == self._owed:
            self.transport.abort()
        elif self._patience:
            self._owed = owed
            self._looking = self.loop.call_later(self._patience, self._look)

    def _what_is_owed(self) -> tuple[Any, ...] | None:
        """What the client has still to do, and how far it is with that; None for nothing."""
        if untaken := self.transport.get_write_buffer_size():
            return "take", untaken, self._drained, _acknowledged(self.transport)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            return None
        if self.conn.their_state is h11.SEND_BODY:
            return "send", self._received // PROGRESS
        if self.timeout_keep_alive_task is not None:
            return None
        return "ask", cycle  # the last one, as long as there is no new one


def _acknowledged(transport: asyncio.Transport) -> int | None:
    """Bytes that the client's kernel has taken so far; None where this one does not tell.

    A socket has room again only after much was taken, which a slow reader can be long about.
    """
    connected: socket.socket | None = transport.get_extra_info("socket")
    if connected is None or sys.platform != "linux":
        return None
    try:
        info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:
        return None
    return int(_INFO.unpack(info)[-1]) if len(info) == _INFO.size else None
