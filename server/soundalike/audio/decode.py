"""Any upload to the mono samples that a recogniser takes."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av import AudioFifo, AudioFrame, AudioResampler, FFmpegError
from av.container import InputContainer

from soundalike.audio.container import Tell, checked, opened, refuse_channels, sound_stream
from soundalike.audio.frames import pcm16
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.audio.refusals import LONGEST_SECONDS, Bounds, Refusal
from soundalike.transcript import Inspected

_FULL_SCALE = 2**31

_BLOCK = 2**15
"""Samples of each channel after which those so far are worked on."""

_BLOCK_SECONDS = 2
"""Or so many seconds: of a low sample rate a block grows when it is resampled."""


def decode(
    path: Path, rate: int = RECOGNITION_RATE, *, max_seconds: float = LONGEST_SECONDS
) -> Samples:
    """The main audio stream of a file at `rate` Hz, its channels averaged into one.

    Takes flac, mp3, mp4, m4a, mpeg, ogg, wav, webm, aiff and ADTS with any codec that FFmpeg
    knows and up to `MOST_CHANNELS` channels. Damaged parts are left out; of a file that was cut
    short, what is there is returned.

    Args:
        max_seconds: the longest audio taken, and less of a small file: see `Bounds`. Decoding
            stops where it is exceeded, so that hours of silence cost no more than this.

    Raises:
        UndecodableAudioError: nothing in the file could be decoded as sound.
        InvalidRequestError: the audio is longer, or has more channels.
    """
    bounds = Bounds(path.stat().st_size, max_seconds)
    try:
        with path.open("rb") as file:
            return np.concatenate(list(decoded(file, rate, max_seconds=bounds.seconds)))
    except Refusal as refusal:
        raise bounds.error(refusal) from refusal


def inspect(path: Path) -> Inspected:
    """What a file is, and the fingerprint of its sound.

    Raises:
        As `decode`.
    """
    bounds = Bounds(path.stat().st_size)
    try:
        with path.open("rb") as file:
            return inspected(file, max_seconds=bounds.seconds)
    except Refusal as refusal:
        raise bounds.error(refusal) from refusal


def inspected(
    file: BinaryIO,
    *,
    max_seconds: float,
    tell: Tell = lambda *_: None,
) -> Inspected:
    """As `inspect`, of a file that is open for reading; for the rest as `decoded`."""
    with opened(file) as container:
        name = container.format.name
    samples, digest = 0, hashlib.sha256()
    for block in decoded(file, RECOGNITION_RATE, max_seconds=max_seconds, tell=tell):
        samples += len(block)
        digest.update(pcm16(block).tobytes())
    return Inspected(name, round(samples / RECOGNITION_RATE, 6), digest.hexdigest())


def decoded(
    file: BinaryIO,
    rate: int,
    *,
    max_seconds: float,
    tell: Tell = lambda *_: None,
) -> Iterator[Samples]:
    """What `decode` returns, block by block, of a file that is open for reading.

    Args:
        tell: told how far this is, with each packet that is counted and with each block.

    Raises:
        Refusal: also after some of the blocks.
    """
    heard = 0
    with checked(file, max_seconds, tell) as container:
        for block in _mono(_frames(container, max_seconds), rate):
            if block.size:
                heard += len(block)
                tell("heard", heard / rate)
                yield block
    if not heard:
        raise Refusal("undecodable")


def _frames(container: InputContainer, max_seconds: float) -> Iterator[AudioFrame]:
    seconds = Fraction(0)
    packets = container.demux(sound_stream(container))
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except FFmpegError:  # a damaged packet, or (then the next step is the last) the cut end
            continue
        for frame in frames:
            refuse_channels(frame.layout.nb_channels)  # not all have to be those of the header
            seconds += Fraction(frame.samples, frame.sample_rate)
            if seconds > max_seconds:
                raise Refusal("too_long", float(seconds))
            yield frame


def _mono(frames: Iterator[AudioFrame], rate: int) -> Iterator[Samples]:
    # A stream may change its rate or its channels on the way, as joined files do; a resampler
    # takes only one kind.
    for _, run in groupby(frames, key=_kind):
        resampler = AudioResampler("s32", rate=rate)
        for frame in chain(_joined(run), [None]):
            for block in resampler.resample(frame):
                if block is not None:  # what a resampler with nothing to do makes of the end
                    yield _averaged(block)


def _joined(frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
    """The same sound in fewer frames: what is done with a frame costs more than its samples."""
    fifo = AudioFifo()
    for frame in frames:
        frame.pts = None  # where sound is missing, the rest moves up
        fifo.write(frame)
        enough = min(_BLOCK, _BLOCK_SECONDS * frame.sample_rate)
        if fifo.samples >= enough and (block := fifo.read()):
            yield block
    if rest := fifo.read():
        yield rest


def _averaged(block: AudioFrame) -> Samples:
    # Not left to FFmpeg, which mixes down only the layouts that have a name.
    interleaved = block.to_ndarray().reshape(-1, block.layout.nb_channels)
    mono: Samples = interleaved.mean(axis=1, dtype=np.float32)
    return mono / np.float32(_FULL_SCALE)


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
