"""What a decoding process tells, which nobody should believe, and how long it may take to.

Its clock runs for a while on its own, and goes on only for as long as sound really comes: neither
the header of a file nor its size says how much work it is.
"""

import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from soundalike.audio.allowance import WATCHFUL
from soundalike.audio.refusals import Refusal, undecodable
from soundalike.engines.underway import underway
from soundalike.errors import ApiError, ServerError

log = logging.getLogger(__name__)

PATIENCE = 9.0
"""Seconds of wall-clock time for any file, so that a hostile one is answered within ten."""

PACE = 20.0
"""Seconds of sound that earn another second. A core decodes 76 (Opus in eight channels) to
thousands of them in a second, a slow one a third of that."""

READING = 2**20
"""Bytes of packets counted that earn another second: a fifth of what a core counts in it."""

KILLED = "The upload's decoder was killed."

_MAX_TOLD = 64 * 1024
"""Bytes that a decoding process may say."""


class NotStartedError(Exception):
    """The process did not even take the order in time: it hangs, and not the file is hard."""


def outcome(
    stream: socket.socket,
    *,
    patience: float,
    max_seconds: float,
    size: int = 0,
    on_sign: Callable[[], None] = lambda: None,
) -> Any:
    """What a decoding process gives as its result, read to the end.

    Args:
        max_seconds: the longest sound that it may claim to have decoded.
        size: the bytes of packets that it may claim to have counted.
        on_sign: called now and then, and with each thing that is told.

    Raises:
        Refusal: of the upload.
        UndecodableAudioError: also where the decoder crashed, or cannot be understood.
        TimeoutError: it took too long for the sound that came.
        NotStartedError: it did nothing at all.
        ServerError: it was killed from outside.
        AbandonedError: nobody wants the job any more that is under way on this thread.
        Whatever `on_sign` raises.
    """
    told = _Told(stream, patience, on_sign)
    most = {"heard": max_seconds, "read": size}
    a_second = {"heard": PACE, "read": READING}
    earned = {"heard": 0.0, "read": 0.0}
    started = False
    try:
        for event, value in told:
            on_sign()
            if event == "started":
                started = True
            elif event in earned and isinstance(value, int | float) and value > 0:
                earned[event] = min(value, most[event]) / a_second[event]
                told.earn(sum(earned.values()))
            elif event == "done":
                return value
            else:
                raise _failure(event, value)
    except TimeoutError:
        if started:
            raise
        raise NotStartedError from None
    raise ServerError(KILLED)


class _Told:
    """What is told until a deadline. Iterating raises TimeoutError, UndecodableAudioError or
    AbandonedError."""

    def __init__(self, stream: socket.socket, patience: float, on_sign: Callable[[], None]) -> None:
        self._first_deadline = self._deadline = time.monotonic() + patience
        self._stream = stream
        self._on_sign = on_sign
        self._underway = underway()

    def earn(self, seconds: float) -> None:
        """The sound so far is worth so many seconds beyond the first ones."""
        self._deadline = max(self._deadline, self._first_deadline + seconds)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        pending, read = b"", 0
        while data := self._received():
            *lines, pending = (pending + data).split(b"\n")
            read += len(data)
            for line in lines:
                try:
                    ((event, value),) = json.loads(line).items()
                except (AttributeError, RecursionError, ValueError):
                    raise undecodable() from None
                yield event, value
            if read > _MAX_TOLD:
                raise undecodable()

    def _received(self) -> bytes:
        while (left := self._deadline - time.monotonic()) > 0:
            # The deadline bounds the wait, and so what watches the job need not.
            self._underway.come_forward()
            self._stream.settimeout(min(left, WATCHFUL))
            try:
                return self._stream.recv(4096)
            except TimeoutError:
                self._on_sign()
            except ConnectionError:
                return b""
        raise TimeoutError


def _failure(event: str, value: Any) -> ApiError | Refusal:
    """Why a decoding gave nothing."""
    if event == "refused":
        try:
            reason, number = value
            return Refusal.told(reason, number)
        except (OverflowError, TypeError, ValueError):
            return undecodable()
    if event == "ended" and value == -signal.SIGKILL:
        return ServerError(KILLED)
    log.warning("an upload could not be decoded: %s %r", event, value)
    return undecodable()
