"""Speech as it is made, to the bytes of one of the six formats of the speech endpoint.

The parameters are those that section 4 of the conformance reference found in the files of the
live service, which are FFmpeg's own defaults written to a pipe, but for the few set below.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import av

from soundalike.audio.frames import frames
from soundalike.audio.mp3 import mp3
from soundalike.audio.pcm import SPEECH_RATE, Pcm
from soundalike.audio.resample import resampled

if TYPE_CHECKING:
    from soundalike.engines.base import AudioFormat


@dataclass(frozen=True, slots=True)
class _Codec:
    """An encoder of FFmpeg and the container it goes in, with the options of each."""

    container: str
    encoder: Literal["libopus", "aac", "flac"]
    coding: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


_CODECS: Mapping[AudioFormat, _Codec] = {
    # A page for every 100 ms of sound, where FFmpeg would wait for a second of it: 2.5 % more
    # bytes. Without bitexact every file would have a random serial number; with it the tag that
    # names the encoder has to be written here.
    "opus": _Codec(
        "ogg",
        "libopus",
        options={"page_duration": "100000", "fflags": "+bitexact"},
        tags={"encoder": "Lavc libopus"},
    ),
    # FFmpeg's slower search brings the samples back 10 dB worse in 7 % fewer bytes.
    "aac": _Codec("adts", "aac", coding={"aac_coder": "fast"}),
    "flac": _Codec("flac", "flac"),
}

_PIECE = 32 * 1024
"""Samples that are encoded at once, where a chunk may be minutes."""

_UNKNOWN_SIZE = 0xFFFFFFFF
_WAV_HEADER = struct.pack(
    "<4sI4s4sIHHIIHH4sI",
    *(b"RIFF", _UNKNOWN_SIZE, b"WAVE"),
    *(b"fmt ", 16, 1, 1, SPEECH_RATE, SPEECH_RATE * 2, 2, 16),
    *(b"data", _UNKNOWN_SIZE),
)


def encode(chunks: Iterator[Pcm], rate: int, format: AudioFormat) -> Generator[bytes, None, None]:  # noqa: A002
    """The chunks as a file of 24 kHz mono, piece by piece.

    A step takes chunks until there is something to send; the header leaves with the first of
    them. MP3 is encoded in threads of its own behind the chunks, a few seconds of speech at a
    time; the threads end with the iterator. An exception raised by `chunks` comes through, and
    nothing is sent after it. The same samples give the same bytes, however they are cut into
    chunks.

    Args:
        rate: of the chunks, in Hz.
    """
    speech = resampled(_cut(chunks), rate, SPEECH_RATE)
    if format == "pcm":
        yield from _raw(speech)
    elif format == "wav":
        yield from _raw(speech, header=_WAV_HEADER)
    elif format == "mp3":
        yield from mp3(speech)
    else:
        yield from _compressed(speech, _CODECS[format])


def _cut(chunks: Iterator[Pcm]) -> Iterator[Pcm]:
    for chunk in chunks:
        for start in range(0, chunk.size, _PIECE):
            yield chunk[start : start + _PIECE]


def _raw(chunks: Iterator[Pcm], header: bytes = b"") -> Iterator[bytes]:
    for chunk in chunks:
        if chunk.size:
            yield header + chunk.astype("<i2", copy=False).tobytes()
            header = b""
    if header:
        yield header


class _Outbox:
    """The pipe that a container is written to. Having no `seek`, it gets no sizes afterwards."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


def _compressed(chunks: Iterator[Pcm], codec: _Codec) -> Iterator[bytes]:
    outbox = _Outbox()
    options = {"flush_packets": "1", **codec.options}
    with av.open(outbox, "w", format=codec.container, container_options=options) as container:
        stream = container.add_stream(
            codec.encoder, rate=SPEECH_RATE, layout="mono", options=dict(codec.coding)
        )
        stream.metadata.update(codec.tags)
        container.start_encoding()
        for frame in frames(chunks, SPEECH_RATE):
            container.mux(stream.encode(frame))
            if data := outbox.take():
                yield data
        container.mux(stream.encode(None))
    if data := outbox.take():
        yield data
