"""The container of an upload: what FFmpeg may open, and what it claims to hold."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import SEEK_END
from typing import BinaryIO, Literal

import av
from av import AudioStream, FFmpegError
from av.container import InputContainer

from soundalike.audio.refusals import MOST_CHANNELS, Refusal

Tell = Callable[[Literal["read", "heard"], float], None]
"""Takes how much there is by now: bytes of packets counted before any is decoded (`read`), seconds
of sound (`heard`)."""

# FFmpeg follows a playlist, a concat script or a session description to other files and
# addresses. An upload must not send it anywhere: only these demuxers may read it, and nothing may
# be opened beside the one file object that they are given.
_DEMUXERS = "aac,aiff,flac,matroska,mov,mp3,mpeg,ogg,wav"
_PROTOCOLS = "none"

_PROBED = "4"
"""Packets of a WAV file in which FFmpeg looks for other codecs that pose as PCM. By default it
takes 32, and longer for that than for decoding a short clip; four show DTS that begins in the first
third of a second."""

_SHORT = 600
"""Seconds that a small file may claim in its header without its packets being asked."""

_SMALL = 2**20
"""Bytes. The packets of a large file know that its header lies at a thirtieth of the cost."""

_PACKET_SECONDS = 10
"""What one packet counts for at most before it is decoded: no honest one lasts longer, and a
damaged one may claim a century."""


@contextmanager
def checked(file: BinaryIO, max_seconds: float, tell: Tell) -> Iterator[InputContainer]:
    """A container that does not claim to be too long.

    The claim saves the time of decoding ten hours to refuse them. It may be a lie, so what really
    comes is counted all the same.
    """
    small = file.seek(0, SEEK_END) <= _SMALL
    with opened(file) as container:
        claim = (container.duration or 0) / av.time_base
        if small and 0 < claim <= min(_SHORT, max_seconds):
            yield container
            return
        # The header says nothing, or an estimate: its packets know.
        _refuse_claim(container, max_seconds, tell)
    with opened(file) as container:
        yield container


@contextmanager
def opened(file: BinaryIO) -> Iterator[InputContainer]:
    """The container in a file, from its start. Whatever goes wrong with it is the file's fault."""
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": _PROTOCOLS}
    options["max_probe_packets"] = _PROBED
    file.seek(0)
    try:
        with av.open(
            _Upload(file), "r", container_options=options, metadata_errors="ignore"
        ) as container:
            yield container
    except FFmpegError as error:
        raise Refusal("undecodable") from error


def _refuse_claim(container: InputContainer, max_seconds: float, tell: Tell) -> None:
    """Refuse what lasts too long by its packets. Takes a thirtieth of decoding them."""
    stream = sound_stream(container)
    second = float(1 / stream.time_base) if stream.time_base else 1.0
    longest = math.ceil(_PACKET_SECONDS * second)
    # A claim includes what codecs put before and after the sound.
    limit = math.ceil((1.01 * max_seconds + 1) * second)
    ticks = read = 0
    with suppress(FFmpegError):
        for packet in container.demux(stream):
            read += packet.size
            tell("read", read)
            ticks += min(max(packet.duration or 0, 0), longest)
            if ticks > limit:
                declared = (container.duration or 0) / av.time_base
                raise Refusal("too_long", max(ticks / second, declared))


def sound_stream(container: InputContainer) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise Refusal("undecodable")
    refuse_channels(stream.codec_context.layout.nb_channels)
    return stream


def refuse_channels(count: int) -> None:
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
