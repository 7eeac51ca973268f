"""What is left of a text when a person reads it out."""

import pytest

from soundalike.engines.pyttsx3.spoken_text import has_words, speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("This is **very** _important_.", "This is very important."),
        ("# Title\n\nText", "Title\n\nText"),
        ("See [the docs](https://example.com/x).", "See the docs."),
        ("<b>Bold</b> and <i>italic</i>", "Bold and italic"),
        ("<speak>Hello <break/> there</speak>", "Hello  there"),
        ("a\x00b\x07c", "abc"),
        ("Go to https://www.example.com/a?b=c.", "Go to example.com/a."),
        ("It costs $5.20", "It costs 5.20 $"),
        ("𝓗𝓮𝓵𝓵𝓸", "Hello"),
        ("Stop!!!!!!!!!!", "Stop!!!"),
        ("5 < 6", "5 < 6"),
        ("one \n \n\n two\n three   four", "one\n\ntwo\nthree   four"),
        ("before\n\n<![CDATA[ a > b ]]>\n\nafter", "before\n\nafter"),
        ("2*3", "2 * 3"),
    ],
)
def test_markup_goes_and_words_stay(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@pytest.mark.parametrize(
    "text", ["<![x", "<![CD]]>", "<![CDATA[", "<!", "<!--", "<!DOCTYPE", "<?", "</"]
)
def test_broken_markup_is_no_error(text: str) -> None:
    assert speakable(f"Hello.\n\n{text * 50}").startswith("Hello.")


@pytest.mark.parametrize("text", ["...", "  ", "!?", "—", ""])
def test_punctuation_alone_has_no_words(text: str) -> None:
    assert not has_words(text)


@pytest.mark.parametrize("text", ["a", "7", "😀", "字", "%", "ß."])
def test_letters_digits_and_emoji_are_words(text: str) -> None:
    assert has_words(text)
