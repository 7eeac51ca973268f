"""Where a host has its uploads decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from soundalike.audio.confined import AVAILABLE, ConfinedDecoder
from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.audio.refusals import LONGEST_SECONDS
from soundalike.engines.underway import underway
from soundalike.transcript import Inspected

if TYPE_CHECKING:
    from soundalike.audio.pcm import Samples


class UploadDecoder(Protocol):
    """Decodes files, for any number of threads; raises what `soundalike.audio.decode` does. The job
    that is under way begins when its file need not wait for others any more."""

    def start(self) -> None:
        """Have ready what the first upload would else wait for."""
        ...

    def decode(
        self, path: Path, rate: int = RECOGNITION_RATE, *, max_seconds: float = LONGEST_SECONDS
    ) -> Samples: ...

    def inspect(self, path: Path) -> Inspected: ...

    def close(self) -> None: ...


class InlineDecoder:
    """Decodes on the thread that asks, in a process that also holds other things: for tests, and
    for systems on which processes cannot be confined. Only length and channels are limited."""

    def start(self) -> None:
        import soundalike.audio.decode  # noqa: F401

    def decode(
        self, path: Path, rate: int = RECOGNITION_RATE, *, max_seconds: float = LONGEST_SECONDS
    ) -> Samples:
        from soundalike.audio.decode import decode

        underway().begin()
        return decode(path, rate, max_seconds=max_seconds)

    def inspect(self, path: Path) -> Inspected:
        from soundalike.audio.decode import inspect

        underway().begin()
        return inspect(path)

    def close(self) -> None:
        """Nothing is held."""


def upload_decoder(*, confined: bool) -> UploadDecoder:
    """The decoder of a host: confined where that is asked for, and possible."""
    return ConfinedDecoder() if confined and AVAILABLE else InlineDecoder()
