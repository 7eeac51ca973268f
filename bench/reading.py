"""Recordings cut into clips and strung into long files, with the words that are in them. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import numpy as np

from bench.wording import words
from soundalike.audio.pcm import RECOGNITION_RATE, Samples

MARGIN = 0.2
"""Seconds of what surrounds a clip's words that it may keep."""

PAUSE = (0.5, 2.0)
"""Seconds between the readings of a long file."""

NOISE = 0.001
"""Root mean square of the noise in a long file, full scale being 1: 60 dB below it."""

FULLNESS = 0.75
"""A clip fills at least this much of the length that it stands for."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it is spoken, in seconds; None where no time could be found."""

    text: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Mono samples at 16 kHz, and every word that is said in them."""

    samples: Samples
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def seconds(self) -> float:
        return len(self.samples) / RECOGNITION_RATE


def timed(said: str, heard: Sequence[Word]) -> tuple[Word, ...]:
    """The words said, each with the time of its match among the words heard, if it has one."""
    spoken = words(said)
    known = [("".join(words(word.text)), word) for word in heard]
    matcher = SequenceMatcher(None, spoken, [text for text, _ in known], autojunk=False)
    result = [Word(text) for text in spoken]
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            match = known[block.b + step][1]
            result[block.a + step] = replace(
                result[block.a + step], start=match.start, end=match.end
            )
    return tuple(result)


def clips(reading: Reading, seconds: float) -> Iterator[Reading]:
    """Every clip of about `seconds`: as many whole words as fit, from each word on."""
    for first, word in enumerate(reading.words):
        if word.start is None:
            continue
        fitting = [
            last
            for last in range(first, len(reading.words))
            if FULLNESS * seconds <= (reading.words[last].end or 0) - word.start <= seconds
        ]
        if fitting and (clip := _cut(reading, first, fitting[-1])):
            yield clip


def _cut(reading: Reading, first: int, last: int) -> Reading | None:
    """Words `first` to `last`, cut midway to their neighbours; None where a neighbour's time is
    not known, since the cut might then go through it."""
    known = reading.words
    before = known[first - 1].end if first else 0.0
    after = known[last + 1].start if last + 1 < len(known) else reading.seconds
    start, end = known[first].start, known[last].end
    if before is None or after is None or start is None or end is None:
        return None
    opens = max(start - MARGIN, (before + start) / 2)
    closes = min(end + MARGIN, (end + after) / 2)
    samples = reading.samples[round(opens * RECOGNITION_RATE) : round(closes * RECOGNITION_RATE)]
    return Reading(samples, tuple(_later(word, -opens) for word in known[first : last + 1]))


def strung(readings: Sequence[Reading], seconds: float, seed: int = 4) -> Reading:
    """The readings over and over, each round in an order of its own, with pauses of 0.5 to 2 s
    between them, as long as they fit into `seconds`.

    Faint noise lies over it, as in any room, since Whisper invents words in perfect silence; and
    the file ends with a reading, not with a silence to fill.
    """
    chance = random.Random(seed)
    pieces: list[Samples] = []
    spoken: list[Word] = []
    length = 0
    for reading in _rounds(readings, chance):
        if length + len(reading.samples) > seconds * RECOGNITION_RATE:
            break
        spoken += [_later(word, length / RECOGNITION_RATE) for word in reading.words]
        pause = round(chance.uniform(*PAUSE) * RECOGNITION_RATE)
        pieces += [reading.samples, np.zeros(pause, np.float32)]
        length += len(reading.samples) + pause
    joined = np.concatenate(pieces[:-1])
    noise = np.random.default_rng(seed).normal(0, NOISE, len(joined)).astype(np.float32)
    return Reading(joined + noise, tuple(spoken))


def _rounds(readings: Sequence[Reading], chance: random.Random) -> Iterator[Reading]:
    while True:
        yield from chance.sample(readings, len(readings))


def _later(word: Word, seconds: float) -> Word:
    if word.start is None or word.end is None:
        return word
    return replace(word, start=word.start + seconds, end=word.end + seconds)
