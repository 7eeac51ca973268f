"""Clips and long files are cut from readings, and their words known."""

import numpy as np
import pytest

from bench.reading import Reading, Word, clips, strung, timed
from bench.stamps import Segment, disorder, start_errors
from bench.wording import error_rate, words

RATE = 16_000


def reading(count: int = 10) -> Reading:
    """A word a second, half a second long, and samples that tell their place."""
    spoken = tuple(Word(f"word{n}", n + 0.25, n + 0.75) for n in range(count))
    return Reading(np.arange(count * RATE, dtype=np.float32), spoken)


def test_words_are_what_is_spoken() -> None:
    assert words("Mr. Dashwood’s cold-hearted; NOT so!") == [
        *("mister", "dashwood's", "cold", "hearted", "not", "so")
    ]


def test_the_error_rate_is_over_all_texts_together() -> None:
    assert error_rate(["one two three", "four"], ["One, two, three.", "for"]) == 0.25
    assert error_rate(["one two"], [""]) == 1


def test_words_that_were_heard_right_have_a_time() -> None:
    heard = [Word("Four", 0.0, 0.5), Word("score", 0.5, 1.0), Word("years,", 2.0, 2.5)]
    assert timed("four score and seven years", heard) == (
        Word("four", 0.0, 0.5),
        Word("score", 0.5, 1.0),
        Word("and"),
        Word("seven"),
        Word("years", 2.0, 2.5),
    )


def test_clips_hold_as_many_whole_words_as_fit() -> None:
    every = list(clips(reading(), 3))
    assert [clip.text for clip in every][:2] == ["word0 word1 word2", "word1 word2 word3"]
    assert len(every) == 8
    second = every[1]
    assert second.samples[0] == 1.05 * RATE
    assert second.seconds == pytest.approx(2.9)
    assert second.words[0].start == pytest.approx(0.2)


def test_no_clip_is_cut_beside_a_word_whose_time_is_not_known() -> None:
    whole = reading()
    spoken = list(whole.words)
    spoken[5] = Word("word5")
    assert [clip.text for clip in clips(Reading(whole.samples, tuple(spoken)), 3)] == [
        *("word0 word1 word2", "word1 word2 word3"),
        *("word4 word5 word6", "word7 word8 word9"),
    ]


def test_no_clip_is_longer_than_the_reading() -> None:
    assert list(clips(reading(3), 10)) == []


def test_a_long_file_holds_whole_readings_with_pauses() -> None:
    long = strung([reading(3), reading(2)], 20)
    assert 15 < long.seconds <= 20
    assert set(long.text.split()) == {"word0", "word1", "word2"}
    for word in long.words:
        assert word.start is not None
        place = int(word.text.removeprefix("word")) + 0.25
        assert long.samples[round(word.start * RATE)] == pytest.approx(place * RATE, abs=1)
    starts = [word.start for word in long.words if word.start is not None]
    assert starts == sorted(starts)
    # The file ends with the reading: a quarter of a second after the end of its last word.
    assert long.words[-1].end == pytest.approx(long.seconds - 0.25)


def test_a_long_file_is_always_the_same() -> None:
    assert strung([reading(3), reading(2)], 60).text == strung([reading(3), reading(2)], 60).text


@pytest.mark.parametrize(
    ("segments", "wrong"),
    [
        ([(0, 1), (1, 2)], 0),
        ([(0, 1), (1.0004, 2)], 0),
        ([(0, 1.5), (1, 2)], 1),
        ([(1, 0)], 1),
        ([(0, 3.1)], 1),
        ([(0, 3.0005)], 0),
    ],
)
def test_segments_are_in_order_and_inside_the_file(
    segments: list[tuple[float, float]], wrong: int
) -> None:
    assert disorder([Segment(start, end, "") for start, end in segments], 3) == wrong


def test_the_start_of_a_segment_is_held_against_its_first_word() -> None:
    said = [Word("one", 0.5, 1), Word("two", 1, 2), Word("three", 3, 4), Word("four")]
    segments = [
        Segment(0, 2, " One, two."),
        Segment(3.2, 4, "Three"),
        Segment(4, 5, "four"),  # its time is not known
        Segment(5, 6, "more"),  # nobody said it
    ]
    assert start_errors(segments, said) == pytest.approx((0.5, 0.2))


def test_readings_that_repeat_themselves_are_matched_in_their_order() -> None:
    texts = "one two three four " * 5
    said = [Word(text, float(place)) for place, text in enumerate(texts.split())]
    segments = [Segment(4.0 * turn, 4.0 * turn + 4, "one two three four") for turn in range(5)]
    segments[1] = Segment(4.0, 8.0, "one too")
    assert start_errors(segments, said) == pytest.approx((0, 0, 0, 0, 0))
