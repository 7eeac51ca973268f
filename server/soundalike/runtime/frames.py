"""The messages between the server and an engine host, and their form on a pipe.

A frame on the wire is two big-endian 32-bit lengths, a JSON header and a binary payload. Nothing
is unpickled, so a host that a hostile upload has taken over cannot run code in the server.

The server validates what a host says; a host takes the server's word, and so does without pydantic
and asyncio, which cost a tenth of a second to import.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from soundalike.engines.base import (
    EngineConfig,
    InspectionJob,
    SpeechJob,
    TranscriptionJob,
    VadSettings,
)
from soundalike.engines.registry import Kind
from soundalike.runtime.base import Capabilities
from soundalike.transcript import Delta, Detected, Inspected, Segment, TranscriptionEvent

if TYPE_CHECKING:
    import asyncio

    from pydantic import TypeAdapter

Orders = Literal["open", "prepare", "run", "credit", "cancel", "ping"]
Answers = Literal["opened", "taken", "waits", "item", "done", "failed", "pong"]

WINDOW = 256 * 1024
"""Bytes that a job may be ahead of its reader."""

MAX_HEADER = 16 * 2**20
MAX_PAYLOAD = 16 * 2**20
_LENGTHS = struct.Struct(">II")


class BrokenFrameError(ValueError):
    """The other side sent something that is no frame, or a frame is too large to be sent."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. To a host: open, prepare (load codecs, for which the first job would else wait),
    run, credit, cancel, ping. From it: opened, taken (an engine
    begins with a job), waits (it has to wait in line once more, until it is taken again), item,
    done, failed, pong (for how many pings its slowest job is stuck).

    An item of audio has for its value the seconds of audio made so far; `done` has the seconds for
    which the engine worked. `job` is the number of the job concerned, 0 for the host itself.
    """

    op: Orders | Answers
    job: int = 0
    value: Any = None
    payload: bytes = b""

    @property
    def cost(self) -> int:
        """Bytes that this frame counts for in a job's window."""
        return len(self.payload) or 256

    def encode(self) -> bytes:
        """The frame on the wire.

        Raises:
            BrokenFrameError: the other side would not take it, it is so large.
        """
        header = json.dumps([self.op, self.job, self.value], separators=(",", ":")).encode()
        _check(len(header), len(self.payload))
        return _LENGTHS.pack(len(header), len(self.payload)) + header + self.payload


def _decode(header: bytes, payload: bytes) -> Frame:
    try:
        op, job, value = json.loads(header)
    except ValueError as error:
        raise BrokenFrameError(str(error)) from error
    return Frame(op, job, value, payload)


def _lengths(data: bytes) -> tuple[int, int]:
    header, payload = _LENGTHS.unpack(data)
    _check(header, payload)
    return header, payload


def _check(header: int, payload: int) -> None:
    if header > MAX_HEADER or payload > MAX_PAYLOAD:
        raise BrokenFrameError(f"a frame of {header} + {payload} bytes is beyond all measure")


def read_frame(pipe: BinaryIO) -> Frame | None:
    """The next frame, or None where the pipe has ended, also in the midst of one. Blocks.

    Raises:
        BrokenFrameError: it is none.
    """
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    sizes = _lengths(lengths)
    header, payload = (pipe.read(size) for size in sizes)
    if (len(header), len(payload)) != sizes:
        return None
    return _decode(header, payload)


async def receive_frame(stream: asyncio.StreamReader) -> Frame | None:
    """The next frame, or None where the stream has ended."""
    from asyncio import IncompleteReadError

    try:
        header, payload = _lengths(await stream.readexactly(_LENGTHS.size))
        return _decode(await stream.readexactly(header), await stream.readexactly(payload))
    except (IncompleteReadError, ConnectionError):
        return None


@dataclass(frozen=True, slots=True)
class Opening:
    """The value of an `open` frame."""

    kind: Kind
    config: EngineConfig
    threads: int
    depth: int


Job = SpeechJob | TranscriptionJob | InspectionJob


@cache
def _capabilities() -> TypeAdapter[Capabilities]:
    from pydantic import TypeAdapter

    return TypeAdapter(Capabilities)


@cache
def _events() -> Mapping[str, TypeAdapter[Any]]:
    from pydantic import TypeAdapter

    return {kind.__name__: TypeAdapter(kind) for kind in (Detected, Delta, Segment, Inspected)}


def dump_opening(opening: Opening) -> Any:
    config = opening.config
    weights = str(config.weights) if config.weights else None
    return asdict(opening) | {"config": asdict(config) | {"weights": weights}}


def load_opening(value: Any) -> Opening:
    config = dict(value["config"])
    weights = config.pop("weights")
    return Opening(
        **value | {"config": EngineConfig(weights=Path(weights) if weights else None, **config)}
    )


def dump_capabilities(capabilities: Capabilities) -> Any:
    return asdict(capabilities)


def load_capabilities(value: Any) -> Capabilities:
    return _capabilities().validate_python(value)


def dump_job(job: Job) -> Any:
    fields = asdict(job)
    for name in ("path", "recording"):
        if fields.get(name) is not None:
            fields[name] = str(fields[name])
    return [type(job).__name__, fields]


def load_job(value: Any) -> Job:
    name, fields = value
    if name == InspectionJob.__name__:
        return InspectionJob(Path(fields["path"]))
    if name == SpeechJob.__name__:
        recording = fields.pop("recording")
        return SpeechJob(**fields, recording=Path(recording) if recording else None)
    vad = fields["vad"]
    return TranscriptionJob(
        **fields
        | {
            "path": Path(fields["path"]),
            "languages": tuple(fields["languages"]),
            "keywords": tuple(fields["keywords"]),
            "vad": VadSettings(**vad) if vad else None,
        }
    )


def dump_event(event: TranscriptionEvent | Inspected) -> Any:
    return [type(event).__name__, asdict(event)]


def load_event(value: Any) -> TranscriptionEvent | Inspected:
    name, fields = value
    event: TranscriptionEvent | Inspected = _events()[name].validate_python(fields)
    return event
