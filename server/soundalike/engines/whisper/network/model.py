"""The network as faster-whisper asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.utils import get_logger
from tokenizers import Tokenizer

from soundalike.engines.whisper.network.alignment import aligned
from soundalike.engines.whisper.network.decoder import Decoder
from soundalike.engines.whisper.network.encoder import STRIDE, Encoder, Encoding
from soundalike.engines.whisper.network.rules import ControlTokens, Rules, log_sum_exp
from soundalike.engines.whisper.network.search import Hypothesis, Step, by_beams, by_drawing
from soundalike.engines.whisper.network.weights import Array, UnknownLayoutError, Weights
from soundalike.engines.whisper.tokens import ScoredResult
from soundalike.errors import ServerError

MULTILINGUAL = 51_865
"""Tokens of the smallest vocabulary of many languages."""

ROWS = 64
"""States whose next tokens are weighed at once: their logits take 13 MB."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """What faster-whisper reads of a `WhisperAlignmentResult`.

    Attributes:
        alignments: pairs of a token and a position of the encoding, 0.02 s each.
    """

    alignments: list[tuple[int, int]]
    text_token_probs: list[float]


class OnnxWhisper:
    """Takes the place of a `ctranslate2.models.Whisper`, for one window at a time. Any number of
    threads may use it.

    Attributes:
        between: called ahead of each token.
    """

    device = "cpu"

    def __init__(self, folder: Path, tokenizer: Tokenizer, threads: int) -> None:
        """Args:
            threads: for all that is computed at once.

        Raises:
            OSError, ValueError: a file is missing, or damaged.
            UnknownLayoutError: the weights are stored in a way that CTranslate2 may know.
        """
        weights = Weights(folder / "model.bin")
        self._config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
        self._languages = {
            token: str(tokenizer.id_to_token(token)) for token in self._config.get("lang_ids") or ()
        }
        self._control = _control_tokens(tokenizer)
        self._decoder = Decoder(weights, threads)
        self._encoder = Encoder(weights, threads)
        self.is_multilingual = self._decoder.tokens >= MULTILINGUAL
        self.between: Callable[[], None] = lambda: None

    def interrupted(self, between: Callable[[], None]) -> OnnxWhisper:
        """The same Whisper, with a `between` of its own."""
        other = copy(self)
        other.between = between
        return other

    def encode(self, features: Any, **_: Any) -> Encoding:
        """Args:
        features: anything like an array, shape (1, mels, frames), frames an even number.
        """
        return self._encoder(np.asarray(features, np.float32)[0])

    def detect_language(self, encoding: Encoding) -> list[list[tuple[str, float]]]:
        """The languages of one encoding, as tokens, and their probabilities; none where the weights
        name none."""
        if not self._languages:
            return [[]]
        states = self._decoder.advance(self._decoder.begin(encoding), [[self._control.start]])
        logits = self._decoder.logits(states[0])[0, [*self._languages]]
        probabilities = np.exp(logits - log_sum_exp(logits)).tolist()
        found = zip(self._languages.values(), probabilities, strict=True)
        return [sorted(found, key=lambda language: -language[1])]

    def generate(
        self,
        encoding: Encoding,
        prompts: list[list[int]],
        *,
        max_length: int,
        length_penalty: float,
        num_hypotheses: int = 1,
        beam_size: int,
        patience: float = 1,
        sampling_temperature: float = 0,
        **options: Any,
    ) -> list[ScoredResult]:
        """The texts of one encoding after one prompt, the best first. They are drawn where there
        is a temperature, else followed by beams.

        Args:
            max_length: tokens of the prompt and the text; a text takes half of them at most.
            options: those of `_rules`; others have no effect.
        """
        (prompt,) = prompts
        rules = self._rules(prompt, **options)
        most = min(max_length // 2, max_length - len(prompt) + 1)
        step, start, first = self._begun(encoding, prompt)
        if sampling_temperature:
            chance = np.random.default_rng()
            found = by_drawing(
                first, step, rules, most, num_hypotheses, sampling_temperature, chance
            )
        else:
            found = by_beams(first, step, rules, most, beam_size, round(beam_size * patience))
        no_speech = np.exp(start[self._control.no_speech] - log_sum_exp(start))
        return [_result(found, length_penalty, float(no_speech))]

    def align(
        self,
        encoding: Encoding,
        start_sequence: Sequence[int],
        text_tokens: list[list[int]],
        num_frames: int,
        median_filter_width: int,
    ) -> list[Alignment]:
        """When each token of one text is said, and how probable it is.

        Args:
            start_sequence: the tokens between a prompt and the text.
            num_frames: of the spectrogram, up to the end of its content.

        Raises:
            ServerError: the weights do not say which heads follow the speech.
        """
        (text,) = text_tokens
        first = len(start_sequence)
        tokens = [*start_sequence, self._control.no_times, *text, self._control.end]
        self.between()
        heads = self._config.get("alignment_heads")
        if not heads:
            raise ServerError(
                "The Whisper weights give words no times: their config.json has no alignment_heads."
            )
        states, looked = self._decoder.attended(encoding, tokens, heads)
        looked = looked[..., : max(1, num_frames // STRIDE)]
        path = aligned(looked, median_filter_width, first, len(tokens) - 1)
        return [Alignment(path, self._probabilities_of(text, states[first:]))]

    def unload_model(self) -> None:
        """Gives the memory back, once no copy by `interrupted` is left. Of no more use then."""
        for network in ("_encoder", "_decoder"):
            self.__dict__.pop(network, None)

    def _rules(
        self,
        prompt: list[int],
        *,
        suppress_blank: bool,
        suppress_tokens: Sequence[int],
        max_initial_timestamp_index: int,
        **_: Any,
    ) -> Rules:
        never = {token for token in suppress_tokens if token >= 0}
        if -1 in suppress_tokens:
            never.update(self._config.get("suppress_ids") or ())
        times = prompt[-1] != self._control.no_times
        return Rules(
            self._control,
            tuple(never),
            tuple(self._config.get("suppress_ids_begin") or ()) if suppress_blank else (),
            max_initial_timestamp_index if times else None,
        )

    def _begun(self, encoding: Encoding, prompt: list[int]) -> tuple[Step, Array, Array]:
        """How a text goes on after a prompt; the logits after the prompt's start token, shape
        (vocabulary), and after all of it, shape (1, vocabulary)."""
        self.between()
        beams = self._decoder.begin(encoding)
        states = self._decoder.advance(beams, [prompt])[0]
        logits = self._decoder.logits(states[[prompt.index(self._control.start), -1]])

        def step(tokens: Sequence[int], origins: Sequence[int]) -> Array:
            self.between()
            states = self._decoder.advance(beams, [[token] for token in tokens], origins)
            return self._decoder.logits(states[:, 0])

        return step, logits[0], logits[1:]

    def _probabilities_of(self, text: list[int], states: Array) -> list[float]:
        """Of each token of a text, from the state before it, among all that are text."""
        found: list[float] = []
        for begin in range(0, len(text), ROWS):
            tokens = text[begin : begin + ROWS]
            logits = self._decoder.logits(states[begin : begin + len(tokens)])
            said = logits[np.arange(len(tokens)), tokens]
            found += np.exp(said - log_sum_exp(logits[:, : self._control.end])).tolist()
        return found


class NetworkModel(WhisperModel):  # type: ignore[misc]  # faster-whisper is untyped
    """faster-whisper on this network."""

    def __init__(self, folder: Path, threads: int) -> None:
        """What faster-whisper's own does, but for the weights, which it would load into
        CTranslate2. Raises what `OnnxWhisper` does."""
        self.logger = get_logger()
        self.hf_tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.model = OnnxWhisper(folder, self.hf_tokenizer, threads)
        self.feat_kwargs = self._get_feature_kwargs(str(folder))
        self.feature_extractor = FeatureExtractor(**self.feat_kwargs)
        self.input_stride = STRIDE
        self.num_samples_per_token = self.feature_extractor.hop_length * STRIDE
        self.frames_per_second = (
            self.feature_extractor.sampling_rate // self.feature_extractor.hop_length
        )
        self.tokens_per_second = self.feature_extractor.sampling_rate // self.num_samples_per_token
        self.time_precision = 0.02
        self.max_length = 448


def _control_tokens(tokenizer: Tokenizer) -> ControlTokens:
    def token(*names: str) -> int:
        for name in names:
            if (number := tokenizer.token_to_id(name)) is not None:
                return int(number)
        raise UnknownLayoutError(f"The tokenizer lacks {names[0]}.")

    return ControlTokens(
        end=token("<|endoftext|>"),
        start=token("<|startoftranscript|>"),
        no_speech=token("<|nospeech|>", "<|nocaptions|>"),
        no_times=token("<|notimestamps|>"),
    )


def _result(
    found: list[Hypothesis], length_penalty: float, no_speech_probability: float
) -> ScoredResult:
    best = sorted(found, key=lambda text: -text.score(length_penalty))
    return ScoredResult(
        [text.tokens for text in best],
        [text.score(length_penalty) for text in best],
        no_speech_probability,
    )
