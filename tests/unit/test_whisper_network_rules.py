"""Which tokens may come next: against a plain statement of Whisper's rules, and in the texts that
come of following them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from soundalike.engines.whisper.network.rules import ControlTokens, Rules

END, START, NO_SPEECH, NO_TIMES = 5, 6, 7, 8
CONTROL = ControlTokens(end=END, start=START, no_speech=NO_SPEECH, no_times=NO_TIMES)
TIME = NO_TIMES + 1
TIMES = 6
VOCABULARY = TIME + TIMES

tokens = st.integers(0, VOCABULARY - 1)
few = st.lists(st.integers(0, NO_TIMES), max_size=3).map(tuple)


def plainly_allowed(rules: Rules, text: list[int], logits: list[float]) -> set[int]:
    """The tokens that may follow one text."""
    allowed = set(range(len(logits))) - set(rules.never)
    if not text:
        allowed -= set(rules.not_first)
    if rules.latest is None:
        return allowed
    times = set(range(TIME, len(logits)))
    allowed -= {NO_TIMES}
    if not text:
        return {token for token in allowed & times if token - TIME <= rules.latest}
    before = [token for token in text if token in times]
    allowed -= {time for time in times if before and time < before[-1]}
    if text[-1] in times and (len(text) == 1 or text[-2] in times):
        allowed -= times
    elif text[-1] in times:
        allowed -= set(range(END))
    powers = {token: float(np.exp(np.float64(logits[token]))) for token in allowed}
    of_times = sum(powers[token] for token in allowed & times)
    of_other = max((powers[token] for token in allowed - times), default=0.0)
    assume(of_times == of_other or not np.isclose(of_times, of_other, rtol=1e-4))
    return allowed & times if of_times > of_other else allowed


@st.composite
def cases(draw: st.DrawFn) -> tuple[Rules, list[list[int]], NDArray[np.float32]]:
    rules = Rules(CONTROL, draw(few), draw(few), draw(st.none() | st.integers(0, TIMES + 1)))
    length = draw(st.integers(0, 6))
    text = st.lists(tokens, min_size=length, max_size=length)
    texts = draw(st.lists(text, min_size=1, max_size=4))
    logits = st.lists(st.floats(-4, 4, width=16), min_size=VOCABULARY, max_size=VOCABULARY)
    return rules, texts, np.array([draw(logits) for _ in texts], np.float32)


@given(cases())
@settings(deadline=None, max_examples=400)
def test_the_tokens_that_may_come_keep_their_logits_and_others_lose_them(
    case: tuple[Rules, list[list[int]], NDArray[np.float32]],
) -> None:
    rules, texts, logits = case
    expected = np.full_like(logits, -np.inf)
    for row, text, given_ in zip(expected, texts, logits, strict=True):
        allowed = sorted(plainly_allowed(rules, text, given_.tolist()))
        row[allowed] = given_[allowed]
    rules.apply(logits, texts)
    assert logits.tolist() == expected.tolist()


def followed(rules: Rules, seed: int) -> list[int]:
    """A text whose tokens are drawn from those that may come, up to its end."""
    chance = np.random.default_rng(seed)
    text: list[int] = []
    while len(text) < 40:
        logits = chance.normal(size=(1, VOCABULARY)).astype(np.float32)
        logits[0, END] -= 2
        rules.apply(logits, [text])
        token = int(chance.choice(np.flatnonzero(np.isfinite(logits[0]))))
        text.append(token)
        if token == END:
            break
    return text


@pytest.mark.parametrize("latest", [0, 2])
@pytest.mark.parametrize("seed", range(25))
def test_a_text_by_the_rules_has_times_in_pairs_and_in_order(latest: int, seed: int) -> None:
    never = (3, START, NO_SPEECH)
    text = followed(Rules(CONTROL, never, (0, END), latest), seed)
    assert TIME <= text[0] <= TIME + latest
    assert text[1] < TIME
    assert not set(text) & {*never, NO_TIMES}
    times = [token for token in text if token >= TIME]
    assert times == sorted(times)
    for (before, time), (_, after) in pairwise(pairwise(text)):
        if time >= TIME and before >= TIME:
            assert after < TIME
        elif time >= TIME:
            assert after >= TIME or after == END


@pytest.mark.parametrize("seed", range(5))
def test_texts_without_times_are_only_kept_from_what_may_never_be_said(seed: int) -> None:
    rules = Rules(CONTROL, (2, NO_SPEECH), (0, END), None)
    logits = np.random.default_rng(seed).normal(size=(2, VOCABULARY)).astype(np.float32)
    for text, barred in (([], {2, NO_SPEECH, 0, END}), ([TIME + 3], {2, NO_SPEECH})):
        found = logits.copy()
        rules.apply(found, [text, text])
        others = [token for token in range(VOCABULARY) if token not in barred]
        assert found[:, others].tolist() == logits[:, others].tolist()
        assert np.isneginf(found[:, sorted(barred)]).all()


@pytest.mark.parametrize(
    ("text", "time", "speaks"),
    [(0.3, 0.1, False), (0.3, 0.2, True), (0.3, 0.4, True)],
    ids=["less than a word", "together more than a word", "each more than a word"],
)
def test_times_come_when_together_they_are_likelier_than_any_word(
    text: float, time: float, speaks: bool
) -> None:
    """Two times and two words; the words together are always likelier than the times."""
    powers = np.zeros((1, VOCABULARY), np.float32)
    powers[0, [0, 1]] = text
    powers[0, [TIME + 4, TIME + 5]] = time
    with np.errstate(divide="ignore"):
        logits = np.log(powers)
    Rules(CONTROL, (), (), 2).apply(logits, [[TIME + 1, 0]])
    likely = set(np.flatnonzero(np.isfinite(logits[0])).tolist())
    assert likely == ({TIME + 4, TIME + 5} if speaks else {0, 1, TIME + 4, TIME + 5})


def test_texts_side_by_side_keep_to_their_own_times() -> None:
    logits = np.zeros((3, VOCABULARY), np.float32)
    logits[:, TIME:] = 5
    Rules(CONTROL, (), (), 2).apply(logits, [[TIME, 1], [TIME + 5, 1], [1, 1]])
    earliest = [int(np.flatnonzero(np.isfinite(row))[0]) for row in logits]
    assert earliest == [TIME, TIME + 5, TIME]
