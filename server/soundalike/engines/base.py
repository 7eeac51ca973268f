"""What an engine is: two protocols, and the frozen jobs that they take.

An engine is created once in the process and on the thread that will use it. `synthesize` and
`transcribe` return iterators; each step does a bounded piece of work, so that a caller can
interleave jobs and stop one by closing its iterator. All steps of all iterators of one engine
with `thread_safe = False` are taken on the thread that created it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from soundalike.transcript import Task, TranscriptionEvent

if TYPE_CHECKING:  # numpy stays out of the API process
    from soundalike.audio.pcm import Pcm, Samples

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """Text to be spoken. `language` is an ISO 639-1 code, or None to detect it from the text.

    With a `recording`, an audio file, no engine speaks: its sound is encoded instead.
    """

    text: str
    voice: str
    format: AudioFormat = "mp3"
    speed: float = 1.0
    instructions: str | None = None
    language: str | None = None
    recording: Path | None = None


@dataclass(frozen=True, slots=True)
class VadSettings:
    """Where a voice activity detector cuts a recording.

    Attributes:
        threshold: the probability, 0 to 1, from which on sound is speech.
        prefix_padding_ms: milliseconds kept ahead of speech.
        silence_duration_ms: milliseconds of silence that end a clip, and are kept after it.
    """

    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int


@dataclass(frozen=True, slots=True)
class TranscriptionJob:
    """An uploaded file to be recognised. `path` is any container that FFmpeg can read.

    Attributes:
        languages: those that may be spoken, where `language` does not say which one is; empty for
            any. ISO 639-1 codes, as `language`.
        keywords: words and phrases that are likely to be said, as they are to be spelled.
        temperature: 0 means to start at 0 and to fall back to higher ones where decoding fails.
        vad: where to cut the recording; None leaves it to the engine.
        normalize_loudness: quiet recordings are made louder and loud ones quieter first.
        max_seconds: the longest recording taken; None leaves it to the decoder.
    """

    path: Path
    task: Task = "transcribe"
    language: str | None = None
    prompt: str | None = None
    temperature: float = 0.0
    word_timestamps: bool = False
    deltas: bool = False
    logprobs: bool = False
    languages: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    vad: VadSettings | None = None
    normalize_loudness: bool = False
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class InspectionJob:
    """An uploaded file to be looked into. No engine is asked."""

    path: Path


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How to open an engine: the folder of its weights, if it has any, and its options."""

    engine: str
    weights: Path | None = None
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as listed: its id, and a short description for people."""

    id: str
    description: str


class SpeechEngine(Protocol):
    """Text to sound."""

    thread_safe: ClassVar[bool]
    sample_rate: int
    """Of the chunks that `synthesize` yields, in Hz."""

    def __init__(self, config: EngineConfig) -> None: ...

    def voices(self) -> tuple[Voice, ...]:
        """Every voice that a job may name, the thirteen of the API first."""
        ...

    def languages(self) -> tuple[str, ...]:
        """The ISO 639-1 codes that can be spoken, sorted."""
        ...

    def synthesize(self, job: SpeechJob) -> Iterator[Pcm]:
        """The speech, chunk by chunk, as it is made.

        Raises:
            InvalidRequestError: the text cannot be spoken, or the voice is not known.
        """
        ...

    def close(self) -> None: ...


class TranscriptionEngine(Protocol):
    """Sound to text."""

    thread_safe: ClassVar[bool]

    def __init__(self, config: EngineConfig) -> None: ...

    def languages(self) -> tuple[str, ...]:
        """The ISO 639-1 codes that can be recognised, sorted."""
        ...

    def transcribe(self, job: TranscriptionJob, audio: Samples) -> Iterator[TranscriptionEvent]:
        """One `Detected`, then segments in order (with deltas ahead of them where asked for).

        Args:
            audio: the decoded upload, 16 kHz mono.
        """
        ...

    def close(self) -> None: ...
