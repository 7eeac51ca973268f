"""What a transcription engine hears, in the terms of Whisper.

These frozen values are all that passes between engines, runtime and formats.
"""

from dataclasses import dataclass
from typing import Literal

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its times in seconds from the start of the audio.

    `word` is as the tokenizer spells it: with its leading space and its punctuation.
    """

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One text token of the decoder: the natural log of its probability, and its raw bytes."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech. Times in seconds; `seek` in 10 ms frames, as Whisper counts.

    `text` keeps its leading space; `tokens` include the timestamp tokens. `words` is None unless
    word times were asked for; `logprobs` is None unless log probabilities were.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Detected:
    """The first event of a transcription: the language (ISO 639-1 code, or None for audio
    without speech) and the length of the audio in seconds."""

    language: str | None
    duration: float


@dataclass(frozen=True, slots=True)
class Delta:
    """Text tokens that were just recognised, ahead of their segment."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


TranscriptionEvent = Detected | Delta | Segment


@dataclass(frozen=True, slots=True)
class Inspected:
    """What an upload turned out to be.

    Attributes:
        container: as FFmpeg names it, such as `wav` or `mov,mp4,m4a,3gp,3g2,mj2`.
        seconds: of sound.
        sha256: of the decoded samples, 16 kHz mono of 16 bits: that of the same sound in another
            lossless container is the same.
    """

    container: str
    seconds: float
    sha256: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole transcription: the one value that every response format is rendered from."""

    task: Task
    language: str | None
    duration: float
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()
