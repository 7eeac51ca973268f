"""Utterances: nothing is lost, sentences stay whole, none is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundalike.engines.utterances import LIMIT, split


@given(st.text(max_size=600), st.integers(min_value=1, max_value=300))
def test_the_utterances_joined_are_the_text_and_none_is_too_long(text: str, limit: int) -> None:
    utterances = list(split(text, limit))
    assert "".join(utterances) == text
    assert all(0 < len(utterance) <= limit for utterance in utterances)


@pytest.mark.parametrize(
    ("text", "utterances"),
    [
        ("One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]),
        ("Dr. Smith paid 3.14 dollars. Then he left.", None),
        ("It was J. R. Tolkien, e.g. in the U.S. Army. Yes.", None),
        ("你好。你叫什么名字？", ["你好。", "你叫什么名字？"]),
        ("مرحبا؟ نعم.", ["مرحبا؟ ", "نعم."]),
        ("नमस्ते। कैसे हैं?", ["नमस्ते। ", "कैसे हैं?"]),
        ("A title\n\nA paragraph.", ["A title\n\n", "A paragraph."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str, utterances: list[str] | None) -> None:
    found = list(split(text))
    if utterances is None:  # two sentences, whatever the full stops within
        assert len(found) == 2
    else:
        assert found == utterances


@pytest.mark.parametrize("text", ["word " * 820, "x" * 4096, "字" * 4096, "word, " * 683])
def test_a_text_without_a_full_stop_is_cut_all_the_same(text: str) -> None:
    utterances = list(split(text[:4096]))
    assert len(utterances) >= 4096 // LIMIT
    if " " in text:
        assert all(utterance.endswith(" ") for utterance in utterances[:-1])


def test_characters_of_several_code_points_stay_whole() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for utterance in split(family * 40, 12):
        assert utterance.count("\U0001f468") == utterance.count("\U0001f467")
