"""Which language a text is written in, and which of espeak's voices speaks it.

A script that belongs to one language decides by itself. Among the languages of a shared script a
statistical classifier decides (py3langid: byte n-grams, naive Bayes), but only if it prefers a
language to the script's most usual one by a margin: names and single words look foreign to it
(measured: below 8 for most of them, above 10 for nearly every whole sentence), and English read as
English is the lesser harm.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import groupby
from threading import Lock, Thread

# Languages met so seldom that a text must be plainly theirs.
_SELDOM = (
    *("af", "an", "az", "bs", "eo", "fo", "gd", "ht", "ku", "la", "lb", "ltg", "mi", "ms", "mt"),
    *("om", "qu", "sw", "tk", "tn", "uz"),
)
# The languages of each script, the most usual first. "CJK" is how Unicode names Han characters.
_LANGUAGES = {
    "ARABIC": ("ar", "fa", "ur", "ug", "sd"),
    "ARMENIAN": ("hy", "hyw"),
    "BENGALI": ("bn", "as", "bpy"),
    "CHEROKEE": ("chr",),
    "CJK": ("zh", "yue", "hak"),
    "CYRILLIC": ("ru", "uk", "be", "bg", "mk", "sr", "kk", "ky", "tt", "ba", "cv", "nog"),
    "DEVANAGARI": ("hi", "mr", "ne", "kok"),
    "ETHIOPIC": ("am", "ti"),
    "GEORGIAN": ("ka",),
    "GREEK": ("el", "grc"),
    "GUJARATI": ("gu",),
    "GURMUKHI": ("pa",),
    "HANGUL": ("ko",),
    "HEBREW": ("he",),
    "HIRAGANA": ("ja",),
    "KANNADA": ("kn",),
    "KATAKANA": ("ja",),
    "LATIN": (
        *("en", "fr", "de", "es", "it", "pt", "nl", "pl", "tr", "sv", "da", "no", "fi", "cs", "sk"),
        *("hu", "ro", "hr", "sl", "et", "lv", "lt", "is", "sq", "ca", "eu", "ga", "cy", "vi", "id"),
        *_SELDOM,
    ),
    "MALAYALAM": ("ml",),
    "MYANMAR": ("my", "shn"),
    "ORIYA": ("or",),
    "SINHALA": ("si",),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "THAI": ("th",),
}

# By how much log-likelihood a language must exceed its script's most usual one.
_MARGIN = 5.0
_MARGIN_OVER_ENGLISH = 8.9
_MARGIN_OF_SELDOM = 25.0

_MEMBERS = {"nn": "no", "nb": "no", "wuu": "zh", "cmn": "zh"}
_REGIONS = {"en-gb": "en", "pt-pt": "pt"}
_ESPEAK_NAMES = {"zh": "cmn", "no": "nb", "nn": "nb", "pt": "pt-br", "en": "en-us"}
_NOISE = re.compile(r"\S+@\S+|\w+://\S+|www\.\S+|\d+")
_ENOUGH = 2000
_FEWEST_LETTERS = 6
_REPEATED = re.compile(r"(.{1,24}?)\1{2,}")

_classifying = Lock()


def load_classifier() -> None:
    """Begin to read the classifier's model, which takes most of a second. Returns at once; a text
    that needs the model before it is read waits for it."""
    Thread(target=_rank, args=("",), name="language classifier", daemon=True).start()


def _rank(text: str) -> list[tuple[str, float]]:
    """The languages with their log-likelihoods, the likeliest first."""
    with _classifying:  # py3langid would read its model twice for two texts at once
        import py3langid

        return [(label, float(score)) for label, score in py3langid.rank(text)]


def languages(espeak_voices: Collection[str]) -> tuple[str, ...]:
    """The codes of what espeak's voices speak: ISO 639-1, or 639-3 where there is none."""
    spoken = {voice.partition("-")[0] for voice in espeak_voices} - {"cmn"}
    spoken |= {code for code, name in _ESPEAK_NAMES.items() if name in espeak_voices}
    return tuple(sorted(spoken))


