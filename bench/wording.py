"""How many words were heard wrong. Pure."""

import re
from collections.abc import Sequence

import jiwer

SPELLINGS = {"mr": "mister", "mrs": "missus", "ok": "okay"}
"""Ways to write one spoken word, which are not errors."""


def words(text: str) -> list[str]:
    """The spoken words: no case, punctuation, hyphens, or abbreviations of titles."""
    plain = re.sub(r"[^\w\s']", " ", text.lower().replace("’", "'"))  # noqa: RUF001
    return [SPELLINGS.get(word, word) for word in plain.split()]


def error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Words left out, put in and mistaken in all texts together, to the words said.

    Raises:
        ValueError: one of the texts said holds no word.
    """
    references = [" ".join(words(text)) for text in said]
    return float(jiwer.wer(references, [" ".join(words(text)) for text in heard]))
