"""From one sample rate to another."""

from collections.abc import Iterator

from av import AudioResampler

from soundalike.audio.frames import frames, pcm
from soundalike.audio.pcm import Pcm


def resampled(chunks: Iterator[Pcm], rate: int, target: int) -> Iterator[Pcm]:
    """The chunks at another rate, as they come. The same rate leaves them untouched.

    Args:
        rate: of the chunks, in Hz.
        target: of the result, in Hz.
    """
    return chunks if rate == target else _resampled(chunks, rate, target)


def _resampled(chunks: Iterator[Pcm], rate: int, target: int) -> Iterator[Pcm]:
    resampler = AudioResampler("s16", "mono", target)
    for frame in frames(chunks, rate):
        yield from map(pcm, resampler.resample(frame))
    yield from map(pcm, resampler.resample(None))
