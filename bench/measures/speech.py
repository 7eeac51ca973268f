"""Speech: the first sound, the whole, and several streams at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.client import Client, Spoken
from bench.context import Context
from bench.material import text
from bench.playback import PCM_BYTES_PER_SECOND, least_ahead
from bench.rows import Place, Row, Target, milliseconds

LENGTHS = (1, 100, 1000, 4096)
"""Characters; 1 stands for one word."""

FORMATS = ("pcm", "wav", "mp3", "opus", "aac", "flac")
PROMPT = {"pcm": Target("median", 15), "wav": Target("median", 15), "mp3": Target("median", 40)}
"""Milliseconds to the first sound, for one word and for the longest text."""

FAST = Target("median", 150, at_least=True)
"""Times real time, for the longest text as mp3."""

STREAMS = 8
STREAMED = 1000
"""Characters of each of several streams."""


def measure(context: Context) -> Iterator[Row]:
    for length in LENGTHS:
        yield from _formats(context, length)
    yield from _streams(context)


def _formats(context: Context, length: int) -> Iterator[Row]:
    said, name = text(length), "one word" if length == LENGTHS[0] else f"{length} characters"
    times = context.times(9 if length < LENGTHS[-1] else 5, 3)
    seconds = len(context.client.speak(said, "pcm").body) / PCM_BYTES_PER_SECOND
    for form in FORMATS[:3] if context.quick else FORMATS:
        spoken = [context.client.speak(said, form) for _ in range(times)]
        place = Place("first-audio", form, length)
        yield Row(
            f"{name}, {form}: first sound",
            "ms",
            milliseconds([answer.first for answer in spoken]),
            target=PROMPT.get(form) if length in (LENGTHS[0], LENGTHS[-1]) else None,
            place=place,
        )
        yield Row(
            f"{name}, {form}: times real time",
            "x",
            tuple(seconds / answer.total for answer in spoken),
            target=FAST if (length, form) == (LENGTHS[-1], "mp3") else None,
            note=f"{seconds:.1f} s of sound",
        )


def _streams(context: Context) -> Iterator[Row]:
    """PCM, since only its bytes say how much sound they are."""

    def listen(_: int) -> Spoken:
        with Client(context.server.root) as client:
            client.get("/healthz")
            return client.speak(text(STREAMED), "pcm")

    heard: list[Spoken] = []
    for _ in range(context.times(3, 1)):
        with ThreadPoolExecutor(STREAMS) as pool:
            heard += pool.map(listen, range(STREAMS))
    name = f"{STREAMS} streams of {STREAMED} characters"
    gaps = tuple(float(least_ahead(spoken.arrivals) < 0) for spoken in heard)
    yield Row(f"{name}: streams with a gap", "count", (sum(gaps),), target=Target("max", 0))
    ahead = tuple(least_ahead(spoken.arrivals) for spoken in heard)
    yield Row(f"{name}: least sound in hand", "s", ahead, note="played from the first byte on")
    yield Row(f"{name}: first sound", "ms", milliseconds([spoken.first for spoken in heard]))
    rates = tuple(len(spoken.body) / PCM_BYTES_PER_SECOND / spoken.total for spoken in heard)
    yield Row(f"{name}: times real time, each", "x", rates)
