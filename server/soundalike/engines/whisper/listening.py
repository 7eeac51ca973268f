"""One clip of a recording, from its samples to its language and its text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from faster_whisper import WhisperModel

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import TranscriptionJob
from soundalike.engines.whisper.clips import MAX_CLIP, Clip
from soundalike.engines.whisper.context import LEAST_CERTAINTY, ClipWhisper
from soundalike.engines.whisper.scoring import ScoringWhisper

FALLBACK_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Tried in turn until the text is neither repetitive nor improbable (Radford et al., "Robust
Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5)."""

TELLING = 5 * RECOGNITION_RATE
"""Samples of speech that are enough to tell its language by; a single word is too few."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in a clip: segments of faster-whisper, their times from the clip's start."""

    clip: Clip
    language: str
    segments: tuple[Any, ...]


class Listening:
    """A clip about to be recognised for a job. For one thread at a time."""

    def __init__(
        self,
        model: WhisperModel,
        job: TranscriptionJob,
        prompt: list[int] | None,
        audio: Samples,
        clip: Clip,
        between: Callable[[], None],
    ) -> None:
        """Args:
        prompt: what the decoder takes for the text before the clip, as tokens.
        audio: the whole recording, 16 kHz mono.
        between: called ahead of each step that takes long.
        """
        self._model = ClipWhisper(model, between)
        self._between = between
        self._job = job
        self._prompt = prompt
        self._audio = audio
        self._clip = clip
        self._speech = audio[clip.start : clip.end]

    def language(self, possible: Sequence[str]) -> tuple[str, bool]:
        """The likeliest of the possible languages, and whether it is certain."""
        start, end = self._clip.start, self._clip.end
        if end - start < min(TELLING, len(self._audio) - end):
            window = self._audio[start : start + MAX_CLIP]
            other = ClipWhisper(self._model, self._between)
            language, probability = other.spoken_language(window, possible)
        else:
            language, probability = self._model.spoken_language(self._speech, possible)
        return language, probability >= LEAST_CERTAINTY

    def heard(self, possible: Sequence[str]) -> tuple[Heard, bool]:
        """What is said, in the likeliest of the possible languages, and whether that is certain.

        In one go: what the encoder gives for both is too large to be kept while others go first.
        """
        language, certain = possible[0], True
        if len(possible) > 1:
            language, certain = self.language(possible)
        return self.text(language), certain

    def text(self, language: str) -> Heard:
        """What is said, taken to be in that language."""
        job = self._job
        sampled = job.temperature > 0
        greedy = isinstance(self._model.model, ScoringWhisper)
        segments, _ = self._model.transcribe(
            self._speech,
            language=language,
            task=job.task,
            beam_size=1 if greedy else 5,
            best_of=1 if greedy or sampled else 5,
            temperature=job.temperature if sampled else FALLBACK_TEMPERATURES,
            # what went wrong in one clip stays there
            condition_on_previous_text=False,
            initial_prompt=self._prompt,
            word_timestamps=job.word_timestamps,
        )
        return Heard(self._clip, language, tuple(segments))
