"""Bytes to sound and back: one byte is one symbol of two tones, as telephones dial.

A transmission is a preamble of two symbols, each of one tone that no byte has, then a symbol a
byte. A symbol lasts a whole number of milliseconds, the same throughout a transmission; the
preamble shows how many. All data tones lie between 450 and 3300 Hz, so that they pass through
a sample rate of 8 kHz and through codecs made for speech.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from soundalike.audio.pcm import RECOGNITION_RATE, SPEECH_RATE, Pcm
from soundalike.engines.stub.stretches import Sound
from soundalike.engines.stub.symbols import PREAMBLE_TONES

LOW_TONES = np.arange(450, 1650, 75)
"""Hz, by the upper half of a byte. 75 Hz apart they differ even in a symbol of 10 ms."""

HIGH_TONES = np.arange(2175, 3375, 75)
"""Hz, by the lower half of a byte."""

_COMMON_DIVISOR = 25
"""Hz, of all data tones."""

_TONE_PEAK = 0.16
_VOICE_PEAK = 0.06
_BREATH_PEAK = 0.02
"""Noise under the tones, 25 dB below them: on pure tones Opus's linear prediction (SILK, 24 and
32 kbit/s) now and then breaks into howling at full scale for seconds."""
_LONGEST_EDGE = 4  # ms
_GUARD = 0.05
"""The part of a symbol that is not listened to at either end, where its edges and the slips of
alignment are."""


def edge_milliseconds(milliseconds: int) -> float:
    """How long a symbol takes to rise to full loudness, and to fall from it at its end."""
    return min(_LONGEST_EDGE, milliseconds / 8)


@lru_cache(maxsize=32)
def _waveforms(milliseconds: int, pitch: float) -> tuple[Pcm, Pcm, Pcm]:
    """The preamble as shape (2, n), the low and the high halves of all symbols as (16, n)."""
    length = milliseconds * SPEECH_RATE // 1000
    time = np.arange(length) / SPEECH_RATE
    edge = round(edge_milliseconds(milliseconds) * SPEECH_RATE / 1000)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    envelope = np.concatenate([rise, np.ones(length - 2 * edge), rise[::-1]])
    envelope *= np.iinfo(np.int16).max

    def tones(*frequencies: float) -> NDArray[np.float64]:
        return envelope * np.sin(2 * np.pi * np.outer(frequencies, time))

    # Of numpy's random numbers only the raw ones are promised to stay the same.
    noise = np.random.PCG64(0).random_raw(18 * length).reshape(18, length) / 2.0**63 - 1
    voice = _VOICE_PEAK * tones(pitch) + _BREATH_PEAK * envelope * noise
    preamble = 2 * _TONE_PEAK * tones(*PREAMBLE_TONES) + voice[:2]
    low = _TONE_PEAK * tones(*LOW_TONES) + voice[2:]
    high = _TONE_PEAK * tones(*HIGH_TONES)
    return _rounded(preamble), _rounded(low), _rounded(high)


def _rounded(waveforms: NDArray[np.float64]) -> Pcm:
    return np.rint(waveforms).astype(np.int16)


def modulate(data: bytes, milliseconds: int, pitch: float) -> Pcm:
    """The sound of `data` at 24 kHz, shape ((2 + len(data)) * 24 * milliseconds,).

    Args:
        milliseconds: of a symbol; from `SHORTEST_SYMBOL` to `LONGEST_SYMBOL`.
        pitch: Hz of a faint tone under the symbols, by which voices differ; below 350, clear of
            the data.
    """
    preamble, low, high = _waveforms(milliseconds, pitch)
    codes = np.frombuffer(data, np.uint8)
    return np.concatenate([preamble.ravel(), (low[codes >> 4] + high[codes & 15]).ravel()])


def demodulate(audio: Sound, start: int, milliseconds: int, count: int) -> bytes | None:
    """The `count` bytes whose first symbol begins at sample `start` of 16 kHz audio; None where
    the audio ends before they do."""
    length = milliseconds * RECOGNITION_RATE // 1000
    stretch = audio[start : start + count * length]
    if start < 0 or len(stretch) < count * length:
        return None
    guard = int(length * _GUARD)
    heard = stretch.reshape(count, length)[:, guard : length - guard]
    # Laid over one another in common periods, every tone falls on a line of one short spectrum.
    period = RECOGNITION_RATE // _COMMON_DIVISOR
    rounds = np.pad(heard, ((0, 0), (0, -heard.shape[1] % period))).reshape(count, -1, period)
    spectrum = np.abs(np.fft.rfft(rounds.sum(axis=1)))
    high_halves = spectrum[:, LOW_TONES // _COMMON_DIVISOR].argmax(axis=1)
    low_halves = spectrum[:, HIGH_TONES // _COMMON_DIVISOR].argmax(axis=1)
    return bytes((high_halves << 4 | low_halves).astype(np.uint8))
