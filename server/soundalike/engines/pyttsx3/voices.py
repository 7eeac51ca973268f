"""The voices: thirteen of the API, each a manner of espeak's own, and espeak's."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from soundalike.engines.base import Voice
from soundalike.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Profile:
    """What makes a voice itself, in every language.

    `variant` is one of espeak's, `english` the voice (its accent) for English text, `rate` in words
    a minute. `pitch` and `range` go from 0 to 100, 50 being the variant's own. `tract` scales all
    frequencies as the length of the vocal tract does: above 1 a smaller speaker. `volume` is in per
    cent. `language` is espeak's voice for any text, of a voice that speaks only one.
    """

    description: str
    variant: str = ""
    english: str = "en-us"
    rate: int = 160
    pitch: int = 50
    range: int = 50
    tract: float = 1.0
    volume: int = 100
    language: str | None = None


# Only variants without flutter: espeak's runs on from one utterance to the next, so that no text
# would sound the same twice. The values were chosen by measuring: word error rate through Whisper
# base, median pitch, spectral centroid, loudness.
BUILT_IN: Mapping[str, Profile] = {
    "alloy": Profile("neutral, clear, American", "edward2", pitch=68, tract=1.08),
    "ash": Profile("male, plain, American", "Diogo", rate=168, pitch=48, volume=120),
    "ballad": Profile(
        "male, slow and melodious, British",
        "Henrique",
        english="en-gb-x-rp",
        rate=145,
        pitch=42,
        range=85,
        volume=120,
    ),
    "coral": Profile("female, warm, American", "shelby", rate=155, volume=85),
    "echo": Profile("male, resonant, American", "mike2", rate=155, volume=60),
    "fable": Profile(
        "male, story-telling, British", "adam", "en", rate=150, pitch=55, range=75, volume=80
    ),
    "nova": Profile("female, bright, American", "edward2", rate=172, pitch=95, tract=1.22),
    "onyx": Profile("male, very deep, American", "david", rate=145, pitch=40, tract=0.92),
    "sage": Profile(
        "female, calm, American",
        "benjamin",
        rate=148,
        pitch=80,
        range=35,
        tract=1.14,
        volume=90,
    ),
    "shimmer": Profile(
        "female, high and light, American", "benjamin", pitch=99, tract=1.32, volume=85
    ),
    "verse": Profile(
        "male, expressive, American", "Denis", rate=165, pitch=64, range=90, volume=120
    ),
    "marin": Profile("female, even, American", "Denis", pitch=88, tract=1.12, volume=120),
    "cedar": Profile(
        "male, low and soft, American", "Hugo", rate=155, pitch=30, tract=0.94, volume=170
    ),
}

_ESPEAK_VOICE = re.compile(r"(?P<tag>[\w-]+)(?:\+(?P<variant>[\w ]+))?")


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
            return Profile(espeak_voices[tag], variant, language=tag)
    raise InvalidRequestError(
        f"There is no voice {voice!r}. The voices are {', '.join(BUILT_IN)}, and those of"
        " espeak-ng by their tags, such as 'en-gb-x-rp' or 'de+f3'.",
        param="voice",
    )
