"""Long recordings piece by piece, so that they need not be in memory twice."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from soundalike.audio.pcm import Samples
from soundalike.engines.underway import underway

BLOCK = 2**20
"""Samples that are worked on at once: a minute."""


class Sound(Protocol):
    """Audio of which stretches can be had; an array is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, stretch: slice, /) -> Samples: ...


class Padded:
    """Audio between two stretches of silence of `padding` samples; only what is asked for is
    copied."""

    def __init__(self, audio: Samples, padding: int) -> None:
        self._audio = audio
        self._padding = padding

    def __len__(self) -> int:
        return len(self._audio) + 2 * self._padding

    def __getitem__(self, stretch: slice, /) -> Samples:
        """Of consecutive samples, both ends not negative."""
        start, stop, _ = stretch.indices(len(self))
        first, last = start - self._padding, max(start, stop) - self._padding
        inside = self._audio[max(0, first) : max(0, last)]
        before = max(0, min(last, 0) - first)
        after = max(0, last - max(first, len(self._audio)))
        return np.pad(inside, (before, after)) if before or after else inside


def blocks(sound: Sound, length: int = BLOCK, *, overlap: int = 0) -> Iterator[Samples]:
    """Stretches of `length` samples and `overlap` more, the last one of what there is left. Whoever
    is listened to for this comes forward with each, see `soundalike.engines.underway`."""
    for start in range(0, len(sound), length):
        underway().come_forward()
        yield sound[start : start + length + overlap]
