"""A Whisper that looks at no more of its window than a clip needs.

Whisper's encoder is given 30 seconds whatever the clip's length, and the last 2 take it as long as
the first 6. CTranslate2's encoder takes fewer, and so does our own. Right after its content a
window must still hold some silence: with too little of it the decoder repeats itself until its
token limit. How much is enough, and how often it is not, is measured in docs/performance.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.feature_extractor import FeatureExtractor

from soundalike.audio.pcm import Samples
from soundalike.engines.whisper.guard import most_tokens, trusted
from soundalike.engines.whisper.network import OnnxWhisper
from soundalike.engines.whisper.segments import FRAMES_PER_SECOND

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from numpy.typing import NDArray

    from soundalike.engines.whisper.network import encoder

    Encoding: TypeAlias = StorageView | encoder.Encoding

MARGIN = 5 * FRAMES_PER_SECOND
"""Frames of silence after the content of a window."""

LEAST_CONTEXT = 10 * FRAMES_PER_SECOND
"""Frames of the shortest window."""

_ROOM = threading.Lock()
"""For one full window at a time, which takes CTranslate2's encoder four times the memory of a short
one."""

LEAST_CERTAINTY = 0.5
"""Probability of a language, below which it is looked for again in the full window."""


def context_of(content: int) -> int:
    """Frames that the encoder needs for so many frames of content: whole seconds, so that it
    computes in tensors of few sizes, and the memory of one fits the next."""
    seconds = -(-(content + MARGIN) // FRAMES_PER_SECOND)
    return max(LEAST_CONTEXT, seconds * FRAMES_PER_SECOND)


def content_of(window: NDArray[np.float32]) -> int:
    """Frames of a window, shape (mels, frames), up to its padding, which is zeros. A spectrogram
    has none, not even of silence."""
    filled = np.flatnonzero(window.any(axis=0))
    return int(filled[-1]) + 1 if len(filled) else 0


class LastSpectrogram(FeatureExtractor):  # type: ignore[misc]  # faster-whisper is untyped
    """faster-whisper's seam: a clip's language and its text are read in one spectrogram."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.__dict__.update(vars(extractor))
        self._last: tuple[Samples, NDArray[np.float32]] | None = None

    def __call__(self, waveform: Samples, **options: Any) -> NDArray[np.float32]:
        if self._last is None or self._last[0] is not waveform:
            self._last = waveform, super().__call__(waveform, **options)
        return self._last[1]


class ClipWhisper(WhisperModel):  # type: ignore[misc]  # faster-whisper is untyped
    """faster-whisper on short windows, to recognise one clip. Guarded: text that looks wrong in a
    short window is decoded again, as plain faster-whisper would, from the full one.
    """

    def __init__(self, model: WhisperModel, between: Callable[[], None] = lambda: None) -> None:
        """On the weights of `model`, with a memory of its own for what it encoded last.

        Args:
            between: called ahead of each step that takes long.
        """
        self.__dict__.update(vars(model))
        self.feature_extractor = LastSpectrogram(model.feature_extractor)
        self._between = between
        whisper: Any = model.model
        self.model = whisper.interrupted(between) if isinstance(whisper, OnnxWhisper) else whisper
        self._uncut: NDArray[np.float32] | None = None
        """The window that was encoded last, where the encoder saw less than all of it."""
        self._detected: Encoding | None = None
        """The encoding that a language was found in, until its text is decoded."""
        self._widened: Encoding | None = None
        """The encoding of the full window, where text had to be decoded from that."""

    def spoken_language(self, audio: Samples, possible: Sequence[str]) -> tuple[str, float]:
        """The likeliest of the possible languages, and its probability among them.

        If `audio` is transcribed next, its text comes from the same encoding.

        Args:
            audio: 16 kHz mono that begins with speech; at most 30 s of it are used.
        """
        window = pad_or_trim(self.feature_extractor(audio))
        encoding = self.encode(window)
        found = self._likeliest(encoding, possible)
        if found[1] < LEAST_CERTAINTY and self._uncut is not None:
            self._uncut = None
            encoding = self._encoded_in_full(window)
            found = self._likeliest(encoding, possible)
        self._detected = encoding
        return found

    def encode(self, features: NDArray[np.float32]) -> Encoding:
        """faster-whisper's seam: a window, padded with zeros to its full 3000 frames."""
        if self._detected is not None:
            detected, self._detected = self._detected, None
            return detected
        context = context_of(content_of(features))
        self._uncut = features if context < features.shape[-1] else None
        self._widened = None
        if self._uncut is None:
            return self._encoded_in_full(features)
        self._between()
        return super().encode(features[:, :context])

    def generate_with_fallback(
        self, encoder_output: Encoding, prompt: list[int], tokenizer: Any, options: Any
    ) -> Any:
        """faster-whisper's seam: the text of an encoding, with its average log probability, its
        temperature and its compression ratio."""
        if self._uncut is None:
            return self._decoded(encoder_output, prompt, tokenizer, options)
        content = content_of(self._uncut)
        limit = min(most_tokens(content), self.max_length // 2, self.max_length - len(prompt))
        # CTranslate2 generates half of the length that it is given, and we follow it
        length = max(2 * limit, len(prompt) + limit)
        once = replace(
            options, temperatures=options.temperatures[:1], max_new_tokens=length - len(prompt)
        )
        attempt = self._decoded(encoder_output, prompt, tokenizer, once)
        result, log_probability, _, compression = attempt
        tokens = len(result.sequences_ids[0])
        if tokens < limit and trusted(tokens, log_probability, compression):
            return attempt
        self._widened = self._encoded_in_full(self._uncut)
        return self._decoded(self._widened, prompt, tokenizer, options)

    def find_alignment(
        self,
        tokenizer: Any,
        text_tokens: Any,
        encoder_output: Encoding,
        num_frames: int,
        **options: Any,
    ) -> Any:
        """faster-whisper's seam: the times of words, from the encoding that they were read in."""
        if self._widened is not None:
            encoder_output = self._widened
        return super().find_alignment(tokenizer, text_tokens, encoder_output, num_frames, **options)

    def _encoded_in_full(self, window: NDArray[np.float32]) -> Encoding:
        self._between()
        with _ROOM:
            return super().encode(window)

    def _decoded(self, encoding: Encoding, prompt: list[int], tokenizer: Any, options: Any) -> Any:
        """As faster-whisper does it, each temperature a step of its own."""

        def steps() -> Iterator[float]:
            for temperature in options.temperatures:
                self._between()
                yield temperature

        stepwise = replace(options, temperatures=steps())
        return super().generate_with_fallback(encoding, prompt, tokenizer, stepwise)

    def _likeliest(self, encoding: Encoding, possible: Sequence[str]) -> tuple[str, float]:
        found = {token[2:-2]: p for token, p in self.model.detect_language(encoding)[0]}
        language = max(possible, key=lambda code: found.get(code, 0.0))
        total = sum(found.get(code, 0.0) for code in possible)
        return language, found.get(language, 0.0) / total if total else 0.0
