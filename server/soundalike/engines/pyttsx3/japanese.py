"""Readings for Japanese: espeak knows kana only."""

import importlib
import re
from functools import cache
from typing import Any

from soundalike.errors import InvalidRequestError

_KANJI = re.compile(r"[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_PARTICLES = {"は": "ワ", "へ": "エ", "を": "オ"}


def in_kana(text: str) -> str:
    """Japanese text with its kanji, and the particles written unlike their sound, as kana.

    Raises:
        InvalidRequestError: the text has kanji, and the dictionary of readings (the extra
            `japanese`) is not installed.
    """
    if tokenizer := _tokenizer():
        return "".join(_reading(word) for word in tokenizer.tokenize(text))
    if not _KANJI.search(text):
        return text
    raise InvalidRequestError(
        "This text has kanji, whose readings need a dictionary. Install it with"
        " pip install 'soundalike[japanese]', or write the text in kana.",
        param="input",
    )


def _reading(word: Any) -> str:
    surface: str = word.surface()
    if word.part_of_speech()[0] == "助詞":
        return _PARTICLES.get(surface, surface)
    reading: str = word.reading_form()
    return reading if _KANJI.search(surface) and reading else surface


@cache
def _tokenizer() -> Any | None:
    try:
        sudachi = importlib.import_module("sudachipy")
        return sudachi.Dictionary(dict="small").tokenizer()
    except ImportError:
        return None
