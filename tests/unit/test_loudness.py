"""Loudness: of speech and pauses together, and brought to an ordinary level."""

import numpy as np
import pytest

from soundalike.audio.loudness import ORDINARY, loudness, normalized
from soundalike.audio.pcm import RECOGNITION_RATE, Samples


def tone(seconds: float, amplitude: float) -> Samples:
    time = np.arange(round(seconds * RECOGNITION_RATE)) / RECOGNITION_RATE
    return (amplitude * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def test_a_sine_is_as_loud_as_its_root_mean_square() -> None:
    assert loudness(tone(2, 0.5)) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("pause", [0.0, 0.01], ids=["silent", "noisy"])
def test_pauses_do_not_count(pause: float) -> None:
    spoken = tone(2, 0.5)
    assert loudness(np.concatenate([tone(6, pause), spoken])) == pytest.approx(loudness(spoken))


@pytest.mark.parametrize("amplitude", [0.0005, 0.02, 0.9])
@pytest.mark.parametrize("seconds", [0.1, 3.3])
def test_every_recording_comes_out_equally_loud(seconds: float, amplitude: float) -> None:
    found = normalized(tone(seconds, amplitude))
    assert found.dtype == np.float32
    assert loudness(found) == pytest.approx(ORDINARY, rel=1e-3)


def test_peaks_stay_within_full_scale() -> None:
    audio = tone(4, 0.01)
    audio[1000] = 1.0
    found = normalized(audio)
    assert found.max() == 1
    assert found[2000:].std() > 0.05


@pytest.mark.parametrize("amplitude", [0.0, 0.0001])
@pytest.mark.parametrize("seconds", [0.0, 0.2, 2.0])
def test_what_nobody_hears_stays_as_it_is(seconds: float, amplitude: float) -> None:
    audio = tone(seconds, amplitude)
    assert np.array_equal(normalized(audio), audio)


def test_the_recording_itself_is_not_changed() -> None:
    audio = tone(1, 0.01)
    before = audio.copy()
    normalized(audio)
    assert np.array_equal(audio, before)
