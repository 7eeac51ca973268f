"""What espeak can make of free instructions: pace, pitch, liveliness, and a whisper."""

import re
from dataclasses import dataclass, replace

_DEGREE = r"(?P<weak>slightly|a (?:little|bit|touch)|somewhat)|(?P<strong>very|extremely|really)"
_REFUSED = re.compile(r"\b(?:not|never|avoid|without|don[’']?t)(?:\s+\w+){0,2}\s*$")  # noqa: RUF001
_STRENGTHS = re.compile(rf"\b(?:{_DEGREE})\s+(?:\w+\s+)?$")
_REACH = 80
"""Characters before a cue in which a word that changes it is looked for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """`pace` is a factor of the rate; `pitch` and `range` are added to a profile's."""

    pace: float = 1.0
    pitch: int = 0
    range: int = 0
    whisper: bool = False


_SLOW, _FAST = 0.8, 1.25
_CUES: tuple[tuple[str, Delivery], ...] = (
    (r"slow(?:ly|er)?|unhurried|leisurely|relaxed", Delivery(pace=_SLOW)),
    (r"fast(?:er)?|quick(?:ly|er)?|rapid(?:ly)?|brisk(?:ly)?|hurried(?:ly)?", Delivery(pace=_FAST)),
    (r"high(?:er)?[- ](?:pitch(?:ed)?|voice|tone)|squeaky|child(?:like|ish)?", Delivery(pitch=25)),
    (r"low(?:er)?[- ](?:pitch(?:ed)?|voice|tone)|deep(?:er)?|baritone", Delivery(pitch=-25)),
    (
        (
            r"excited(?:ly)?|enthusias\w+|energetic\w*|cheerful(?:ly)?|happy|happily"
            r"|expressive(?:ly)?|dramatic(?:ally)?|lively|animated|joyful(?:ly)?"
        ),
        Delivery(range=35),
    ),
    (r"monoton\w+|flat(?:ly)?|robot(?:ic)?|emotionless|deadpan", Delivery(range=-45)),
    (r"whisper\w*", Delivery(whisper=True)),
)


def delivery(instructions: str | None) -> Delivery:
    """The delivery that English instructions ask for.

    "very" and "slightly" before a word count; "not too fast" asks for nothing. What is not
    understood is left out.
    """
    asked = Delivery()
    text = (instructions or "").lower()
    for pattern, cue in _CUES:
        for match in re.finditer(rf"\b(?:{pattern})\b", text):
            before = text[max(0, match.start() - _REACH) : match.start()]
            if _REFUSED.search(before):
                continue
            asked = _combined(asked, cue, _strength(before))
            break
    return asked


def _strength(before: str) -> float:
    degree = _STRENGTHS.search(before)
    if degree is None:
        return 1.0
    return 0.5 if degree["weak"] else 1.5


def _combined(asked: Delivery, cue: Delivery, strength: float) -> Delivery:
    return replace(
        asked,
        pace=asked.pace * cue.pace**strength,
        pitch=asked.pitch + round(cue.pitch * strength),
        range=asked.range + round(cue.range * strength),
        whisper=asked.whisper or cue.whisper,
    )
