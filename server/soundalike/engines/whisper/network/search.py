"""Looks for the likeliest text, as CTranslate2 does it: by beams, or by drawing.

Kept apart from the network: `Step` is all that is known of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from soundalike.engines.whisper.network.rules import Rules, log_sum_exp
from soundalike.engines.whisper.network.weights import Array
from soundalike.engines.whisper.tokens import ScoredToken

Step = Callable[[Sequence[int], Sequence[int]], Array]
"""From the tokens that go on with some of the texts, and the places of these among the texts
before, to the logits of their next tokens, shape (texts, vocabulary), which may be changed."""

BLOCK = 32
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
        sums = log_sum_exp(logits)
        # So many, that if every second is an end there are enough others
        scores, origins, tokens = _best(logits, totals - sums, 2 * beams)
        scored = [
            ScoredToken(token, float(logits[origin, token] - sums[origin]))
            for origin, token in zip(origins, tokens, strict=True)
        ]
        going_on: list[int] = []
        for place, (origin, token) in enumerate(zip(origins, tokens, strict=True)):
            ends = token == rules.control.end
            if place < beams and (ends or length == most):
                text = texts[origin] if ends else [*texts[origin], scored[place]]
                found.append(Hypothesis(text, float(scores[place])))
            elif not ends and len(going_on) < beams:
                going_on.append(place)
        if len(found) >= enough or length == most:
            break
        texts = [[*texts[origins[place]], scored[place]] for place in going_on]
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
        scores = logits[np.arange(len(tokens)), tokens] - log_sum_exp(logits)
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


def _best(logits: Array, added: Array, number: int) -> tuple[Array, list[int], list[int]]:
    """The highest scores, highest first, their rows and their columns.

    A block holds every so many columns of a row. The highest scores are in the blocks that have
    the highest best ones, or among the last columns, which fill no block.

    Args:
        added: to each row of the logits, to make scores of them.
    """
    rows, columns = logits.shape
    blocks = columns // BLOCK
    highest = logits[:, : blocks * BLOCK].reshape(rows, BLOCK, blocks).max(axis=1)
    highest = (highest + added[:, np.newaxis]).ravel()
    kept = np.argpartition(-highest, min(number, len(highest) - 1))[:number]
    starts = kept // blocks * columns + kept % blocks
    within = np.add.outer(starts, np.arange(BLOCK) * blocks).ravel()
    last = np.add.outer(np.arange(rows) * columns, np.arange(blocks * BLOCK, columns)).ravel()
    candidates = np.concatenate([within, last])
    values = logits.ravel()[candidates] + added[candidates // columns]
    order = np.argsort(-values, kind="stable")[:number]
    places = candidates[order]
    return values[order], (places // columns).tolist(), (places % columns).tolist()
