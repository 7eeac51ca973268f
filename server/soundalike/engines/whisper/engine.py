"""The transcription engine itself: from a job to its events."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

from soundalike.audio.loudness import normalized
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.whisper.clips import MAX_CLIP, speech_clips
from soundalike.engines.whisper.loading import load_model
from soundalike.engines.whisper.scoring import ScoringWhisper
from soundalike.engines.whisper.segments import placed
from soundalike.engines.whisper.tokens import Vocabulary
from soundalike.errors import InvalidRequestError
from soundalike.transcript import Detected, Segment, TranscriptionEvent

FALLBACK_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Tried in turn until the text is neither repetitive nor improbable (Radford et al., "Robust
Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5)."""

MAX_PROMPT = 223
"""Tokens that faster-whisper keeps of a prompt: half of the decoder's 448, less one."""


class WhisperEngine:
    """Any Whisper in CTranslate2's format; `config.weights` is its folder.

    Several threads may transcribe at once; as many as there are slots do so side by side.
    """

    thread_safe: ClassVar[bool] = True

    def __init__(self, config: EngineConfig) -> None:
        """`config.options` are those of `loading.load_model`.

        Raises:
            ServerError: the weights are missing or damaged, or the device cannot run them.
        """
        self._model = load_model(config)
        self._scoring_model = copy(self._model)
        self._scoring_model.model = ScoringWhisper(self._model.model)
        self._tokenizer = self._model.hf_tokenizer
        self._vocabulary = Vocabulary(
            self._tokenizer.id_to_token, self._tokenizer.token_to_id("<|endoftext|>")
        )

    def languages(self) -> tuple[str, ...]:
        """Whisper's codes, sorted: ISO 639-1 but for `haw`, `yue` and `jw` (Javanese)."""
        codes: list[str] = self._model.supported_languages
        if not self._model.model.is_multilingual:
            return tuple(codes)
        # faster-whisper lists those of the newest weights, older ones lack some
        known = (code for code in codes if self._tokenizer.token_to_id(f"<|{code}|>") is not None)
        return tuple(sorted(known))

    def transcribe(self, job: TranscriptionJob, audio: Samples) -> Iterator[TranscriptionEvent]:
        """One `Detected`, then segments in order (with deltas ahead of them where asked for).

        At most 30 s are recognised at a time, and their events leave before the next are begun.
        `Detected` comes with the first segment; its language is the job's, or None, where nobody
        speaks. English-only weights transcribe where a translation is asked for.

        Args:
            audio: the decoded upload, 16 kHz mono, of any length.

        Raises:
            InvalidRequestError: the weights do not know the job's language, or none of those that
                may be spoken.
        """
        possible = self._possible_languages(job)
        if job.normalize_loudness:
            audio = normalized(audio)
        duration = len(audio) / RECOGNITION_RATE
        language = job.language
        last: Segment | None = None
        for clip in speech_clips(audio, job.vad):
            window = audio[clip.start : clip.start + MAX_CLIP]
            spoken = language or self._spoken_language(window, possible)
            for found in self._recognise(job, spoken, audio[clip.start : clip.end]):
                if last is None:
                    language = spoken
                    yield Detected(language, duration)
                if job.deltas:
                    yield from self._vocabulary.deltas(found.tokens)
                last = placed(found, clip, last)
                if job.logprobs:
                    last = replace(last, logprobs=self._vocabulary.logprobs(found.tokens))
                yield last
        if last is None:
            yield Detected(language, duration)

    def close(self) -> None:
        """Gives the memory of the weights back. No job may be running."""
        self._model.model.unload_model()

    def _recognise(self, job: TranscriptionJob, language: str, audio: Samples) -> Iterator[Any]:
        """faster-whisper's segments of a clip, made as they are taken."""
        model = self._scoring_model if job.logprobs else self._model
        sampled = job.temperature > 0
        segments, _ = model.transcribe(
            audio,
            language=language,
            task=job.task,
            # log probabilities are to be had from a greedy search only, see `scoring`
            beam_size=1 if job.logprobs else 5,
            best_of=1 if job.logprobs or sampled else 5,
            temperature=job.temperature if sampled else FALLBACK_TEMPERATURES,
            # what went wrong in one clip stays there
            condition_on_previous_text=False,
            initial_prompt=self._prompt(job),
            word_timestamps=job.word_timestamps,
        )
        return iter(segments)

    def _spoken_language(self, audio: Samples, possible: Sequence[str]) -> str:
        """What is spoken in a window that begins with speech, the likeliest of the possible ones.
        It may go on beyond the first clip, which can be a single word, too little to tell a
        language by."""
        if len(possible) == 1:
            return possible[0]
        _, _, probabilities = self._model.detect_language(audio=audio)
        # the likeliest comes first
        return next(str(language) for language, _ in probabilities if language in possible)

    def _prompt(self, job: TranscriptionJob) -> list[int] | None:
        """What the decoder takes for the text before its window, and follows in its spelling."""
        keywords = ", ".join(filter(None, map(str.strip, job.keywords)))
        listed = self._text_tokens(f"Keywords: {keywords}." if keywords else "")
        said = self._text_tokens(job.prompt or "")
        listed = listed[: MAX_PROMPT - min(len(said), MAX_PROMPT // 2)]
        return [*listed, *said[len(listed) - MAX_PROMPT :]] or None

    def _text_tokens(self, text: str) -> list[int]:
        """No control tokens, even where the text spells them: they would steer the decoder."""
        if not text.strip():
            return []
        encoded = self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False)
        return self._vocabulary.text_tokens(encoded.ids)

    def _possible_languages(self, job: TranscriptionJob) -> tuple[str, ...]:
        known = self.languages()
        asked = (job.language,) if job.language else job.languages
        possible = tuple(code for code in asked if code in known)
        if asked and not possible:
            raise InvalidRequestError(
                f"Language {asked[0]!r} is not supported by this model. Supported languages: "
                f"{', '.join(known)}.",
                param="language",
                code="unsupported_value",
            )
        return possible or known
