"""Log probabilities of the very tokens that the decoder chose."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from ctranslate2 import DataType, Device, StorageView

from soundalike.engines.whisper.network import OnnxWhisper
from soundalike.engines.whisper.tokens import ScoredResult, ScoredToken

if TYPE_CHECKING:
    from ctranslate2.models import Whisper
    from faster_whisper import WhisperModel


def scoring(model: WhisperModel) -> WhisperModel:
    """The model itself, where it scores its tokens as it is, or another on the same weights."""
    if isinstance(model.model, OnnxWhisper):
        return model
    other = copy(model)
    other.model = ScoringWhisper(model.model)
    return other


def log_probability(logits: StorageView, token: int) -> float:
    """Of one token, from the logits of its step, after the decoder's own rules for timestamps
    and suppressed tokens: as the average log probability of a segment counts it."""
    on_cpu = logits.to(DataType.float32).to_device(Device.cpu)
    row = np.asarray(on_cpu, dtype=np.float64).ravel()
    peak = row.max()
    return min(0.0, float(row[token] - peak - np.log(np.exp(row - peak).sum())))


class ScoringWhisper:
    """A CTranslate2 Whisper whose `generate` scores each token; all else is passed on.

    For one beam only: its beam search keeps the logits of the last step alone, its greedy search
    and its sampling keep those of every step (https://github.com/OpenNMT/CTranslate2/pull/2025).
    """

    def __init__(self, whisper: Whisper) -> None:
        self._whisper = whisper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    def generate(self, features: StorageView, prompts: list[list[int]], **options: Any) -> Any:
        results = self._whisper.generate(features, prompts, return_logits_vocab=True, **options)
        # The logits of a window are some 40 MB: they go with the result, the scores stay.
        return [
            ScoredResult(
                sequences_ids=[
                    [
                        ScoredToken(token, log_probability(step, token))
                        for token, step in zip(tokens, logits, strict=False)
                    ]
                    for tokens, logits in zip(result.sequences_ids, result.logits, strict=True)
                ],
                scores=result.scores,
                no_speech_prob=result.no_speech_prob,
            )
            for result in results
        ]
