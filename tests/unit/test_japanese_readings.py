"""Japanese where the dictionary of readings is not installed."""

import pytest

from soundalike.engines.pyttsx3 import japanese
from soundalike.errors import InvalidRequestError


@pytest.fixture(autouse=True)
def without_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(japanese, "_tokenizer", lambda: None)


def test_kanji_need_a_dictionary() -> None:
    with pytest.raises(InvalidRequestError, match="dictionary") as refusal:
        japanese.in_kana("日本語です")
    assert refusal.value.param == "input"


def test_kana_need_no_dictionary() -> None:
    assert japanese.in_kana("こんにちは、カナ") == "こんにちは、カナ"
