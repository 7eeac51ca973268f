"""Decoding in a process of its own for each upload, which holds nothing else and has limits.

The processes come from `soundalike.audio.decoder`, one for each host. On Linux; elsewhere uploads
are decoded where they are asked for, by the same code, with the limits of `Bounds` alone.
"""

from __future__ import annotations

import logging
import math
import mmap
import os
import socket
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from soundalike.audio.allowance import SAMPLE, FullError, Held, Place, Places, Room
from soundalike.audio.orders import Limits, Order
from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.audio.refusals import LONGEST_SECONDS, Bounds, Refusal, undecodable
from soundalike.audio.told import KILLED, PACE, PATIENCE, READING, NotStartedError, outcome
from soundalike.audio.zygote import Zygote
from soundalike.engines.underway import underway
from soundalike.errors import OverloadedError, ServerError
from soundalike.transcript import Inspected

if TYPE_CHECKING:
    from collections.abc import Callable

    from soundalike.audio.pcm import Samples

log = logging.getLogger(__name__)

AVAILABLE = sys.platform == "linux"

MEMORY = 256 * 2**20
"""Bytes that decoding may take beyond the result: several times what an honest file needs."""


class ConfinedDecoder:
    """Decodes uploads side by side, for any number of threads. Linux only, see `AVAILABLE`.

    Args:
        memory: bytes that each decoding may take, its result not counted.
        patience: seconds for each, and one more for every `PACE` seconds of sound that come.
        room: for the samples, until nobody holds them any more.
    """

    def __init__(
        self, *, memory: int = MEMORY, patience: float = PATIENCE, room: Room | None = None
    ) -> None:
        self._memory = memory
        self._patience = patience
        self._room = room or Room()
        self._places = Places()
        self._zygote = Zygote()

    @property
    def pid(self) -> int | None:
        """Of the process whose children decode."""
        return self._zygote.pid

    def start(self) -> None:
        """Have the process ready ahead of the first upload, which else waits for it."""
        self._zygote.start()

    def decode(
        self,
        path: Path,
        rate: int = RECOGNITION_RATE,
        *,
        max_seconds: float = LONGEST_SECONDS,
    ) -> Samples:
        """As `soundalike.audio.decode.decode`; waits for a place, and for room. The job that is
        under way begins when it has both.

        Raises:
            UndecodableAudioError: also of a file that takes too much memory or time, or on which
                the decoder crashes.
            InvalidRequestError: the audio is longer than `Bounds` allow, or has too many channels.
            OverloadedError: it is long, and as many long ones wait for room as may.
            ServerError: the decoder was killed from outside.
            AbandonedError: nobody wants the job any more that is under way on this thread.
        """
        bounds = Bounds(path.stat().st_size, max_seconds)
        most = (int(bounds.seconds * rate) + rate) * SAMPLE
        try:
            return self._decoded(path, rate, bounds, most, Held(self._room))
        except FullError:  # others have the rest of the room: wait for all that it may take
            underway().wait()
            return self._decoded(path, rate, bounds, most, self._held_in_whole(most))

    def inspect(self, path: Path) -> Inspected:
        """As `soundalike.audio.decode.inspect`; raises what `decode` does."""
        bounds = Bounds(path.stat().st_size)
        with _anonymous_file() as sink:
            order = self._order("inspect", RECOGNITION_RATE, bounds, 0)
            found = self._carry_out(order, path, sink, bounds)
        try:
            container, seconds, sha256 = found["container"], found["seconds"], found["sha256"]
            return Inspected(str(container), float(seconds), str(sha256))
        except (KeyError, TypeError, ValueError):
            raise undecodable() from None

    def close(self) -> None:
        """End every decoding. Nothing is left running."""
        self._zygote.close()

    def _held_in_whole(self, most: int) -> Held:
        try:
            return Held(self._room, most)
        except FullError:
            raise OverloadedError(
                "The engine is currently overloaded, please try again later.", retry_after=1
            ) from None

    def _decoded(self, path: Path, rate: int, bounds: Bounds, most: int, held: Held) -> Samples:
        import numpy as np

        order = self._order("decode", rate, bounds, most)
        try:
            with _anonymous_file() as sink:
                self._carry_out(order, path, sink, bounds, held.fit)
                size = _sealed_size(sink) // SAMPLE * SAMPLE
                if not size:
                    raise undecodable()
                held.keep(size)
                samples = mmap.mmap(sink.fileno(), size, access=mmap.ACCESS_COPY)
        except BaseException:
            held.end()
            raise
        weakref.finalize(samples, held.end).atexit = False
        return np.frombuffer(samples, np.float32)

    def _order(
        self, task: Literal["decode", "inspect"], rate: int, bounds: Bounds, output: int
    ) -> Order:
        cpu = math.ceil(self._patience + bounds.seconds / PACE + bounds.size / READING)
        return Order(task, rate, bounds.seconds, Limits(self._memory, cpu, output))

    def _carry_out(
        self,
        order: Order,
        path: Path,
        sink: BinaryIO,
        bounds: Bounds,
        fit: Callable[[int], None] = lambda _: None,
    ) -> Any:
        place = Place(self._places)

        def on_sign() -> None:
            size = _size(sink)
            fit(size)
            place.fit(size)

        try:
            underway().begin()
            ours, theirs = socket.socketpair()
            with ours:
                with theirs, path.open("rb") as upload:
                    files = (upload.fileno(), sink.fileno(), theirs.fileno())
                    process = self._zygote.send(order, files)
                try:
                    return outcome(
                        ours,
                        patience=self._patience,
                        max_seconds=bounds.seconds,
                        size=bounds.size,
                        on_sign=on_sign,
                    )
                except NotStartedError:
                    self._zygote.end(process)
                    raise ServerError(KILLED) from None
        except Refusal as refusal:
            raise bounds.error(refusal) from None
        except TimeoutError:
            log.warning("an upload was given up: it took too long to decode")
            raise undecodable() from None
        finally:
            place.end()


def _anonymous_file() -> BinaryIO:
    """A file in memory, that nobody else finds and nothing is left of."""
    descriptor = os.memfd_create("samples", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return open(descriptor, "r+b", buffering=0)  # noqa: PTH123


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _sealed_size(file: BinaryIO) -> int:
    """Bytes of a file that cannot be changed any more, whoever else still holds it."""
    import fcntl

    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    try:
        fcntl.fcntl(file.fileno(), fcntl.F_ADD_SEALS, seals)
    except OSError:
        raise undecodable() from None
    return _size(file)
