"""The voices: thirteen of the API, each a manner of espeak's own, and espeak's."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from soundalike.engines.base import Voice
from soundalike.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Profile:
    """What makes a voice itself, in every language.

    `english` is the espeak voice and variant for English text, `variant` the one that other
    languages are spoken with. `rate` is in words a minute; `pitch` and `range` go from 0 to 100,
    50 being the variant's own. `tract` scales all frequencies as the length of the vocal tract
    does: above 1 a smaller speaker. `language` is the espeak voice for every text, of a voice that
    has only one.
    """

    description: str
    english: str
    variant: str
    rate: int = 160
    pitch: int = 50
    range: int = 50
    tract: float = 1.0
    language: str | None = None


# Chosen by measuring word error rate through Whisper base, median pitch, spectral centroid and
# loudness. For English all are variants without flutter: espeak's runs on from one utterance to the
# next, so that with it no text sounds the same twice to the sample. Of those, Klatt's synthesizer
# (adam, benjamin, david, edward2, mike2) is the clearest in English, but weak in the sibilants of
# other languages; there Michael, m7 and m3 are clearest, which have flutter.
BUILT_IN: Mapping[str, Profile] = {
    "alloy": Profile(
        "neutral, clear, American", "en-us+edward2", "Michael", rate=150, pitch=67, tract=1.04
    ),
    "ash": Profile("male, plain, American", "en-us+Diogo", "Diogo", rate=168, pitch=45),
    "ballad": Profile(
        "male, slow and melodious, British",
        "en-gb-x-rp+Henrique",
        "Henrique",
        rate=145,
        pitch=45,
        range=85,
        tract=0.96,
    ),
    "coral": Profile("female, warm, American", "en-us+shelby", "shelby", rate=155),
    "echo": Profile("male, resonant, American", "en-us+mike2", "m7", rate=155),
    "fable": Profile("male, story-telling, British", "en+adam", "m3", rate=150, pitch=55, range=75),
    "nova": Profile(
        "female, bright, American", "en-us+edward2", "Denis", rate=172, pitch=95, tract=1.22
    ),
    "onyx": Profile(
        "male, very deep, American", "en-us+david", "Storm", rate=145, pitch=40, tract=0.92
    ),
    "sage": Profile(
        "female, calm, American",
        "en-us+benjamin",
        "Diogo",
        rate=148,
        pitch=86,
        range=35,
        tract=1.14,
    ),
    "shimmer": Profile(
        "female, high and light, American", "en-us+benjamin", "Storm", pitch=99, tract=1.32
    ),
    "verse": Profile(
        "male, expressive, American",
        "en-us+Denis",
        "Denis",
        rate=168,
        pitch=62,
        range=90,
        tract=1.03,
    ),
    "marin": Profile(
        "female, even, American", "en-us+Denis", "Denis", rate=158, pitch=88, tract=1.15
    ),
    "cedar": Profile(
        "male, low and soft, American", "en-us+Hugo", "Hugo", rate=155, pitch=22, tract=0.94
    ),
}

_VOLUMES = {
    "adam": 80, "benjamin": 87, "mike2": 60, "shelby": 85,
    "Denis": 120, "Diogo": 120, "Henrique": 120, "Hugo": 200, "Storm": 55,
    "Michael": 60, "m3": 78, "m7": 70,
}  # fmt: skip

_ESPEAK_VOICE = re.compile(r"(?P<tag>[\w-]+)(?:\+(?P<variant>[\w ]+))?")


def volume(variant: str) -> int:
    """The volume in per cent at which a variant is as loud as the others."""
    return _VOLUMES.get(variant, 100)


def listed(espeak_voices: Mapping[str, str]) -> Iterator[Voice]:
    """The thirteen, then espeak's by their tags.

    Args:
        espeak_voices: names by tag.
    """
    for voice, profile in BUILT_IN.items():
        yield Voice(voice, profile.description)
    for tag, name in sorted(espeak_voices.items()):
        yield Voice(tag, f"{name.strip()}, as espeak-ng speaks it")


def find(voice: str, espeak_voices: Mapping[str, str], variants: Mapping[str, str]) -> Profile:
    """The profile of a voice: one of the thirteen, or espeak's, such as "de" or "en-us+f3".

    Args:
        espeak_voices: names by tag.
        variants: names by their lower case.

    Raises:
        InvalidRequestError: there is no such voice.
    """
    if profile := BUILT_IN.get(voice):
        return profile
    match = _ESPEAK_VOICE.fullmatch(voice)
    if match and (tag := match["tag"].lower()) in espeak_voices:
        variant = variants.get((match["variant"] or "").lower(), "")
        if variant or not match["variant"]:
            english = f"{tag}+{variant}" if variant else tag
            return Profile(espeak_voices[tag], english, variant, language=tag)
    raise InvalidRequestError(
        f"There is no voice {voice!r}. The voices are {', '.join(BUILT_IN)}, and those of"
        " espeak-ng by their tags, such as 'en-gb-x-rp' or 'de+f3'.",
        param="voice",
    )
