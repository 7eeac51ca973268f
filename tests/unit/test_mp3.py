"""MP3 in segments: nothing may tell it from that of one encoder."""

import io
import os
import threading
from collections.abc import Iterator

import av
import numpy as np
import pytest
from av import AudioFrame, CodecContext
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from soundalike.audio.mp3 import FRAME_SAMPLES, mp3
from soundalike.audio.pcm import SPEECH_RATE, Pcm

SECONDS = 16.3
"""Segments of every length."""


def sounds() -> dict[str, Pcm]:
    random = np.random.default_rng(7)
    size = round(SECONDS * SPEECH_RATE)
    times = np.arange(size) / SPEECH_RATE
    noise = random.normal(0, 6_000, size)
    syllables = np.sin(2 * np.pi * 130 * times + 3 * np.sin(2 * np.pi * 2 * times))
    wave = {
        "tone": np.sin(2 * np.pi * 440 * times) * 12_000,
        "noise": noise,
        "bursts": noise * (np.floor(times * 7) % 3 == 0),
        "clicks": (random.random(size) < 0.001) * random.choice([-30_000, 30_000], size),
        "sweep": np.sin(2 * np.pi * (100 * times + 250 * times**2)) * 9_000,
        "speech-like": (syllables + noise / 60_000) * 9_000 * np.abs(np.sin(9 * times)) ** 3,
        "nearly silent": random.normal(0, 3, size),
        "silence": np.zeros(size),
    }
    return {name: np.clip(w, -32_768, 32_767).astype(np.int16) for name, w in wave.items()}


SOUNDS = sounds()


def by_one_encoder(sound: Pcm) -> bytes:
    codec = CodecContext.create("libmp3lame", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.format, codec.layout = SPEECH_RATE, "s16p", "mono"
    codec.bit_rate = 128_000
    codec.options = {"reservoir": "0", "compression_level": "7"}
    frame = AudioFrame.from_ndarray(sound[np.newaxis, :], format="s16p", layout="mono")
    frame.sample_rate = SPEECH_RATE
    frame.pts = 0
    return b"".join(map(bytes, [*codec.encode(frame), *codec.encode(None)]))


def cut(sound: Pcm, size: int) -> Iterator[Pcm]:
    return (sound[start : start + size] for start in range(0, len(sound), size))


def decoded(data: bytes) -> NDArray[np.float64]:
    with av.open(io.BytesIO(data), "r", format="mp3") as container:
        return np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)]).astype(float)


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("size", [4_800, 50_000])
def test_segments_joined_are_the_bytes_of_one_encoder(name: str, size: int) -> None:
    sound = SOUNDS[name]
    assert b"".join(mp3(cut(sound, size))) == by_one_encoder(sound)


@pytest.mark.parametrize("size", [1, 575, 576, 577, 10_943, 10_944, 10_945, 50_000, 123_456])
def test_any_length_is_that_of_one_encoder(size: int) -> None:
    sound = SOUNDS["sweep"][:size]
    assert b"".join(mp3(iter([sound]))) == by_one_encoder(sound)


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_bytes_do_not_depend_on_the_cores(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_one_encoder(SOUNDS["noise"])
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert b"".join(mp3(cut(SOUNDS["noise"], 30_000))) == expected


def test_seams_are_as_good_as_the_rest() -> None:
    """Signal to noise ratio of the frames around each seam against that of all others, in dB."""
    sound = SOUNDS["speech-like"]
    again = decoded(b"".join(mp3(cut(sound, 9_600))))[1105:][: sound.size]
    size = sound.size // FRAME_SAMPLES
    signal, noise = (
        np.square(wave[: size * FRAME_SAMPLES].reshape(size, -1)).sum(axis=1) + 1e-9
        for wave in (sound / 2**15, again - sound / 2**15)
    )
    ratio = 10 * np.log10(signal / noise)
    seams = [16, 48, 112, 240, 496]
    near = sorted({seam + step for seam in seams for step in (-2, -1, 0, 1) if seam + step < size})
    voiced = [at for at in near if signal[at] > np.median(signal)]
    assert voiced
    others = np.delete(ratio, near)
    assert np.min(ratio[voiced]) > np.percentile(others, 1)


def encoding_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mp3")]


def test_threads_end_with_the_speech() -> None:
    assert b"".join(mp3(cut(SOUNDS["noise"], 9_600)))
    assert not encoding_threads()


def test_closing_early_ends_threads_and_source() -> None:
    ended = False

    def endless() -> Iterator[Pcm]:
        nonlocal ended
        try:
            while True:
                yield SOUNDS["noise"]
        finally:
            ended = True

    stream = mp3(endless())
    for _ in range(10):
        assert next(stream)
    assert encoding_threads()
    stream.close()
    assert ended
    assert not encoding_threads()


def test_an_error_of_the_source_ends_the_threads() -> None:
    def broken() -> Iterator[Pcm]:
        yield SOUNDS["noise"]
        raise RuntimeError("the voice broke")

    with pytest.raises(RuntimeError, match="the voice broke"):
        list(mp3(broken()))
    assert not encoding_threads()


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_speech_is_never_made_far_ahead_of_what_was_sent(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    made = sent = 0.0

    def endless() -> Iterator[Pcm]:
        nonlocal made
        while True:
            made += 0.4
            yield SOUNDS["tone"][:9_600]

    stream = mp3(endless())
    for _ in range(20):
        sent += len(next(stream)) * 8 / 128_000
        assert made - sent < 6.2 * (min(cores, 4) + 2) + 1
    stream.close()
