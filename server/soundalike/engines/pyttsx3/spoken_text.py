"""Turns a written text into one that espeak reads as a person would.

espeak has names for emoji, numbers and most symbols in many languages, and they are left to it.
What it would read literally ("less than b greater than", "asterisk asterisk") or not at all is
taken out here: markup, control characters, styled letters, the parts of a URL that nobody says.
"""

import re
import unicodedata
from html.parser import HTMLParser

from markdown_it import MarkdownIt

# Not read as Markdown: indentation, which plain text has for other reasons, and definitions of
# link targets, which would make a script's "[Anna]: Yes" disappear.
_MARKDOWN = (
    MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable(["code", "reference"])
)
_LINES = frozenset(
    (
        *("blockquote", "br", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
        *("li", "ol", "p", "pre", "section", "table", "tr", "ul"),
    )
)

_TIMES = re.compile(r"(?<=\d)\*+(?=\d)")
_SPACES = re.compile(r"\s+")
_URL = re.compile(r"\b(?:https?|ftp)://(?:www\.)?([^\s?#<>\"]+)([?#][^\s<>\"]*)?", re.IGNORECASE)
_MONEY = re.compile(r"([$€£¥₹₽₩₺])\s?(\d+(?:[.,]\d+)*)")
_STYLED = re.compile("[\U0001d400-\U0001d7ff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]+")
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
_REPEATED = re.compile(r"([^\w\s])\1{3,}")
_ABBREVIATION = re.compile(r"(?<=\w)\.(?=[^\S\n]+[^\W_])")

_SAID_MARKS = frozenset("%&@#*/\\")
_JOINERS = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}


def speakable(text: str) -> str:
    """The words of a text as plain text that espeak can read.

    Markdown, HTML and SSML tags and control characters go; the words between them stay, and so
    do line breaks, which are pauses. The result may be empty.
    """
    text = _printable(unicodedata.normalize("NFC", text))
    text = _STYLED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _without_markup(text)
    text = _URL.sub(_spoken_url, text)
    text = _MONEY.sub(r"\2 \1", text)
    text = _SKIN_TONES.sub("", text)
    return _REPEATED.sub(r"\1\1\1", text)


def without_inner_stops(utterance: str) -> str:
    """An utterance without the full stops of its abbreviations, where espeak would pause."""
    return _ABBREVIATION.sub("", utterance)


def has_words(text: str) -> bool:
    """Whether anything of a text is said, rather than being punctuation and space only."""
    return any(
        unicodedata.category(character)[0] in "LNS" or character in _SAID_MARKS
        for character in text
    )


def _printable(text: str) -> str:
    """The text without control, format, surrogate, private and unassigned characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    text = text.replace("\N{LINE SEPARATOR}", "\n").replace("\N{PARAGRAPH SEPARATOR}", "\n\n")
    silent = {
        ord(character): None
        for character in set(text)
        if unicodedata.category(character).startswith("C")
        and character != "\n"
        and character not in _JOINERS
    }
    return text.translate(silent)


def _spoken_url(url: re.Match[str]) -> str:
    address = url[1].rstrip("/")
    sentence_end = (url[2] or url[1])[-1]
    return address + sentence_end if sentence_end in ".!?," and url[2] else address


def _without_markup(text: str) -> str:
    words = _Words()
    words.feed(_MARKDOWN.render(_TIMES.sub(" * ", text)))
    words.close()
    return _SPACES.sub(_one_blank_line, "".join(words.parts)).strip()


def _one_blank_line(space: re.Match[str]) -> str:
    return "\n\n" if space[0].count("\n") > 1 else space[0]


class _Words(HTMLParser):
    """Collects what is left of HTML when it is read out."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._numbers: list[int | None] = []  # of the next item of each open list
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in _LINES:
            self.parts.append("\n")
        if tag in ("ol", "ul"):
            start = attributes.get("start") or "1"
            self._numbers.append(int(start) if tag == "ol" and start.isdecimal() else None)
        elif tag == "li" and self._numbers and (number := self._numbers[-1]) is not None:
            self.parts.append(f"{number}. ")
            self._numbers[-1] = number + 1
        elif tag == "img":
            self.parts.append(attributes.get("alt") or "")
        elif tag in ("script", "style"):
            self._silent = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ol", "ul") and self._numbers:
            self._numbers.pop()
        if tag in ("td", "th"):
            self.parts.append(", ")
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag in ("script", "style"):
            self._silent = False

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: FBT001, FBT002
        # The standard one fails on a section ("<![...]]>") that it does not know.
        del report
        end = self.rawdata.find("]]>", i)
        return end if end < 0 else end + len("]]>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(" " if data.isspace() else data)