def espeak_voice(code: str, espeak_voices: Collection[str]) -> str | None:
    """The espeak voice for a language code ("de", "pt", "en-GB"), or None if it has none.

    Portuguese is Brazil's and English America's unless the code says otherwise: the variety
    with the most speakers.
    """
    tag = code.strip().lower().replace("_", "-")
    primary = tag.partition("-")[0]
    tag = _REGIONS.get(tag) or _ESPEAK_NAMES.get(tag, tag)
    candidates = (tag, _ESPEAK_NAMES.get(primary, primary))
    return next((name for name in candidates if name in espeak_voices), None)


@lru_cache(maxsize=64)
def identify(text: str) -> str:
    """The code of the language that a text is most likely in; "en" where nothing tells."""
    scripts: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if found := script(character):
            scripts[found] += count
    if (scripts["HIRAGANA"] + scripts["KATAKANA"]) * 8 > scripts["CJK"]:
        scripts["HIRAGANA"] += scripts.pop("CJK", 0)  # every Japanese sentence has kana
    if not scripts.total():
        return "en"
    main = scripts.most_common(1)[0][0]
    candidates = _LANGUAGES[main]
    if len(candidates) == 1:
        return candidates[0]
    foreign = {ord(char): " " for char in set(text) if script(char) not in (None, main)}
    return _most_likely(text.translate(foreign), candidates)


def _most_likely(text: str, candidates: tuple[str, ...]) -> str:
    # Repetitions are taken out, or each "la" of a song would be one more proof of its language.
    words = _REPEATED.sub(r"\1", _NOISE.sub(" ", text[:_ENOUGH]))
    usual = candidates[0]
    if usual == "en" and words.isascii() and sum(map(str.isalpha, words)) < _FEWEST_LETTERS:
        return usual
    scores: dict[str, float] = {}
    for label, score in _rank(words.lower() if words.isupper() else words):
        scores.setdefault(_MEMBERS.get(label, label), score)
    likely = [
        code
        for code in candidates[1:]
        if code in scores and scores[code] - scores[usual] >= _margin(code, usual)
    ]
    return max(likely, key=scores.__getitem__, default=usual)


def _margin(code: str, usual: str) -> float:
    if usual != "en":
        return _MARGIN
    return _MARGIN_OF_SELDOM if code in _SELDOM else _MARGIN_OVER_ENGLISH


@lru_cache(maxsize=4096)
def script(character: str) -> str | None:
    """The script of a letter in Unicode's words ("LATIN", "CJK"), None of anything else."""
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "").removeprefix("HALFWIDTH ").removeprefix("FULLWIDTH ")
    name = name.partition(" ")[0]
    return name if name in _LANGUAGES else None


def of_utterance(text: str, language: str) -> str:
    """The language of an utterance, where `language` is that of the whole text: its own, if it
    has no letter of a script that only the whole text's language is written in."""
    own = _scripts_of(language)
    if own and not any(script(character) in own for character in text):
        return identify(text)
    return language


def runs(text: str, language: str) -> Iterator[tuple[str, str]]:
    """Parts a text where it leaves the scripts of its language: (part, language of the part).

    espeak spells the letters of a foreign script one by one ("Chinese letter, Chinese letter").
    Latin words it reads in nearly all its languages, so they stay with the words around them.
    """
    own = _scripts_of(language)
    foreign = False
    marks: list[bool] = []
    for position, character in enumerate(text):
        if found := script(character):
            foreign = found not in own and found != "LATIN" and not _is_symbol(text, position)
        marks.append(foreign)
    position = 0
    for is_foreign, group in groupby(marks):
        start, position = position, position + len(list(group))
        part = text[start:position]
        yield part, identify(part) if is_foreign else language


def _scripts_of(language: str) -> frozenset[str]:
    """The scripts besides Latin that a language is written in."""
    primary = language.partition("-")[0]
    primary = _MEMBERS.get(primary, primary)
    written = {name for name, spoken in _LANGUAGES.items() if primary in spoken}
    return frozenset(written | ({"CJK"} if primary == "ja" else set())) - {"LATIN"}


def _is_symbol(text: str, position: int) -> bool:
    """Whether a letter is a lone Greek or Cyrillic one, as in formulas."""
    found = script(text[position])
    around = text[max(0, position - 1) : position] + text[position + 1 : position + 2]
    return found in {"GREEK", "CYRILLIC"} and not any(script(near) == found for near in around)
