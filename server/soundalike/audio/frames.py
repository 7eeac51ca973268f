"""Between the chunks of an engine and the frames of FFmpeg."""

from collections.abc import Iterator

import numpy as np
from av import AudioFrame

from soundalike.audio.pcm import Pcm, Samples


def frames(chunks: Iterator[Pcm], rate: int) -> Iterator[AudioFrame]:
    """A frame per chunk of `rate` Hz, timed in samples from zero; empty chunks are dropped."""
    start = 0
    for chunk in chunks:
        if not chunk.size:
            continue
        packed = np.ascontiguousarray(chunk)[np.newaxis, :]
        frame = AudioFrame.from_ndarray(packed, format="s16", layout="mono")
        frame.sample_rate = rate
        frame.pts = start
        start += chunk.size
        yield frame


def pcm16(samples: Samples) -> Pcm:
    """Floats in the range -1 to 1 as 16-bit samples; what is beyond is clipped."""
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16)


def pcm(frame: AudioFrame) -> Pcm:
    """The samples of a mono s16 frame."""
    samples: Pcm = frame.to_ndarray()[0].astype(np.int16, copy=False)
    return samples
