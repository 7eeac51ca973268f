"""Any upload to the mono samples that a recogniser takes."""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from io import SEEK_END
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av import AudioFrame, AudioResampler, AudioStream, FFmpegError
from av.container import InputContainer

from soundalike.audio.frames import pcm16
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.audio.refusals import LONGEST_SECONDS, MOST_CHANNELS, Bounds, Refusal
from soundalike.transcript import Inspected

# FFmpeg follows a playlist, a concat script or a session description to other files and
# addresses. An upload must not send it anywhere: only these demuxers may read it, and nothing may
# be opened beside the one file object that they are given.
_DEMUXERS = "aac,aiff,flac,matroska,mov,mp3,mpeg,ogg,wav"
_PROTOCOLS = "none"

_FULL_SCALE = 2**31

_SHORT = 600
"""Seconds that a small file may claim in its header without its packets being asked."""

_SMALL = 2**20
"""Bytes. The packets of a large file know that its header lies at a thirtieth of the cost."""

_PACKET_SECONDS = 10
"""What one packet counts for at most before it is decoded: no honest one lasts longer, and a
damaged one may claim a century."""


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
    on_heard: Callable[[float], None] = lambda _: None,
    on_read: Callable[[int], None] = lambda _: None,
) -> Inspected:
    """As `inspect`, of a file that is open for reading; for the rest as `decoded`."""
    with _opened(file) as container:
        name = container.format.name
    samples, digest = 0, hashlib.sha256()
    for block in decoded(
        file, RECOGNITION_RATE, max_seconds=max_seconds, on_heard=on_heard, on_read=on_read
    ):
        samples += len(block)
        digest.update(pcm16(block).tobytes())
    return Inspected(name, round(samples / RECOGNITION_RATE, 6), digest.hexdigest())


def decoded(
    file: BinaryIO,
    rate: int,
    *,
    max_seconds: float,
    on_heard: Callable[[float], None] = lambda _: None,
    on_read: Callable[[int], None] = lambda _: None,
) -> Iterator[Samples]:
    """What `decode` returns, block by block, of a file that is open for reading.

    Args:
        on_heard: told with each block how many seconds there are by now.
        on_read: told how many bytes of packets have been counted by now, before any is decoded.

    Raises:
        Refusal: also after some of the blocks.
    """
    heard = 0
    with _checked(file, max_seconds, on_read) as container:
        for block in _mono(_frames(container, max_seconds), rate):
            if block.size:
                heard += len(block)
                on_heard(heard / rate)
                yield block
    if not heard:
        raise Refusal("undecodable")


@contextmanager
def _checked(
    file: BinaryIO, max_seconds: float, on_read: Callable[[int], None]
) -> Iterator[InputContainer]:
    """A container that does not claim to be too long.

    The claim saves the time of decoding ten hours to refuse them. It may be a lie, so what really
    comes is counted all the same.
    """
    small = file.seek(0, SEEK_END) <= _SMALL
    with _opened(file) as container:
        claim = (container.duration or 0) / av.time_base
        if small and 0 < claim <= min(_SHORT, max_seconds):
            yield container
            return
        # The header says nothing, or an estimate: its packets know.
        _refuse_claim(container, max_seconds, on_read)
    with _opened(file) as container:
        yield container


@contextmanager
def _opened(file: BinaryIO) -> Iterator[InputContainer]:
    """The container in a file, from its start. Whatever goes wrong with it is the file's fault."""
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": _PROTOCOLS}
    file.seek(0)
    try:
        with av.open(
            _Upload(file), "r", container_options=options, metadata_errors="ignore"
        ) as container:
            yield container
    except FFmpegError as error:
        raise Refusal("undecodable") from error


def _refuse_claim(
    container: InputContainer, max_seconds: float, on_read: Callable[[int], None]
) -> None:
    """Refuse what lasts too long by its packets. Takes a thirtieth of decoding them."""
    stream = _best(container)
    second = float(1 / stream.time_base) if stream.time_base else 1.0
    longest = math.ceil(_PACKET_SECONDS * second)
    # A claim includes what codecs put before and after the sound.
    limit = math.ceil((1.01 * max_seconds + 1) * second)
    ticks = read = 0
    with suppress(FFmpegError):
        for packet in container.demux(stream):
            read += packet.size
            on_read(read)
            ticks += min(max(packet.duration or 0, 0), longest)
            if ticks > limit:
                declared = (container.duration or 0) / av.time_base
                raise Refusal("too_long", max(ticks / second, declared))


def _best(container: InputContainer) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise Refusal("undecodable")
    _refuse_channels(stream.codec_context.layout.nb_channels)
    return stream


def _refuse_channels(count: int) -> None:
    if count > MOST_CHANNELS:
        raise Refusal("channels", count)


class _Upload:
    """A file as FFmpeg may read it: without its name, so that only the content says what it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.tell = file.tell
        self._seek = file.seek

    def seek(self, offset: int, whence: int) -> int:
        try:
            return self._seek(offset, whence)
        except OSError:  # before the start: FFmpeg tries that, and expects a plain refusal
            return -1


def _frames(container: InputContainer, max_seconds: float) -> Iterator[AudioFrame]:
    seconds = Fraction(0)
    packets = container.demux(_best(container))
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except FFmpegError:  # a damaged packet, or (then the next step is the last) the cut end
            continue
        for frame in frames:
            _refuse_channels(frame.layout.nb_channels)  # not all have to be those of the header
            seconds += Fraction(frame.samples, frame.sample_rate)
            if seconds > max_seconds:
                raise Refusal("too_long", float(seconds))
            yield frame


def _mono(frames: Iterator[AudioFrame], rate: int) -> Iterator[Samples]:
    # A stream may change its rate or its channels on the way, as joined files do; a resampler
    # takes only one kind.
    for _, run in groupby(frames, key=_kind):
        resampler = AudioResampler("s32", rate=rate)
        for frame in chain(run, [None]):
            for block in resampler.resample(frame):
                if block is not None:  # what a resampler with nothing to do makes of the end
                    yield _averaged(block)


def _averaged(block: AudioFrame) -> Samples:
    # Not left to FFmpeg, which mixes down only the layouts that have a name.
    interleaved = block.to_ndarray().reshape(-1, block.layout.nb_channels)
    mono: Samples = interleaved.mean(axis=1, dtype=np.float32)
    return mono / np.float32(_FULL_SCALE)


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
