"""Text to segments as Whisper would give them: tokens, words and figures of confidence.

All figures follow from the text alone.
"""

import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from soundalike.engines.base import TranscriptionJob
from soundalike.transcript import Delta, Segment, TokenLogprob, Word

_TOKEN = re.compile(r"\s?\w+|\s?[^\w\s]|\s")

_IDEOGRAPH = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Japanese and Chinese have no spaces, so each character is a word, as it is to Whisper.
_WORD = re.compile(rf"\s*(?:[{_IDEOGRAPH}][^\w\s]*|[^\s{_IDEOGRAPH}]+)")

# The vocabulary of multilingual Whisper: text, then special tokens, then a time every 20 ms.
_TEXT_TOKENS = 50257
_FIRST_TIME_TOKEN = 50364
_TIME_STEP = 0.02
_LAST_TIME = 1500

_WINDOW_FRAMES = 3000
_FRAMES_PER_SECOND = 100

_NO_SPEECH_PROBABILITY = 0.01


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of text as heard, and its times in seconds. The text begins with a space unless it
    continues the piece before it."""

    text: str
    start: float
    end: float


def segment(number: int, stretch: Stretch, job: TranscriptionJob) -> Segment:
    """The segment with the id `number`; with words and log probabilities if the job asks."""
    text = stretch.text
    logprobs = tuple(map(_logprob, _TOKEN.findall(text)))
    encoded = text.encode()
    seek = int(stretch.start * _FRAMES_PER_SECOND) // _WINDOW_FRAMES * _WINDOW_FRAMES
    return Segment(
        id=number,
        seek=seek,
        start=stretch.start,
        end=stretch.end,
        text=text,
        tokens=_token_ids(logprobs, stretch, seek / _FRAMES_PER_SECOND),
        temperature=job.temperature,
        avg_logprob=sum(token.logprob for token in logprobs) / len(logprobs),
        compression_ratio=len(encoded) / len(zlib.compress(encoded)),
        no_speech_prob=_NO_SPEECH_PROBABILITY,
        words=tuple(_words(stretch)) if job.word_timestamps else None,
        logprobs=logprobs if job.logprobs else None,
    )


def deltas(stretch: Stretch, job: TranscriptionJob) -> Iterator[Delta]:
    """The tokens of a stretch one by one; their texts joined are its text."""
    for token in _TOKEN.findall(stretch.text):
        yield Delta(token, (_logprob(token),) if job.logprobs else ())


def _logprob(token: str) -> TokenLogprob:
    encoded = token.encode()
    return TokenLogprob(token, -(1 + zlib.crc32(encoded) % 1000) / 10_000, tuple(encoded))


def _token_ids(
    logprobs: tuple[TokenLogprob, ...], stretch: Stretch, window: float
) -> tuple[int, ...]:
    def time_token(seconds: float) -> int:
        return _FIRST_TIME_TOKEN + min(_LAST_TIME, round((seconds - window) / _TIME_STEP))

    return (
        time_token(stretch.start),
        *(zlib.crc32(bytes(token.bytes)) % _TEXT_TOKENS for token in logprobs),
        time_token(stretch.end),
    )


def _words(stretch: Stretch) -> Iterator[Word]:
    """The words, each with a share of the time in proportion to its characters."""
    words: list[str] = _WORD.findall(stretch.text)
    length = sum(map(len, words))
    position = 0
    for word in words:
        start = stretch.start + (stretch.end - stretch.start) * position / length
        position += len(word)
        end = stretch.start + (stretch.end - stretch.start) * position / length
        yield Word(word, start, end, math.exp(_logprob(word).logprob))
