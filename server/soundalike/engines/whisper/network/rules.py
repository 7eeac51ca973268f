"""Which tokens may come next in a text, and that times come in pairs and in order.

The rules are Whisper's own (Radford et al., "Robust Speech Recognition via Large-Scale Weak
Supervision", 2022), as CTranslate2 applies them (`src/models/whisper.cc`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundalike.engines.whisper.network.weights import Array

NEVER = np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class ControlTokens:
    """The tokens of a vocabulary that are not text. It has the text first, then `end`, then the
    others, and last the times, from `time` on, 0.02 s apart."""

    end: int
    start: int
    no_speech: int
    no_times: int

    @property
    def time(self) -> int:
        return self.no_times + 1


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be said.

    Attributes:
        never: tokens that may not; no times.
        not_first: tokens that may not begin a text.
        latest: the latest time that a text may begin with, counted in times; None for a text
            without times.
    """

    control: ControlTokens
    never: tuple[int, ...]
    not_first: tuple[int, ...]
    latest: int | None

    def apply(self, logits: Array, texts: Sequence[Sequence[int]]) -> None:
        """Take from the next tokens those that may not come.

        Args:
            logits: shape (texts, vocabulary); changed.
            texts: so far, of one length.
        """
        logits[:, self.never] = NEVER
        if not texts[0]:
            logits[:, self.not_first] = NEVER
        if self.latest is not None:
            logits[:, self.control.no_times] = NEVER
            for row, text in zip(logits, texts, strict=True):
                self._apply_to_times(row, text, self.latest)

    def _apply_to_times(self, logits: Array, text: Sequence[int], latest: int) -> None:
        time = self.control.time
        if not text:
            logits[:time] = NEVER
            logits[time + latest + 1 :] = NEVER
            return
        said = [token for token in text if token >= time]
        if said:
            logits[time : said[-1]] = NEVER
        if text[-1] >= time:
            if len(text) == 1 or text[-2] >= time:
                logits[time:] = NEVER
                return
            logits[: self.control.end] = NEVER
        times = logits[time:]
        if log_sum_exp(times) > logits[:time].max():
            logits[:time] = NEVER


def log_sum_exp(values: Array) -> Array:
    """The logarithm of the sum of the exponentials along the last axis, not all of which are
    minus infinity."""
    highest = values.max(axis=-1, keepdims=True)
    powers = values - highest
    np.exp(powers, out=powers)
    found: Array = highest[..., 0] + np.log(powers.sum(axis=-1))
    return found
