"""Cuts a text into utterances: what an engine speaks in one go.

Speech leaves the server utterance by utterance, so a cut decides how soon the first sound is
heard and where a pause falls. A cut too few costs nothing but time; a cut too many is an audible
pause in the middle of a sentence. In doubt there is none.
"""
# The marks of many scripts are the subject here, and some look alike.
# ruff: noqa: RUF001

import re
import unicodedata
from collections.abc import Iterator

LIMIT = 240
"""Code points of the longest utterance; about 15 seconds of speech in a European language."""

_OPENERS = "\"'“‘„«‹([{「『（¿¡*_#"
_CLOSERS = "\"'”’»›)\\]}」』）】"

# Either a mark that ends a sentence only before a space, or one that needs no space after it
# (Chinese, Japanese, Arabic, Urdu, Devanagari, Armenian, Ethiopic, Burmese, Khmer), or the end
# of a line. Possessive, so that long runs of one character take linear time.
_ENDING = re.compile(
    rf"(?<![.!?…])(?P<mark>[.!?…]++)(?P<closers>[{_CLOSERS}]*+)(?=\s|$)\s*+"
    rf"|[。！？｡؟۔।॥։።፧။។‼⁇⁈⁉]++[{_CLOSERS}]*+\s*+"
    r"|(?P<line>\n)\s*+"
)
_CLAUSE = re.compile(rf"[,;:—–،؛]++[{_CLOSERS}]*+\s++|[、，；：]++[{_CLOSERS}]*+\s*+")
_SPACE = re.compile(r"\s++")

_BEFORE_NAMES = re.compile(
    "dr|mrs?|ms|prof|st|rev|hon|gen|col|capt|cmdr|lt|maj|sgt|sen|gov|rep|pres|messrs|fr|hr|mt|ft"
    "|mlle|mmes?|dra|sra|srta|sig|dott|ing|avv|mevr|dhr|vs|cf|vgl|bzw",
    re.IGNORECASE,
)
_BEFORE_NUMBERS = re.compile(
    "nos?|nr|figs?|vols?|ch|chap|sec|art|pp?|pg|approx|ca|tel|ext|eq|op|ver"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)


def split(text: str, limit: int = LIMIT) -> Iterator[str]:
    """The utterances of a text, in order, as they are found.

    Nothing is lost: the utterances joined are the text. White space belongs to the utterance
    before it. An utterance is a sentence; one that is longer than `limit` is cut behind a comma
    or the like, else behind a space, else between two characters.

    Args:
        limit: the code points of an utterance at most; 1 or more.
    """
    for sentence in _sentences(text):
        start = 0
        while len(sentence) - start > limit:
            end = _last_cut(sentence, start, start + limit)
            yield sentence[start:end]
            start = end
        yield sentence[start:]


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for ending in _ENDING.finditer(text):
        if ending.end() < len(text) and _ends_sentence(text, start, ending):
            yield text[start : ending.end()]
            start = ending.end()
    if start < len(text):
        yield text[start:]


def _ends_sentence(text: str, start: int, ending: re.Match[str]) -> bool:
    following = text[ending.end()]
    paragraph = ending[0].count("\n") > 1
    if ending["line"]:
        # Prose that was wrapped goes on in lower case; an item of a list or a verse does not.
        blank = ending.start() == start or text[start : ending.start()].isspace()
        return not blank and (paragraph or not following.islower())
    if not ending["mark"] or paragraph:
        return True
    if ending["mark"] == ".":
        word = (text[max(start, ending.start() - 32) : ending.start()].split() or [""])[-1]
        return not _is_abbreviation(word.lstrip(_OPENERS), following)
    # "Stop!" she said; well... perhaps.
    in_sentence = ending["closers"] or ending["mark"].strip(".…") == ""
    return not (in_sentence and following.islower())


def _is_abbreviation(word: str, following: str) -> bool:
    """Whether the full stop behind a word is its own and not the sentence's."""
    if word.isdigit() and len(word) <= 2:
        return True  # an ordinal, or the number of a list's item
    parts = word.split(".")
    if all(len(part) == 1 and part.isalpha() for part in parts):
        return len(parts) > 1 or word.isupper()  # e.g., U.S., J. Smith
    return (
        _BEFORE_NAMES.fullmatch(word) is not None
        or (following.isdigit() and _BEFORE_NUMBERS.fullmatch(word) is not None)
        or (following.islower() and len(word) <= 4)
    )


def _last_cut(text: str, start: int, end: int) -> int:
    """The best place to cut in `text[start:end]`: a position after `start`, `end` at most."""
    clauses = [match.end() for match in _CLAUSE.finditer(text, start, end)]
    if clauses and clauses[-1] - start >= (end - start) // 3:
        return clauses[-1]
    spaces = [match.end() for match in _SPACE.finditer(text, start, end)]
    if spaces:
        return spaces[-1]
    for position in range(end, start, -1):
        if not _continues_character(text, position):
            return position
    return end


def _continues_character(text: str, position: int) -> bool:
    """Whether a cut at `position` would part what is seen as one character."""
    before, after = text[position - 1], text[position]
    return (
        unicodedata.category(after) in {"Mn", "Mc", "Me"}
        or "\N{ZERO WIDTH JOINER}" in (before, after)
        or "\N{EMOJI MODIFIER FITZPATRICK TYPE-1-2}"
        <= after
        <= "\N{EMOJI MODIFIER FITZPATRICK TYPE-6}"
        or "\udc00" <= after <= "\udfff"
    )
