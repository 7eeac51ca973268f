"""Any upload to the mono samples that a recogniser takes."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av import AudioFrame, AudioResampler, AudioStream, FFmpegError
from av.container import InputContainer

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.errors import InvalidRequestError, UndecodableAudioError

# FFmpeg follows a playlist, a concat script or a session description to other files and
# addresses. An upload must not send it anywhere: only these demuxers may read it, and nothing may
# be opened beside the one file object that they are given.
_DEMUXERS = "aac,aiff,flac,matroska,mov,mp3,mpeg,ogg,wav"
_PROTOCOLS = "none"

_FULL_SCALE = 2**31

LONGEST_SECONDS = 6 * 3600.0
"""What a recogniser is given at most: 25 MiB of speech at 9.7 kbit/s, and 1.4 GB as samples. A few
kilobytes can stand for days of silence."""


def decode(
    path: Path, rate: int = RECOGNITION_RATE, *, max_seconds: float = LONGEST_SECONDS
) -> Samples:
    """The main audio stream of a file at `rate` Hz, its channels averaged into one.

    Takes flac, mp3, mp4, m4a, mpeg, ogg, wav, webm, aiff and ADTS with any codec that FFmpeg
    knows and up to 64 channels. Damaged parts are left out; of a file that was cut short, what is
    there is returned.

    Args:
        max_seconds: the longest audio taken. Decoding stops where it is exceeded, so that a
            small file which unpacks to hours of silence costs no more than this.

    Raises:
        UndecodableAudioError: nothing in the file could be decoded as sound.
        InvalidRequestError: the audio is longer than `max_seconds`.
    """
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": _PROTOCOLS}
    blocks: list[Samples] = []
    try:
        with (
            path.open("rb") as file,
            av.open(
                _Upload(file), "r", container_options=options, metadata_errors="ignore"
            ) as container,
        ):
            blocks.extend(_mono(_frames(container, max_seconds), rate))
    except FFmpegError as error:
        raise _undecodable() from error
    if not any(block.size for block in blocks):
        raise _undecodable()
    return np.concatenate(blocks)


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
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise _undecodable()
    seconds = Fraction(0)
    packets = container.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except FFmpegError:  # a damaged packet, or (then the next step is the last) the cut end
            continue
        for frame in frames:
            seconds += Fraction(frame.samples, frame.sample_rate)
            if seconds > max_seconds:
                raise _too_long(max_seconds)
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


def _undecodable() -> UndecodableAudioError:
    return UndecodableAudioError(
        "The audio file could not be decoded or its format is not supported."
    )


def _too_long(max_seconds: float) -> InvalidRequestError:
    return InvalidRequestError(
        f"audio duration is longer than {max_seconds:g} seconds "
        "which is the maximum for this model",
        code="invalid_value",
    )
