"""Cutting a recording at its silences. Sound is ones, silence is zeros, and the detector of
speech is a simple one that hears the difference."""

from itertools import pairwise

import numpy as np
import pytest

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import VadSettings
from soundalike.engines.underway import AbandonedError, Underway
from soundalike.engines.whisper import clips
from soundalike.engines.whisper.clips import (
    BLOCK,
    MAX_CLIP,
    Clip,
    joined,
    padded,
    speech_clips,
)


def seconds(start: float, end: float) -> Clip:
    return Clip(round(start * RECOGNITION_RATE), round(end * RECOGNITION_RATE))


def sounding(audio: Samples, vad: VadSettings | None = None) -> list[Clip]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], audio, [0]]))).tolist()
    return [Clip(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def recording(length: float, *spoken: Clip) -> Samples:
    audio = np.zeros(round(length * RECOGNITION_RATE), np.float32)
    for clip in spoken:
        audio[clip.start : clip.end] = 1
    return audio


@pytest.fixture(autouse=True)
def _simple_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "speech_regions", sounding)


def test_neighbours_are_joined() -> None:
    assert joined([seconds(0, 5), seconds(6, 12), seconds(13, 29)]) == [seconds(0, 29)]


def test_clips_fit_the_window() -> None:
    assert joined([seconds(0, 16), seconds(17, 32), seconds(33, 40)]) == [
        seconds(0, 16),
        seconds(17, 40),
    ]


def test_long_silences_part_clips() -> None:
    assert joined([seconds(0, 5), seconds(8.5, 10)]) == [seconds(0, 5), seconds(8.5, 10)]


def test_no_regions_no_clips() -> None:
    assert joined([]) == []


@pytest.mark.parametrize("length", [0, 0.01, 10, 300])
def test_a_silent_recording_has_no_clips(length: float) -> None:
    assert list(speech_clips(recording(length))) == []


def test_a_recording_that_is_all_speech_is_one_clip() -> None:
    assert list(speech_clips(recording(7, seconds(0, 7)))) == [seconds(0, 7)]


def test_speech_across_the_edge_of_a_block_is_not_cut() -> None:
    edge = BLOCK / RECOGNITION_RATE
    spoken = seconds(edge - 4, edge + 5)
    assert list(speech_clips(recording(3 * edge, spoken))) == [spoken]


def test_speech_that_ends_shortly_before_an_edge_is_joined_to_what_follows_it() -> None:
    edge = BLOCK / RECOGNITION_RATE
    audio = recording(2 * edge, seconds(edge - 9, edge - 1), seconds(edge + 1, edge + 3))
    assert list(speech_clips(audio)) == [seconds(edge - 9, edge + 3)]


def test_a_long_recording_is_covered_once_and_in_order() -> None:
    spoken = [seconds(start, start + 7 + start % 3) for start in range(0, 590, 11)]
    found = list(speech_clips(recording(600, *spoken)))
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(clip.end - clip.start <= MAX_CLIP for clip in found)
    for part in spoken:
        assert any(clip.start <= part.start and part.end <= clip.end for clip in found)


def test_the_first_clip_does_not_wait_for_the_end_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[int] = []

    def counting(audio: Samples, vad: VadSettings | None) -> list[Clip]:
        searched.append(len(audio))
        return sounding(audio)

    monkeypatch.setattr(clips, "speech_regions", counting)
    audio = recording(600, seconds(1, 3), seconds(590, 595))
    assert next(speech_clips(audio)) == seconds(1, 3)
    assert searched == [BLOCK]


VAD = VadSettings(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=200)


def test_with_settings_every_silence_parts_clips() -> None:
    spoken = [seconds(1, 3), seconds(3.5, 5)]
    audio = recording(6, *spoken)
    assert list(speech_clips(audio)) == [seconds(1, 5)]
    assert list(speech_clips(audio, VAD)) == spoken


def test_air_ahead_and_after_is_as_the_settings_say() -> None:
    found = padded([seconds(1, 3), seconds(5, 6)], VAD, len(recording(9)))
    assert found == [seconds(0.7, 3.2), seconds(4.7, 6.2)]


def test_air_does_not_reach_beyond_the_recording_or_into_other_speech() -> None:
    found = padded([seconds(0.1, 3), seconds(3.3, 5), seconds(5.1, 6)], VAD, len(recording(6.1)))
    assert found == [seconds(0, 3.2), seconds(3.2, 5.1), seconds(5.1, 6.1)]


def test_air_does_not_make_a_clip_longer_than_the_window() -> None:
    endless = VadSettings(0.5, 60_000, 60_000)
    found = padded([seconds(40, 70), seconds(100, 101)], endless, len(recording(300)))
    assert found == [seconds(40, 70), seconds(100, 130)]


def test_no_speech_no_air() -> None:
    assert padded([], VAD, 100) == []


def test_the_search_of_a_silence_ends_when_nobody_wants_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, searched = Underway(), list[int]()

    def silent(audio: Samples, vad: VadSettings | None = None) -> list[Clip]:
        searched.append(len(audio))
        job.abandon()
        return []

    monkeypatch.setattr(clips, "speech_regions", silent)
    with job.stepping(), pytest.raises(AbandonedError):
        list(speech_clips(np.zeros(3 * BLOCK, np.float32)))
    assert searched == [BLOCK]
