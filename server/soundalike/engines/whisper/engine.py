"""The transcription engine itself: from a job to its events."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

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
            InvalidRequestError: the weights do not know the job's language.
        """
        self._check_language(job.language)
        duration = len(audio) / RECOGNITION_RATE
        language = job.language
        last: Segment | None = None
        for clip in speech_clips(audio):
            spoken = language or self._spoken_language(audio[clip.start : clip.start + MAX_CLIP])
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
            initial_prompt=self._prompt(job.prompt),
            word_timestamps=job.word_timestamps,
        )
        return iter(segments)

    def _spoken_language(self, audio: Samples) -> str:
        """What is spoken in a window that begins with speech. It may go on beyond the first clip,
        which can be a single word, too little to tell a language by."""
        if not self._model.model.is_multilingual:
            return "en"
        language, _, _ = self._model.detect_language(audio=audio)
        return str(language)

    def _prompt(self, prompt: str | None) -> list[int] | None:
        """As tokens, so that a prompt that spells control tokens cannot steer the decoder."""
        if not prompt or not prompt.strip():
            return None
        encoded = self._tokenizer.encode(f" {prompt.strip()}", add_special_tokens=False)
        return self._vocabulary.text_tokens(encoded.ids)

    def _check_language(self, language: str | None) -> None:
        known = self.languages()
        if language is not None and language not in known:
            raise InvalidRequestError(
                f"Language {language!r} is not supported by this model. Supported languages: "
                f"{', '.join(known)}.",
                param="language",
                code="unsupported_value",
            )
