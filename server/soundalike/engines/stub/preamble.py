"""Finds where transmissions begin, and how long their symbols are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.stub.modem import edge_milliseconds
from soundalike.engines.stub.stretches import BLOCK, Sound, blocks
from soundalike.engines.stub.symbols import LONGEST_SYMBOL, PREAMBLE_TONES, SHORTEST_SYMBOL

_MILLISECOND = RECOGNITION_RATE // 1000
_BLOCK = 4 * _MILLISECOND
_PURE = 0.45
"""The share of one tone in the energy of 8 ms from which that tone is taken to sound alone."""

_SLIPS = (0, 1, -1)
"""Milliseconds by which the beginning may be missed, as some codecs blur it; most likely first."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A guess: a preamble begins at sample `preamble` of 16 kHz audio, and all symbols last
    `milliseconds`."""

    preamble: int
    milliseconds: int

    @property
    def symbol(self) -> int:
        """Samples of a symbol."""
        return self.milliseconds * _MILLISECOND

    @property
    def data(self) -> int:
        """The sample at which the first symbol behind the preamble begins."""
        return self.preamble + len(PREAMBLE_TONES) * self.symbol


def beginnings(audio: Sound) -> Iterator[tuple[Beginning, ...]]:
    """For every place that sounds like a preamble, in order: the likeliest guesses, best first."""
    first, second = _pure_stretches(audio)
    for begin, middle in first:
        # The second tone may seem to begin a little before the first one ends, or after it.
        at = np.searchsorted(second[:, 0], middle - 2)
        if at < len(second) and second[at, 0] <= middle + 3:
            guesses = _refined(audio, int(begin), int(second[at, 0]), int(second[at, 1]))
            if guesses:
                yield guesses


def _pure_stretches(audio: Sound) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where either tone of the preamble sounds alone: shape (stretches, 2), begin and end in
    blocks."""
    whole = len(audio) // _BLOCK * _BLOCK
    # The last block of each stretch is the first one of the next: tones are heard across two.
    pure = [
        _pure(stretch[: min(whole - place * BLOCK, len(stretch))].reshape(-1, _BLOCK))
        for place, stretch in enumerate(blocks(audio, overlap=_BLOCK))
        if place * BLOCK < whole
    ]
    flags = np.concatenate(pure) if pure else np.zeros((0, 2), bool)
    return _runs(flags[:, 0]), _runs(flags[:, 1])


def _pure(blocks: Samples) -> NDArray[np.bool_]:
    """Which tone sounds alone from one of consecutive blocks to the next: shape (blocks - 1, 2)."""
    phases = 2 * np.pi * np.outer(PREAMBLE_TONES, np.arange(_BLOCK)) / RECOGNITION_RATE
    listeners = np.concatenate([np.cos(phases), np.sin(phases)]).astype(np.float32)
    # Not a matrix product: the threads of BLAS wait for one another for seconds on a busy machine.
    parts = np.einsum("ij,kj->ik", blocks, listeners)
    parts = parts[:-1] + parts[1:]  # the tones are in phase from block to block
    energy = np.einsum("ij,ij->i", blocks, blocks)
    energy = (energy[:-1] + energy[1:]) * _BLOCK + np.float32(1e-9)
    pure: NDArray[np.bool_] = (parts[:, :2] ** 2 + parts[:, 2:] ** 2) > _PURE * energy[:, None]
    return pure


def _runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def _refined(audio: Sound, begin: int, middle: int, end: int) -> tuple[Beginning, ...]:
    """The guesses around a preamble whose two tones begin at blocks `begin` and `middle`.

    Each is scored by the power of either tone over its supposed symbol, per length: less where
    the symbol is taken too short, and less where it is taken so long that it holds other sound.
    """
    coarse = 4 * max(middle - begin, end - middle)
    lengths = np.arange(
        max(SHORTEST_SYMBOL, coarse - 12 - coarse // 16),
        min(LONGEST_SYMBOL, coarse + 12 + coarse // 16) + 1,
    )
    if not len(lengths):
        return ()
    origin = max(0, begin * _BLOCK - 16 * _MILLISECOND)
    span = (2 * int(lengths[-1]) + 48) * _MILLISECOND
    sums = np.stack([_running(audio[origin : origin + span], tone) for tone in PREAMBLE_TONES])
    starts = np.arange(min(33, sums.shape[1]))[:, np.newaxis]
    edge = round(edge_milliseconds(coarse) / 2)
    last = sums.shape[1] - 1
    power = np.zeros((len(starts), len(lengths)))
    for place, tone in enumerate(sums):
        begins = np.minimum(starts + place * lengths + edge, last)
        ends = np.minimum(starts + (place + 1) * lengths - edge, last)
        power += np.abs(tone[ends] - tone[begins]) ** 2
    scores = power / (lengths - 2 * edge)
    best = scores.argmax(axis=0)
    order = np.argsort(-scores.max(axis=0), kind="stable")
    return tuple(
        Beginning(origin + (int(best[place]) + slip) * _MILLISECOND, int(lengths[place]))
        for slip in _SLIPS
        for place in order
    )


def _running(audio: Samples, tone: float) -> NDArray[np.complex128]:
    """The running sum of a tone's part in the audio, one value a millisecond, from 0."""
    whole = audio[: len(audio) // _MILLISECOND * _MILLISECOND]
    turns = np.exp(-2j * np.pi * tone / RECOGNITION_RATE * np.arange(len(whole)))
    sums = (whole * turns).reshape(-1, _MILLISECOND).sum(axis=1).cumsum()
    return np.concatenate([np.zeros(1, complex), sums])
