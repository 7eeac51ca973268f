"""Segments of a clip at their place in the recording."""

from types import SimpleNamespace

import pytest

from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.engines.whisper.clips import Clip
from soundalike.engines.whisper.segments import placed
from soundalike.transcript import Segment

CLIP = Clip(10 * RECOGNITION_RATE, 20 * RECOGNITION_RATE)


def heard(start: float, end: float, *words: tuple[str, float, float]) -> SimpleNamespace:
    return SimpleNamespace(
        seek=0,
        start=start,
        end=end,
        text=" Hello there.",
        tokens=[50364, 2425, 456, 13, 50514],
        temperature=0.0,
        avg_logprob=-0.25,
        compression_ratio=0.7,
        no_speech_prob=0.01,
        words=[
            SimpleNamespace(word=word, start=begin, end=finish, probability=0.9)
            for word, begin, finish in words
        ]
        or None,
    )


def test_times_count_from_the_start_of_the_recording() -> None:
    segment = placed(heard(0.5, 3.0), CLIP, None)
    assert (segment.id, segment.seek, segment.start, segment.end) == (0, 1000, 10.5, 13.0)
    assert segment.words is None
    assert segment.tokens == (50364, 2425, 456, 13, 50514)


def test_segments_are_numbered() -> None:
    first = placed(heard(0.0, 3.0), CLIP, None)
    assert placed(heard(3.0, 4.0), CLIP, first).id == 1


def test_a_segment_ends_with_its_clip() -> None:
    assert placed(heard(9.0, 29.98), CLIP, None).end == 20.0


def test_a_segment_starts_when_the_one_before_it_has_ended() -> None:
    first = placed(heard(0.0, 5.0), CLIP, None)
    second = placed(heard(4.0, 4.5), CLIP, first)
    assert (second.start, second.end) == (15.0, 15.0)


def words_of(segment: Segment) -> list[tuple[float, float]]:
    assert segment.words is not None
    return [(word.start, word.end) for word in segment.words]


def test_words_lie_in_their_segment_and_grow() -> None:
    segment = placed(
        heard(1.0, 3.0, (" one", 0.8, 1.5), (" two", 1.4, 1.9), (" three", 1.9, 3.6)), CLIP, None
    )
    assert words_of(segment) == [(11.0, 11.5), (11.5, 11.9), (11.9, 13.0)]


def test_words_beyond_their_segment_have_no_length() -> None:
    segment = placed(heard(1.0, 2.0, (" one", 1.2, 2.5), (" two", 2.5, 2.9)), CLIP, None)
    assert words_of(segment) == [(11.2, 12.0), (12.0, 12.0)]


@pytest.mark.parametrize("length", [3211, 3220, 40_524])
def test_the_end_of_a_recording_is_not_rounded_up(length: int) -> None:
    segment = placed(heard(0.0, 30.0), Clip(0, length), None)
    assert segment.end <= length / RECOGNITION_RATE < segment.end + 0.01
