"""Decoding in a process of its own for each upload, which holds nothing else and has limits.

The processes come from `soundalike.audio.decoder`, one for each host. On Linux; elsewhere uploads
are decoded where they are asked for, by the same code, with a limit on the length alone.
"""

from __future__ import annotations

import json
import logging
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from soundalike.audio.orders import Limits, Order
from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.audio.refusals import LONGEST_SECONDS, undecodable
from soundalike.engines.underway import underway
from soundalike.errors import ApiError, InvalidRequestError, ServerError
from soundalike.transcript import Inspected

if TYPE_CHECKING:
    from soundalike.audio.pcm import Samples

log = logging.getLogger(__name__)

AVAILABLE = sys.platform == "linux"

MEMORY = 256 * 2**20
"""Bytes that decoding may take beyond the result: several times what an honest file needs."""

PATIENCE = 9.0
"""Seconds of wall-clock time for any file, so that a hostile one is answered within ten."""

PACE = 30.0
"""Seconds of claimed audio that earn another second: a tenth of the speed at which a slow core
decodes."""

WATCHFUL = 0.25
"""Seconds between two looks at whether a result is still wanted."""

_MAX_TOLD = 64 * 1024
"""Bytes that a decoding process may say."""

_SAMPLE = 4
"""Bytes."""

_KILLED = "The upload's decoder was killed."


class ConfinedDecoder:
    """Decodes uploads side by side, for any number of threads. Linux only, see `AVAILABLE`.

    Args:
        memory: bytes that each decoding may take, its result not counted.
        patience: seconds for each, and one more for every `PACE` that its file claims to last.
    """

    def __init__(self, *, memory: int = MEMORY, patience: float = PATIENCE) -> None:
        self._memory = memory
        self._patience = patience
        self._changing = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Of the process whose children decode."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Have the process ready ahead of the first upload, which else waits for it."""
        with self._changing:
            if self._process is None and not self._closed:
                self._begin()

    def decode(
        self,
        path: Path,
        rate: int = RECOGNITION_RATE,
        *,
        max_seconds: float = LONGEST_SECONDS,
    ) -> Samples:
        """As `soundalike.audio.decode.decode`.

        Raises:
            UndecodableAudioError: also of a file that takes too much memory or time, or on which
                the decoder crashes.
            InvalidRequestError: the audio is longer than `max_seconds`.
            ServerError: the decoder was killed from outside.
            AbandonedError: nobody wants the job any more that is under way on this thread.
        """
        import numpy as np

        most = (int(max_seconds * rate) + rate) * _SAMPLE
        with _anonymous_file() as sink:
            self._carry_out("decode", path, sink, rate, max_seconds, most)
            size = _sealed_size(sink) // _SAMPLE * _SAMPLE
            if not size:
                raise undecodable()
            samples = mmap.mmap(sink.fileno(), size, access=mmap.ACCESS_COPY)
        return np.frombuffer(samples, np.float32)

    def inspect(self, path: Path) -> Inspected:
        """As `soundalike.audio.decode.inspect`; raises what `decode` does."""
        with _anonymous_file() as sink:
            found = self._carry_out("inspect", path, sink, RECOGNITION_RATE, LONGEST_SECONDS, 0)
        try:
            container, seconds, sha256 = found["container"], found["seconds"], found["sha256"]
            return Inspected(str(container), float(seconds), str(sha256))
        except (KeyError, TypeError, ValueError):
            raise undecodable() from None

    def close(self) -> None:
        """End every decoding. Nothing is left running."""
        with self._changing:
            self._closed = True
            self._end()

    def _carry_out(
        self,
        task: Literal["decode", "inspect"],
        path: Path,
        sink: BinaryIO,
        rate: int,
        max_seconds: float,
        output: int,
    ) -> Any:
        cpu = math.ceil(self._patience + max_seconds / PACE)
        order = Order(task, rate, max_seconds, Limits(self._memory, cpu, output))
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, path.open("rb") as upload:
                self._send(order, (upload.fileno(), sink.fileno(), theirs.fileno()))
            try:
                return self._outcome(ours, max_seconds)
            except TimeoutError:
                log.warning("an upload was given up: it took too long to decode")
                raise undecodable() from None

    def _send(self, order: Order, files: tuple[int, ...]) -> None:
        for _ in range(2):
            with self._changing:
                if self._closed:
                    raise ServerError(_KILLED)
                if self._orders is None:
                    self._begin()
                assert self._orders is not None
                try:
                    socket.send_fds(self._orders, [order.encode()], files)
                    return
                except OSError:  # it has died; the next one takes the order
                    self._end()
        raise ServerError(_KILLED)

    def _outcome(self, stream: socket.socket, max_seconds: float) -> Any:
        told = _Told(stream, self._patience)
        started = claimed = False
        try:
            for event, value in told:
                if event == "started":
                    started = True
                elif event == "claim" and not claimed:
                    claimed = True
                    if isinstance(value, int | float) and value > 0:
                        told.deadline += min(value, max_seconds) / PACE
                elif event == "done":
                    return value
                else:
                    raise _failure(event, value)
        except TimeoutError:
            if started:
                raise
            with self._changing:  # it is the process that hangs, and not the file that is hard
                self._end()
        raise ServerError(_KILLED)

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                # -P: as for the host itself
                [sys.executable, "-P", "-m", "soundalike.audio.decoder", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # It forks, and so must have a single thread.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        self._orders = ours

    def _end(self) -> None:
        if self._orders:
            self._orders.close()
            self._orders = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class _Told:
    """What a decoding process tells, which nobody should believe; until a deadline, which may be
    put off.

    Iterating raises TimeoutError, UndecodableAudioError where it cannot be understood, or
    AbandonedError where nobody wants the job any more that is under way on this thread.
    """

    def __init__(self, stream: socket.socket, patience: float) -> None:
        self.deadline = time.monotonic() + patience
        self._stream = stream
        self._underway = underway()

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
        while (left := self.deadline - time.monotonic()) > 0:
            self._underway.check()
            self._stream.settimeout(min(left, WATCHFUL))
            try:
                return self._stream.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                return b""
        raise TimeoutError


def _failure(event: str, value: Any) -> ApiError:
    """What the client is told of a decoding that gave nothing."""
    if event == "refused":
        try:
            error = ApiError.from_fields(value)
        except (KeyError, TypeError):
            return undecodable()
        return error if isinstance(error, InvalidRequestError) else undecodable()
    if event == "ended" and value == -signal.SIGKILL:
        return ServerError(_KILLED)
    log.warning("an upload could not be decoded: %s %r", event, value)
    return undecodable()


def _anonymous_file() -> BinaryIO:
    """A file in memory, that nobody else finds and nothing is left of."""
    descriptor = os.memfd_create("samples", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return open(descriptor, "r+b", buffering=0)  # noqa: PTH123


def _sealed_size(file: BinaryIO) -> int:
    """Bytes of a file that cannot be changed any more, whoever else still holds it."""
    import fcntl

    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    try:
        fcntl.fcntl(file.fileno(), fcntl.F_ADD_SEALS, seals)
    except OSError:
        raise undecodable() from None
    return os.fstat(file.fileno()).st_size
