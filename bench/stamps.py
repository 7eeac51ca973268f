"""Whether the times of segments are right. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import jiwer

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
    if not heard:
        return ()
    # of all ways to match them the one with the fewest errors: readings repeat themselves
    aligned = jiwer.process_words(" ".join(word.text for word in said), " ".join(heard))
    errors = []
    for match in aligned.alignments[0]:
        for step in range(match.hyp_end_idx - match.hyp_start_idx if match.type == "equal" else 0):
            start = said[match.ref_start_idx + step].start
            if start is not None and match.hyp_start_idx + step in openings:
                errors.append(abs(openings[match.hyp_start_idx + step] - start))
    return tuple(errors)
