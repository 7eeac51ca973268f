"""Whether the times of segments are right. Pure."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from bench.reading import Word
from bench.wording import words

TOLERANCE = 1e-3
"""Seconds by which rounding may put a time beside another."""


class Segment(NamedTuple):
    start: float
    end: float
    text: str


def disorder(segments: Sequence[Segment], seconds: float) -> int:
    """How many segments end before they start, start before the one ahead of them ends, or lie
    outside of a file of `seconds`."""
    wrong, reached = 0, 0.0
    for segment in segments:
        ordered = reached - TOLERANCE <= segment.start <= segment.end + TOLERANCE
        wrong += not (ordered and segment.end <= seconds + TOLERANCE)
        reached = max(reached, segment.end)
    return wrong


def start_errors(segments: Sequence[Segment], said: Sequence[Word]) -> tuple[float, ...]:
    """Seconds between each segment's start and the time at which its first word is really said,
    for segments whose first word was heard right and whose time is known."""
    heard: list[str] = []
    openings: dict[int, float] = {}
    for segment in segments:
        if spoken := words(segment.text):
            openings[len(heard)] = segment.start
            heard += spoken
    matcher = SequenceMatcher(None, heard, [word.text for word in said], autojunk=False)
    errors = []
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            start = said[block.b + step].start
            if start is not None and block.a + step in openings:
                errors.append(abs(openings[block.a + step] - start))
    return tuple(errors)
