from collections.abc import Iterator

import numpy as np
import pytest

from soundalike.audio.pcm import Pcm
from soundalike.audio.tempo import stretch

RATE = 22_050
FACTORS = [0.25, 0.4, 0.5, 0.75, 1.5, 2.0, 2.5, 4.0]


def tone(seconds: float) -> Pcm:
    times = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 440 * times) * 12_000).astype(np.int16)


def cut(sound: Pcm, size: int = 1_500) -> Iterator[Pcm]:
    return (sound[start : start + size] for start in range(0, len(sound), size))


def joined(chunks: Iterator[Pcm]) -> Pcm:
    return np.concatenate(list(chunks))


def pitch(sound: Pcm) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * RATE / len(sound))


@pytest.mark.parametrize("factor", FACTORS)
def test_duration_is_divided_by_the_factor(factor: float) -> None:
    stretched = joined(stretch(cut(tone(3.0)), RATE, factor))
    assert len(stretched) / RATE == pytest.approx(3.0 / factor, rel=0.03)


@pytest.mark.parametrize("factor", FACTORS)
def test_pitch_and_level_stay(factor: float) -> None:
    stretched = joined(stretch(cut(tone(3.0)), RATE, factor))
    assert pitch(stretched) == pytest.approx(440, abs=2)
    middle = stretched[len(stretched) // 4 : -len(stretched) // 4].astype(np.float64)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(12_000 / np.sqrt(2), rel=0.05)


def test_result_is_16_bit_pcm() -> None:
    stretched = joined(stretch(cut(tone(0.5)), RATE, 1.5))
    assert stretched.dtype == np.int16
    assert stretched.ndim == 1


def test_factor_one_passes_the_very_chunks() -> None:
    chunks = list(cut(tone(0.5)))
    passed = list(stretch(iter(chunks), RATE, 1.0))
    assert len(passed) == len(chunks)
    assert all(out is original for out, original in zip(passed, chunks, strict=True))


@pytest.mark.parametrize("factor", FACTORS)
def test_sound_of_a_sentence_does_not_wait_for_the_next(factor: float) -> None:
    waited = False

    def sentences() -> Iterator[Pcm]:
        nonlocal waited
        yield tone(2.0)
        waited = True
        yield tone(2.0)

    length = 0
    for chunk in stretch(sentences(), RATE, factor):
        if waited:
            break
        length += len(chunk)
    assert length / RATE * factor > 1.5


def test_chunking_does_not_change_the_result() -> None:
    sound = tone(1.0)
    small, large = (joined(stretch(cut(sound, size), RATE, 1.7)) for size in (700, 5_000))
    assert np.array_equal(small, large)


def test_silence_of_no_chunks_stays_empty() -> None:
    assert list(stretch(iter([]), RATE, 2.0)) == []
    assert list(stretch(iter([np.zeros(0, np.int16)]), RATE, 0.5)) == []


def test_error_of_the_source_comes_through() -> None:
    def chunks() -> Iterator[Pcm]:
        yield tone(0.5)
        raise RuntimeError("the voice broke")

    with pytest.raises(RuntimeError, match="the voice broke"):
        joined(stretch(chunks(), RATE, 2.0))


@pytest.mark.parametrize("factor", [0.0, 0.24, 4.01, -1.0, float("nan")])
def test_factor_outside_the_range_is_refused_before_any_chunk(factor: float) -> None:
    with pytest.raises(ValueError, match="range"):
        stretch(cut(tone(0.1)), RATE, factor)
