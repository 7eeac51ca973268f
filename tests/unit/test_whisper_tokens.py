"""Whisper's byte-level tokens as text: characters split over tokens survive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundalike.engines.whisper.tokens import ScoredToken, Vocabulary, spelled
from soundalike.transcript import TokenLogprob

END_OF_TEXT = 500
SPELLINGS = {
    1: "ĠHello",  # a leading space
    2: "ä½",  # the first two bytes of 你
    3: "ł",  # its third
    4: "å¥½",  # 好, whole
    5: "ðŁ",  # the first two bytes of an emoji
    6: "ĺĢ",  # the rest of U+1F600
    7: "!",
    501: "<|0.00|>",
}


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(SPELLINGS.get, END_OF_TEXT)


def scored(*tokens: int) -> list[int]:
    return [ScoredToken(token, -token / 10) for token in tokens]


def test_raw_bytes_of_a_token(vocabulary: Vocabulary) -> None:
    assert vocabulary.raw(1) == b" Hello"
    assert vocabulary.raw(2) + vocabulary.raw(3) == "你".encode()
    assert vocabulary.raw(5) + vocabulary.raw(6) == "😀".encode()


def test_every_byte_has_its_character() -> None:
    printable = [chr(b) for b in range(256) if chr(b).isprintable() and chr(b) not in " \xa0\xad"]
    others = [chr(0x100 + place) for place in range(256 - len(printable))]
    vocabulary = Vocabulary(dict(enumerate(printable + others)).get, 256)
    assert sorted(vocabulary.raw(token) for token in range(256)) == [bytes([b]) for b in range(256)]


def test_a_delta_for_each_token(vocabulary: Vocabulary) -> None:
    assert [delta.text for delta in vocabulary.deltas([501, 1, 4, 7, 501])] == [" Hello", "好", "!"]


def test_an_incomplete_character_is_held_back_until_it_is_whole(vocabulary: Vocabulary) -> None:
    assert [delta.text for delta in vocabulary.deltas([2, 3, 4, 5, 6])] == ["你", "好", "😀"]


def test_a_character_that_is_never_completed_is_not_lost(vocabulary: Vocabulary) -> None:
    assert [delta.text for delta in vocabulary.deltas([1, 2])] == [" Hello", "\ufffd"]
    assert [delta.text for delta in vocabulary.deltas([2, 7])] == ["\ufffd!"]


def test_log_probabilities_have_the_bytes_of_each_token(vocabulary: Vocabulary) -> None:
    assert vocabulary.logprobs(scored(501, 1, 2, 3)) == (
        TokenLogprob(" Hello", -0.1, tuple(b" Hello")),
        TokenLogprob("bytes:\\xe4\\xbd", -0.2, (0xE4, 0xBD)),
        TokenLogprob("bytes:\\xa0", -0.3, (0xA0,)),
    )


def test_deltas_carry_the_log_probabilities_of_the_tokens_that_they_hold(
    vocabulary: Vocabulary,
) -> None:
    tokens = scored(1, 2, 3, 5)
    deltas = list(vocabulary.deltas(tokens))
    assert [len(delta.logprobs) for delta in deltas] == [1, 2, 1]
    assert sum((delta.logprobs for delta in deltas), ()) == vocabulary.logprobs(tokens)


def test_tokens_without_scores_have_no_log_probabilities(vocabulary: Vocabulary) -> None:
    assert vocabulary.logprobs([1, 4]) == ()
    assert all(delta.logprobs == () for delta in vocabulary.deltas([1, 4]))


@pytest.mark.parametrize(
    ("raw", "token"),
    [
        (b" the", " the"),
        ("é".encode(), "é"),
        (b"\xf0\x9f", "bytes:\\xf0\\x9f"),
        (b" \xe4\xbd", "bytes: \\xe4\\xbd"),
    ],
)
def test_spelling_of_a_token(raw: bytes, token: str) -> None:
    assert spelled(raw) == token


@given(st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 501])))
def test_deltas_put_together_are_the_text(tokens: list[int]) -> None:
    vocabulary = Vocabulary(SPELLINGS.get, END_OF_TEXT)
    text = b"".join(vocabulary.raw(token) for token in tokens if token < END_OF_TEXT)
    assert "".join(delta.text for delta in vocabulary.deltas(tokens)) == text.decode(
        errors="replace"
    )
    assert all(delta.text for delta in vocabulary.deltas(tokens))
