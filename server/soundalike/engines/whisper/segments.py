"""From what faster-whisper hears in a clip to segments of the whole recording."""

from collections.abc import Iterable, Iterator
from typing import Any

from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.engines.whisper.clips import Clip
from soundalike.transcript import Segment, Word

FRAMES_PER_SECOND = 100


def placed(heard: Any, clip: Clip, previous: Segment | None) -> Segment:
    """The segment at its place in the recording: inside its clip, and not before the previous one
    has ended. Whisper alone promises neither (its times go up to the end of its window).

    Args:
        heard: a segment of faster-whisper, its times counted from the start of the clip.
        previous: the segment that came before it in the recording.
    """
    frame = round(clip.start * FRAMES_PER_SECOND / RECOGNITION_RATE)
    start, end = _interval(heard, clip, previous.end if previous else 0.0)
    words = None if heard.words is None else tuple(_words(heard.words, clip, start, end))
    return Segment(
        id=previous.id + 1 if previous else 0,
        seek=frame + heard.seek,
        start=start,
        end=end,
        text=heard.text,
        tokens=tuple(int(token) for token in heard.tokens),
        temperature=float(heard.temperature),
        avg_logprob=float(heard.avg_logprob),
        compression_ratio=float(heard.compression_ratio),
        no_speech_prob=float(heard.no_speech_prob),
        words=words,
    )


def _words(heard: Iterable[Any], clip: Clip, start: float, end: float) -> Iterator[Word]:
    for word in heard:
        begin, finish = _interval(word, clip, start)
        start = min(finish, end)
        yield Word(word.word, min(begin, end), start, float(word.probability))


def _interval(heard: Any, clip: Clip, earliest: float) -> tuple[float, float]:
    """Start and end in seconds of the recording, to Whisper's precision of 0.02 s or better."""
    offset = clip.start / RECOGNITION_RATE
    latest = clip.end * 100 // RECOGNITION_RATE / 100
    start = max(earliest, min(round(offset + float(heard.start), 2), latest))
    return start, max(start, min(round(offset + float(heard.end), 2), latest))
