"""MP3 on several cores.

A frame of MP3 depends on the samples before and after it only for a short way, provided that no
frame borrows bits of another (the bit reservoir is off). So segments of the speech are encoded
side by side, each with a few frames of what precedes and follows it, and only its own frames are
kept: the result is the same as that of one encoder that had all to itself.
"""

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from av import AudioFrame, CodecContext
from av.audio.codeccontext import AudioCodecContext

from soundalike.audio.pcm import SPEECH_RATE, Pcm

BIT_RATE = 128_000
FRAME_SAMPLES = 576
"""Of MPEG-2 layer III, which has the rates up to 24 kHz (ISO/IEC 13818-3)."""

# LAME's quality 7 leaves out a search for the best shape of the noise that pays at scarce bits; at
# 5 bits a sample the speech comes back no worse without it, in two thirds of the time
# (docs/performance.md).
_OPTIONS = {"reservoir": "0", "compression_level": "7"}

# Frames. With 4 before them, all of a segment's own came out as from one encoder, in speech, tones,
# noise and clicks. LAME gives a frame out when it has seen 3 more.
_BEFORE, _AFTER = 5, 3
# The first segment is short for the sake of the first sound, yet long enough to play until other
# streams have had their turn. Each is twice as long as the last, so that an engine twice as fast as
# real time lets no player wait.
_FIRST, _LONGEST = 16, 256
_MOST_THREADS = 4
"""What keeps up with eSpeak, which speaks 280 times as fast as real time on one core (a core makes
80 times of MP3). More would be in each other's way where a container has few of many cores."""
_BRIEF = (_BEFORE + 64 + _AFTER) * FRAME_SAMPLES
"""Samples up to which a segment is encoded at once: a player must not wait for the next one."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """Samples, and which of the frames made of them count: from `start` to `end` (None: all)."""

    samples: Pcm
    start: int
    end: int | None

    def encode(self) -> bytes:
        codec = CodecContext.create("libmp3lame", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = SPEECH_RATE
        codec.format = "s16p"
        codec.layout = "mono"
        codec.bit_rate = BIT_RATE
        codec.options = _OPTIONS
        frame = AudioFrame.from_ndarray(self.samples[np.newaxis, :], format="s16p", layout="mono")
        frame.sample_rate = SPEECH_RATE
        frame.pts = 0
        packets = codec.encode(frame)
        if self.end is None:
            packets += codec.encode(None)
        return b"".join(map(bytes, packets[self.start : self.end]))


def mp3(speech: Iterable[Pcm]) -> Generator[bytes, None, None]:
    """Speech at 24 kHz as frames of constant 128 kbit/s, without a header of any kind.

    Not more segments than there are encoders, and two, have been made and not been sent. The
    encoders' threads end with the generator.
    """
    encoders = min(os.cpu_count() or 1, _MOST_THREADS)
    # It starts no thread before there is work for it.
    pool = ThreadPoolExecutor(encoders, thread_name_prefix="mp3")
    ahead: deque[Future[bytes]] = deque()
    try:
        for segment in _segments(speech):
            if not ahead and segment.samples.size <= _BRIEF:
                yield segment.encode()
                continue
            ahead.append(pool.submit(segment.encode))
            while ahead and (ahead[0].done() or len(ahead) > encoders + 1):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _segments(speech: Iterable[Pcm]) -> Iterator[_Segment]:
    """Where they are cut depends on the number of samples alone."""
    held: Pcm = np.zeros(0, np.int16)
    before, frames = 0, _FIRST
    for chunk in speech:
        held = np.concatenate([held, chunk])
        while held.size >= (needed := (before + frames + _AFTER) * FRAME_SAMPLES):
            yield _Segment(held[:needed], before, before + frames)
            end, before = before + frames, min(before + frames, _BEFORE)
            held = held[(end - before) * FRAME_SAMPLES :]
            frames = min(2 * frames, _LONGEST)
    if held.size:
        yield _Segment(held, before, None)
