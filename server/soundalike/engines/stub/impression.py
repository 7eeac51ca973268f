"""Words for sounds that are not speech of the stub engine.

They say nothing about what was said, but the same sound gives the same words, and mostly does so
after another codec as well: each word comes from the two strongest of eight bands in its stretch.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.stub.stretches import blocks
from soundalike.engines.stub.wording import Stretch

_WORD_SAMPLES = 6400  # 0.4 s
_SENTENCE_WORDS = 12
_BLOCK_WORDS = 128
"""Words that are made up at once, from spectra of fifteen times the size of their sound."""
_BAND_EDGES = (120, 250, 400, 600, 900, 1300, 1900, 2800, 4000)  # Hz
_FAINTEST = 1e-3
"""RMS below which a stretch is silent: -60 dB of full scale."""

_VOCABULARY = """
    after again air all along away back before below better blue boat book bring call city
    clear close come cold could day deep door down early earth even every eye fall far field
    find first follow fire garden give good great green hand here high home house keep kind
    land late leave light little long many morning mother never night north open over paper
"""
_WORDS = _VOCABULARY.split()


def impressions(audio: Samples) -> Iterator[Stretch]:
    """Sentences for the stretches of 16 kHz audio that are not silent; none for silence."""
    if not len(audio):
        return
    loudness, strongest = _bands(audio)
    audible = loudness > _FAINTEST
    edges = np.flatnonzero(np.diff(audible.astype(np.int8), prepend=0, append=0))
    for begin, end in edges.reshape(-1, 2).tolist():
        for start in range(begin, end, _SENTENCE_WORDS):
            stop = min(end, start + _SENTENCE_WORDS)
            yield Stretch(
                text=" "
                + " ".join(_WORDS[place] for place in strongest[start:stop]).capitalize()
                + ".",
                start=start * _WORD_SAMPLES / RECOGNITION_RATE,
                end=min(stop * _WORD_SAMPLES, len(audio)) / RECOGNITION_RATE,
            )


def _bands(audio: Samples) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For every 0.4 s: the RMS between the outermost edges, and a number from 0 to 63 of the
    strongest band and the next."""
    found = [_bands_of(block) for block in blocks(audio, _BLOCK_WORDS * _WORD_SAMPLES)]
    loudness, strongest = zip(*found, strict=True)
    return np.concatenate(loudness), np.concatenate(strongest)


def _bands_of(audio: Samples) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    padded = np.pad(audio, (0, -len(audio) % _WORD_SAMPLES)).reshape(-1, _WORD_SAMPLES)
    power = np.abs(np.fft.rfft(padded)) ** 2 * (2 / _WORD_SAMPLES**2)
    bins = np.array(_BAND_EDGES) * _WORD_SAMPLES // RECOGNITION_RATE
    bands = np.add.reduceat(power[:, : bins[-1]], bins[:-1], axis=1)
    # Sounds fall off with frequency; without the tilt the lowest bands would win nearly always.
    order = np.argsort(-bands * np.array(_BAND_EDGES[1:]), axis=1, kind="stable")
    return np.sqrt(bands.sum(axis=1)), order[:, 0] * 8 + order[:, 1]
