"""How loud a recording is, and the same recording at an ordinary loudness."""

import numpy as np

from soundalike.audio.pcm import RECOGNITION_RATE, Samples

ORDINARY = 0.1
"""Root mean square of recorded speech as most of it is: 20 dB below full scale."""

BLOCK = 2 * RECOGNITION_RATE // 5
"""Samples of a block: 400 ms. A recording that is shorter is one block."""

INAUDIBLE = 1e-7
"""Mean square of a block that is no sound at all: 70 dB below full scale."""

QUIET = 0.1
"""Share of the mean square below which a block is a pause."""


def loudness(audio: Samples) -> float:
    """The root mean square of what is not a pause, by the two gates of ITU-R BS.1770 without its
    filters, which matter for music; 0 where there is no sound."""
    size = min(BLOCK, len(audio)) or 1
    whole = audio[: len(audio) // size * size].reshape(-1, size)
    blocks = np.einsum("ij,ij->i", whole, whole, dtype=np.float64) / size
    blocks = blocks[blocks > INAUDIBLE]
    if not len(blocks):
        return 0.0
    return float(np.sqrt(blocks[blocks > QUIET * blocks.mean()].mean()))


def normalized(audio: Samples) -> Samples:
    """A copy at an ordinary loudness, peaks cut off at full scale; silence stays what it is."""
    found = loudness(audio)
    return np.clip(audio * np.float32(ORDINARY / found), -1, 1) if found else audio
