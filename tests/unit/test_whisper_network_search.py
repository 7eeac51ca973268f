"""The search for the likeliest text: against all texts of a small vocabulary, against a plain
search one hypothesis at a time, and by how often a token is drawn."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from soundalike.engines.whisper.network.rules import ControlTokens, Rules
from soundalike.engines.whisper.network.search import Hypothesis, _best, by_beams, by_drawing

END, START, NO_SPEECH, NO_TIMES = 3, 4, 5, 6
CONTROL = ControlTokens(end=END, start=START, no_speech=NO_SPEECH, no_times=NO_TIMES)
SMALL, LARGE = 10, 150
"""Sizes of a vocabulary; in the large one most tokens are times."""

WORDS = Rules(CONTROL, never=tuple(range(START, SMALL)), not_first=(), latest=None)
TIMED = Rules(CONTROL, never=(START, NO_SPEECH), not_first=(END,), latest=40)

Text = tuple[int, ...]


class Speaker:
    """A network whose logits are noise that depends on the whole text. It knows the texts only
    from what a search tells it."""

    def __init__(self, seed: int, vocabulary: int, end: float = 0.0) -> None:
        """Args:
        end: by how much the end is likelier than other tokens.
        """
        self._seed, self._vocabulary, self._end = seed, vocabulary, end
        self.texts: list[Text] = [()]
        self.steps = 0

    def logits(self, text: Sequence[int]) -> NDArray[np.float32]:
        noise = np.random.default_rng([self._seed, *text]).normal(size=self._vocabulary) * 2
        noise[END] += self._end
        return noise.astype(np.float32)

    @property
    def first(self) -> NDArray[np.float32]:
        return self.logits(())[np.newaxis]

    def step(self, tokens: Sequence[int], origins: Sequence[int]) -> NDArray[np.float32]:
        assert len(tokens) == len(origins) > 0
        assert 0 <= min(origins) <= max(origins) < len(self.texts)
        pairs = zip(tokens, origins, strict=True)
        self.texts = [(*self.texts[origin], int(token)) for token, origin in pairs]
        assert END not in {text[-1] for text in self.texts}
        self.steps += 1
        return np.stack([self.logits(text) for text in self.texts])

    def log_probabilities(self, text: Sequence[int], rules: Rules) -> NDArray[np.float32]:
        """Of the token after a text."""
        logits = self.logits(text)[np.newaxis]
        rules.apply(logits, [text])
        found: NDArray[np.float32] = logits[0] - np.logaddexp.reduce(logits[0])
        return found


def scores(found: Sequence[Hypothesis]) -> list[tuple[Text, float]]:
    return [(tuple(map(int, one.tokens)), one.log_probability) for one in found]


def assert_alike(found: list[tuple[Text, float]], expected: list[tuple[Text, float]]) -> None:
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [score for _, score in found] == pytest.approx(
        [score for _, score in expected], abs=1e-4
    )


def every_text(speaker: Speaker, rules: Rules, most: int) -> Iterator[tuple[Text, float]]:
    """Each text of words that ends, or that has as many tokens as it may."""
    for length in range(most + 1):
        for text in product(range(END), repeat=length):
            whole = text if length == most else (*text, END)
            yield (
                text,
                sum(
                    float(speaker.log_probabilities(whole[:place], rules)[token])
                    for place, token in enumerate(whole)
                ),
            )


def plain_search(
    speaker: Speaker, rules: Rules, most: int, beams: int, enough: int
) -> list[tuple[Text, float]]:
    """CTranslate2's beam search: a text that ends gives its place to the next best that does
    not."""
    found: list[tuple[Text, float]] = []
    followed: list[tuple[Text, np.float32]] = [((), np.float32(0))]
    for length in range(1, most + 1):
        candidates = [
            ((*text, token), total + odds)
            for text, total in followed
            for token, odds in enumerate(speaker.log_probabilities(text, rules))
        ]
        candidates = sorted(candidates, key=lambda one: -one[1])[: 2 * beams]
        others = [one for one in candidates[beams:] if one[0][-1] != END]
        followed = []
        for text, total in candidates[:beams]:
            if text[-1] == END:
                found.append((text[:-1], float(total)))
            elif length == most:
                found.append((text, float(total)))
            if text[-1] != END:
                followed.append((text, total))
            elif others:
                followed.append(others.pop(0))
        if len(found) >= enough:
            break
    return found


@pytest.mark.parametrize("seed", range(8))
def test_beams_that_leave_nothing_out_find_every_text(seed: int) -> None:
    speaker = Speaker(seed, SMALL)
    found = by_beams(speaker.first, speaker.step, WORDS, 4, beams=400, enough=10_000)
    possible = [one for one in scores(found) if np.isfinite(one[1])]
    assert_alike(sorted(possible), sorted(every_text(speaker, WORDS, 4)))


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_is_the_likeliest(seed: int, length_penalty: float) -> None:
    speaker = Speaker(seed, SMALL)
    found = by_beams(speaker.first, speaker.step, WORDS, 3, beams=150, enough=10_000)
    best = max(found, key=lambda one: one.score(length_penalty))
    text, total = max(
        every_text(speaker, WORDS, 3),
        key=lambda one: one[1] / max(1, len(one[0])) ** length_penalty,
    )
    assert tuple(best.tokens) == text
    score = total / max(1, len(text)) ** length_penalty
    assert best.score(length_penalty) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(("rules", "vocabulary"), [(WORDS, SMALL), (TIMED, LARGE)])
@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("enough", [1, 5, 1000])
@pytest.mark.parametrize("end", [0.0, 3.0])
def test_few_beams_find_what_a_plain_search_finds(
    rules: Rules, vocabulary: int, beams: int, enough: int, end: float
) -> None:
    for seed in range(6):
        speaker = Speaker(seed, vocabulary, end)
        found = by_beams(speaker.first, speaker.step, rules, 8, beams, enough)
        possible = [one for one in scores(found) if np.isfinite(one[1])]
        expected = plain_search(speaker, rules, 8, beams, enough)
        assert possible
        assert_alike(possible, [one for one in expected if np.isfinite(one[1])])


def test_the_search_ends_with_enough_texts() -> None:
    steps = []
    for enough in (1, 3, 6):
        speaker = Speaker(1, SMALL, end=2.0)
        found = by_beams(speaker.first, speaker.step, WORDS, 40, beams=3, enough=enough)
        assert enough <= len(found) < enough + 3
        steps.append(speaker.steps)
    assert steps == sorted(set(steps))


def test_the_last_token_that_a_text_may_have_is_kept() -> None:
    speaker = Speaker(2, SMALL, end=-50.0)
    found = by_beams(speaker.first, speaker.step, WORDS, 5, beams=3, enough=3)
    assert speaker.steps == 4
    assert [len(one.tokens) for one in found] == [5, 5, 5]
    assert {tuple(one.tokens[:-1]) for one in found} <= set(speaker.texts)


def test_a_text_that_ends_at_once_is_empty() -> None:
    speaker = Speaker(3, SMALL, end=50.0)
    (found,) = by_beams(speaker.first, speaker.step, WORDS, 5, beams=1, enough=1)
    assert found.tokens == []
    assert found.log_probability == pytest.approx(0, abs=1e-4)
    assert speaker.steps == 0


@pytest.mark.parametrize("way", ["beams", "drawing"])
def test_tokens_carry_their_log_probabilities_and_the_end_has_the_rest(way: str) -> None:
    speaker, most = Speaker(4, LARGE, end=1.0), 6
    found = (
        by_beams(speaker.first, speaker.step, TIMED, most, 5, 20)
        if way == "beams"
        else by_drawing(speaker.first, speaker.step, TIMED, most, 20, 0.7, np.random.default_rng(0))
    )
    assert {len(one.tokens) == most for one in found} == {True, False}
    for one in found:
        whole = [*one.tokens] if len(one.tokens) == most else [*one.tokens, END]
        expected = [
            speaker.log_probabilities(whole[:place], TIMED)[token]
            for place, token in enumerate(whole)
        ]
        told = [token.logprob for token in one.tokens]
        assert told == pytest.approx(expected[: len(told)], abs=1e-4)
        assert one.log_probability == pytest.approx(sum(map(float, expected)), abs=1e-4)


def test_the_score_of_a_text_by_its_length() -> None:
    speaker = Speaker(5, SMALL, end=-50.0)
    (found,) = by_beams(speaker.first, speaker.step, WORDS, 4, beams=1, enough=1)
    assert found.score(0) == found.log_probability
    assert found.score(1) == found.log_probability / 4
    assert found.score(2) == found.log_probability / 16
    assert Hypothesis([], -2.0).score(1) == -2.0


SIZES = [1, 10, 31, 32, 33, 63, 64, 65, 127, 128, 200, 500]


@given(
    rows=st.integers(1, 6),
    columns=st.sampled_from(SIZES),
    number=st.integers(1, 24),
    kind=st.sampled_from(["all differ", "ties", "few are possible"]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=300)
def test_the_best_are_those_that_sorting_finds(
    rows: int, columns: int, number: int, kind: str, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    array = chance.normal(size=(rows, columns)).astype(np.float32)
    if kind == "ties":
        array = np.round(array)
    if kind == "few are possible":
        array[chance.random(array.shape) < 0.97] = -np.inf
    added = np.round(chance.normal(size=rows)).astype(np.float32)
    found, places, tokens = _best(array.copy(), added, number)
    array += added[:, np.newaxis]
    assert found.tolist() == np.sort(array, axis=None)[::-1][:number].tolist()
    assert array[places, tokens].tolist() == found.tolist()
    assert len(set(zip(places, tokens, strict=True))) == min(number, array.size)


@pytest.mark.parametrize("columns", [31, 64, 65, 200])
def test_the_best_are_found_wherever_they_are(columns: int) -> None:
    for row, column in np.ndindex(3, columns):
        array = np.zeros((3, columns), np.float32)
        array[row, column] = 1
        values, places, tokens = _best(array, np.zeros(3, np.float32), 1)
        assert (values.tolist(), places, tokens) == ([1], [row], [column])


def drawn(
    speaker: Speaker, rules: Rules, most: int, number: int, temperature: float
) -> list[Hypothesis]:
    chance = np.random.default_rng(7)
    return by_drawing(speaker.first, speaker.step, rules, most, number, temperature, chance)


@pytest.mark.parametrize("number", [1, 2, 7])
@pytest.mark.parametrize("seed", range(5))
def test_as_many_texts_are_drawn_as_asked_for(seed: int, number: int) -> None:
    found = drawn(Speaker(seed, LARGE, end=2.0), TIMED, 10, number, 1.0)
    assert len(found) == number
    assert all(0 < len(one.tokens) <= 10 and END not in one.tokens for one in found)
    assert len({tuple(one.tokens) for one in found}) > number // 3


@pytest.mark.parametrize(("rules", "vocabulary"), [(WORDS, SMALL), (TIMED, LARGE)])
@pytest.mark.parametrize("seed", range(5))
def test_next_to_no_temperature_draws_the_likeliest_token(
    rules: Rules, vocabulary: int, seed: int
) -> None:
    speaker = Speaker(seed, vocabulary)
    text: list[int] = []
    while len(text) < 8:
        token = int(speaker.log_probabilities(text, rules).argmax())
        if token == END:
            break
        text.append(token)
    found = drawn(speaker, rules, 8, 3, 1e-5)
    assert [list(one.tokens) for one in found] == [text] * 3


@pytest.mark.parametrize("temperature", [0.4, 1.0])
def test_tokens_are_drawn_as_often_as_the_tempered_logits_say(temperature: float) -> None:
    speaker, number = Speaker(8, SMALL), 20_000
    first = speaker.first
    logits = first[0, : END + 1].astype(np.float64)
    found = by_drawing(first, speaker.step, WORDS, 1, number, temperature, np.random.default_rng(3))
    counted = Counter(one.tokens[0] if one.tokens else END for one in found)
    odds = np.exp(logits / temperature)
    odds /= odds.sum()
    for token, probability in enumerate(odds):
        spread = float(np.sqrt(number * probability * (1 - probability)))
        assert abs(counted[token] - number * probability) <= 5 * spread
    untempered = logits - np.logaddexp.reduce(logits)
    for one in found[:50]:
        token = one.tokens[0] if one.tokens else END
        assert one.log_probability == pytest.approx(untempered[token], abs=1e-5)
    assert first.tolist() == speaker.first.tolist()
