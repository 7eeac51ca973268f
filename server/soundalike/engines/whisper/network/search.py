"""Looks for the likeliest text, as CTranslate2 does it: by beams, or by drawing.

Kept apart from the network: `Step` is all that is known of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from soundalike.engines.whisper.network.rules import Rules
from soundalike.engines.whisper.network.weights import Array
from soundalike.engines.whisper.tokens import ScoredToken

Step = Callable[[Sequence[int], Sequence[int]], Array]
"""From the tokens that go on with some of the texts, and the places of these among the texts
before, to the logits of their next tokens, shape (texts, vocabulary), which may be changed."""

BLOCK = 64
"""Tokens whose best is compared with others', so that few tokens need be sorted."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text, without its end, and the sum of its tokens' log probabilities, its end's with it."""

    tokens: list[ScoredToken]
    log_probability: float

    def score(self, length_penalty: float) -> float:
        length: float = max(1, len(self.tokens)) ** length_penalty
        return self.log_probability / length


def by_beams(
    first: Array, step: Step, rules: Rules, most: int, beams: int, enough: int
) -> list[Hypothesis]:
    """Texts that have come to their end while `beams` unfinished ones were followed.

    Args:
        first: logits of the first token, shape (1, vocabulary); changed.
        most: tokens of a text.
        enough: texts that end the search.
    """
    found: list[Hypothesis] = []
    logits, texts, totals = first, [list[ScoredToken]()], np.zeros(1, np.float32)
    for length in range(1, most + 1):
        rules.apply(logits, texts)
        _to_log_probabilities(logits)
        # So many, that if every second is an end there are enough others
        scores, origins, tokens = _best(logits + totals[:, np.newaxis], 2 * beams)
        going_on: list[int] = []
        for place, (origin, token) in enumerate(zip(origins, tokens, strict=True)):
            ends = token == rules.control.end
            if place < beams and (ends or length == most):
                text = [] if ends else [ScoredToken(token, float(logits[origin, token]))]
                found.append(Hypothesis([*texts[origin], *text], float(scores[place])))
            elif not ends and len(going_on) < beams:
                going_on.append(place)
        if len(found) >= enough or length == most:
            break
        texts = [
            [*texts[origin], ScoredToken(tokens[place], float(logits[origin, tokens[place]]))]
            for place in going_on
            for origin in (origins[place],)
        ]
        totals = scores[going_on]
        logits = step([tokens[place] for place in going_on], [origins[place] for place in going_on])
    return found


def by_drawing(
    first: Array,
    step: Step,
    rules: Rules,
    most: int,
    number: int,
    temperature: float,
    chance: np.random.Generator,
) -> list[Hypothesis]:
    """So many texts, each token drawn by its probability.

    Args:
        first: logits of the first token, shape (1, vocabulary).
        most: tokens of a text.
        temperature: that the logits are divided by before one is drawn; the log probabilities
            of a text are those without it.
    """
    found: list[Hypothesis] = []
    texts, totals = [list[ScoredToken]() for _ in range(number)], np.zeros(number)
    logits, origins = np.repeat(first, number, axis=0), [0] * number
    while texts:
        rules.apply(logits, texts)
        tokens = (logits / temperature + chance.gumbel(size=logits.shape)).argmax(axis=1).tolist()
        _to_log_probabilities(logits)
        scores = logits[np.arange(len(tokens)), tokens]
        totals = totals + scores
        going_on: list[int] = []
        for place, (text, token) in enumerate(zip(texts, tokens, strict=True)):
            if token != rules.control.end:
                text.append(ScoredToken(token, float(scores[place])))
            if token == rules.control.end or len(text) == most:
                found.append(Hypothesis(text, float(totals[place])))
            else:
                going_on.append(place)
        texts, totals = [texts[place] for place in going_on], totals[going_on]
        if texts:
            origins = [origins[place] for place in going_on]
            logits = step([tokens[place] for place in going_on], origins)
            origins = list(range(len(texts)))
    return found


def _to_log_probabilities(logits: Array) -> None:
    """In place, along the vocabulary."""
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _best(scores: Array, number: int) -> tuple[Array, list[int], list[int]]:
    """The highest scores, highest first, their rows and their columns.

    They are in the blocks that have the highest best ones, or among the last columns."""
    rows, columns = scores.shape
    whole = columns // BLOCK
    blocks = scores[:, : whole * BLOCK].reshape(rows, whole, BLOCK).max(axis=2).ravel()
    kept = np.argpartition(-blocks, min(number, len(blocks) - 1))[:number]
    starts = kept // whole * columns + kept % whole * BLOCK
    within = (starts[:, np.newaxis] + np.arange(BLOCK)).ravel()
    last = np.add.outer(np.arange(rows) * columns, np.arange(whole * BLOCK, columns)).ravel()
    candidates = np.concatenate([within, last])
    values = scores.ravel()[candidates]
    order = np.argsort(-values, kind="stable")[:number]
    places = candidates[order]
    return values[order], (places // columns).tolist(), (places % columns).tolist()
