"""The transcription engine itself: from a job to its events."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import ClassVar

from soundalike.audio.loudness import normalized
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.underway import Underway, underway
from soundalike.engines.whisper.clips import speech_clips
from soundalike.engines.whisper.listening import Heard, Listening
from soundalike.engines.whisper.loading import load_model, plan_for
from soundalike.engines.whisper.scoring import scoring
from soundalike.engines.whisper.segments import placed
from soundalike.engines.whisper.slots import Slots
from soundalike.engines.whisper.tokens import Vocabulary
from soundalike.errors import InvalidRequestError
from soundalike.transcript import Detected, Segment, TranscriptionEvent

MAX_PROMPT = 223
"""Tokens that faster-whisper keeps of a prompt: half of the decoder's 448, less one."""


class WhisperEngine:
    """Any Whisper in CTranslate2's format; `config.weights` is its folder.

    Any number of threads may transcribe at once: they share so many clips at a time as there are
    slots, see `slots`.
    """

    thread_safe: ClassVar[bool] = True

    def __init__(self, config: EngineConfig) -> None:
        """`config.options` are those of `loading.plan_for`.

        Raises:
            ServerError: the weights are missing or damaged, or the device cannot run them.
        """
        plan = plan_for(config)
        self._model = load_model(config.weights, plan)
        self._scoring_model = scoring(self._model)
        self._tokenizer = self._model.hf_tokenizer
        self._vocabulary = Vocabulary(
            self._tokenizer.id_to_token, self._tokenizer.token_to_id("<|endoftext|>")
        )
        self._slots = Slots(plan.slots)

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

        Clips are recognised ahead, side by side, and their events leave in order; the first have no
        company while the others wait for a language, or the client for its deltas.
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
        last: Segment | None = None
        with closing(self._heard(job, audio, possible)) as clips:
            for heard in clips:
                for found in heard.segments:
                    if last is None:
                        yield Detected(heard.language, duration)
                    if job.deltas:
                        yield from self._vocabulary.deltas(found.tokens)
                    last = placed(found, heard.clip, last)
                    if job.logprobs:
                        last = replace(last, logprobs=self._vocabulary.logprobs(found.tokens))
                    yield last
        if last is None:
            yield Detected(job.language, duration)

    def close(self) -> None:
        """Gives the memory of the weights back. No job may be running."""
        self._slots.close()
        self._model.model.unload_model()

    def _heard(
        self, job: TranscriptionJob, audio: Samples, possible: tuple[str, ...]
    ) -> Generator[Heard, None, None]:
        """What is heard in each clip, in order. The language is that of the first clip in which it
        is certain, or in which anything is heard."""
        model = self._scoring_model if job.logprobs else self._model
        prompt = self._prompt(job)
        turns = self._slots.turns()
        between = partial(self._between, underway())
        clips: Iterator[Listening] = (
            Listening(model, job, prompt, audio, clip, between)
            for clip in speech_clips(audio, job.vad)
        )
        language = possible[0]
        if job.deltas or len(possible) > 1:
            for clip in clips:
                heard, certain = turns.take(partial(clip.heard, possible))
                language = heard.language
                yield heard
                if certain or heard.segments:
                    break
        yield from turns.in_order(partial(clip.text, language) for clip in clips)

    def _between(self, job: Underway) -> None:
        """Between the steps of a clip. Raises what keeps the next one from being taken."""
        job.come_forward()
        self._slots.give_way()
        job.come_forward()

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
