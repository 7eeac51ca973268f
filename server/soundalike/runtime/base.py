"""The bridge between the API and the engines, as the API sees it.

A runtime is a small protocol, so that another one (on other machines, say) can be put in its place
without touching the API or the engines.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from soundalike.engines.base import EngineConfig, SpeechJob, TranscriptionJob, Voice
from soundalike.engines.registry import Kind
from soundalike.transcript import Inspected, TranscriptionEvent

State = Literal["stopped", "loading", "ready", "unloaded", "failed"]
"""`unloaded`: was ready, has left memory or died since, and opens again with its next job."""

DIED = "its host died"
"""The reason of what was ready and has died."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One local model as it is run: an engine with its weights.

    Attributes:
        id: the local model's id.
        threads: threads that step jobs; each job stays on the thread that took it.
        depth: jobs that one thread interleaves.
        queue: jobs that may wait beyond those; more are refused.
        preload: open it at start rather than with its first job.
    """

    id: str
    kind: Kind
    config: EngineConfig
    threads: int = 1
    depth: int = 1
    queue: int = 64
    preload: bool = True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an opened engine says of itself."""

    languages: tuple[str, ...]
    voices: tuple[Voice, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """How one deployment stands.

    Attributes:
        reason: why it failed, which may tell of paths and the like, or why it is opened anew.
        opened: it was ready at least once.
    """

    id: str
    kind: Kind
    state: State
    reason: str | None = None
    opened: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What one deployment has to do, and what it has done since the server started.

    Attributes:
        slots: jobs that the engine works on side by side.
        queue: jobs that may wait beyond those.
        queued: jobs that wait, also for the engine to open.
        audio_seconds: spoken or recognised.
        busy_seconds: for which the engine worked on jobs.
        real_time_factor: seconds of work for a second of audio in the job that ended last; None
            before the first.
        restarts: times that the engine was opened anew after its host had died.
        pid: of its host, while that is a process of its own.
    """

    id: str
    kind: Kind
    slots: int
    queue: int
    running: int = 0
    queued: int = 0
    audio_seconds: float = 0.0
    busy_seconds: float = 0.0
    real_time_factor: float | None = None
    restarts: int = 0
    pid: int | None = None


class Runtime(Protocol):
    """Runs jobs on engines. Closing a returned generator cancels its job."""

    async def start(self) -> None:
        """Open the engines that are to be preloaded, and have ready what first requests need.

        Raises:
            ServerError: one of them cannot be opened.
        """
        ...

    def speak(self, model: str, job: SpeechJob) -> AsyncGenerator[bytes]:
        """The encoded audio, in the order in which it is made.

        Raises:
            ApiError: anything that the engine refuses, before the first bytes where it can.
            OverloadedError: the queue is full.
        """
        ...

    def transcribe(self, model: str, job: TranscriptionJob) -> AsyncGenerator[TranscriptionEvent]:
        """The events of a transcription, the first being `Detected`.

        Raises:
            ApiError: as for `speak`.
        """
        ...

    async def inspect(self, model: str, path: Path) -> Inspected:
        """What an upload is; looked into where the uploads of that model are decoded.

        Raises:
            UndecodableAudioError: it is no audio.
        """
        ...

    async def capabilities(self, kind: Kind, model: str) -> Capabilities:
        """What a model can do; opens it where needed."""
        ...

    def ready(self) -> tuple[Status, ...]:
        """How every deployment stands."""
        ...

    def load(self) -> tuple[Load, ...]:
        """What every deployment has to do."""
        ...

    async def close(self) -> None:
        """End all work and every engine. Nothing is left running."""
        ...
