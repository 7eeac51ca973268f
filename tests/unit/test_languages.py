"""Whisper's languages: codes, names, and the sets that the service accepts."""

import re

import pytest

from soundalike.languages import (
    SUPPORTED_LANGUAGES,
    WHISPER_LANGUAGES,
    WIDER_LANGUAGES,
    language_name,
)


def test_all_hundred_languages_of_whisper_are_there() -> None:
    assert len(WHISPER_LANGUAGES) == 100
    assert all(re.fullmatch(r"[a-z]{2,3}", code) for code in WHISPER_LANGUAGES)
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)?", name) for name in WHISPER_LANGUAGES.values())
    assert len(set(WHISPER_LANGUAGES.values())) == 100


def test_fifty_seven_languages_are_supported_and_six_more_by_gpt_transcribe() -> None:
    assert len(SUPPORTED_LANGUAGES) == 57
    assert len(WIDER_LANGUAGES) == 63
    assert SUPPORTED_LANGUAGES < WIDER_LANGUAGES < set(WHISPER_LANGUAGES)
    assert not {"bn", "pa", "yue"} & SUPPORTED_LANGUAGES


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("en", "english"),
        ("zh", "chinese"),
        ("cy", "welsh"),
        ("ht", "haitian creole"),
        ("yue", "cantonese"),
        ("no", "norwegian"),
        ("nn", "nynorsk"),
        (None, "english"),
        ("tlh", "tlh"),
    ],
)
def test_a_code_is_spelled_out(code: str | None, name: str) -> None:
    assert language_name(code) == name
