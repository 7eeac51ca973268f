"""The stub engine works through a recording piece by piece, and hears the same as in one go."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.stub import StubTranscriptionEngine, impression
from soundalike.engines.stub.hearing import _sane
from soundalike.engines.stub.impression import impressions
from soundalike.engines.stub.modem import modulate
from soundalike.engines.stub.packets import Packet, pack
from soundalike.engines.stub.reception import receive
from soundalike.engines.stub.stretches import BLOCK, Padded, blocks
from soundalike.engines.underway import AbandonedError, Underway


def noise(length: int) -> Samples:
    return np.random.default_rng(1).normal(0, 0.05, length).astype(np.float32)


def test_padding_is_as_if_it_were_there() -> None:
    audio = noise(10)
    padded, real = Padded(audio, 4), np.pad(audio, 4)
    assert len(padded) == len(real)
    for start in range(20):
        for stop in range(22):
            assert np.array_equal(padded[start:stop], real[start:stop]), (start, stop)


def test_blocks_are_the_whole_and_overlap() -> None:
    audio = noise(25)
    assert np.array_equal(np.concatenate(list(blocks(audio, 10))), audio)
    assert [len(block) for block in blocks(audio, 10, overlap=2)] == [12, 12, 5]
    assert list(blocks(audio[:0], 10)) == []


@pytest.mark.parametrize("before", [BLOCK, BLOCK - 640, BLOCK - 1000, BLOCK - 1280, BLOCK - 5000])
def test_a_packet_on_the_edge_of_a_block_is_heard(before: int) -> None:
    packet = Packet("Where two blocks meet.", opens=True)
    speech = modulate(pack(packet), 40, 220.0)
    times = np.arange(len(speech) * 2 // 3) * 1.5
    sound = np.interp(times, np.arange(len(speech)), speech / 2**15).astype(np.float32)
    (reception,) = receive(np.pad(sound, (before, 8000)))
    assert reception.packet == packet
    assert reception.start == pytest.approx(before / RECOGNITION_RATE, abs=0.005)


def test_words_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = noise(40 * 6400 + 100)
    whole = list(impressions(audio))
    monkeypatch.setattr(impression, "_BLOCK_WORDS", 7)
    assert list(impressions(audio)) == whole
    assert len(whole) == 4


def test_what_is_sane_is_not_copied() -> None:
    audio = noise(3 * BLOCK)
    assert _sane(audio) is audio
    for odd in (np.nan, np.inf, -np.inf, 2.0, -2.0):
        audio[-1] = odd
        sane = _sane(audio)
        assert np.abs(sane).max() <= 1


def test_a_long_recording_is_in_memory_once() -> None:
    audio = noise(20 * 60 * RECOGNITION_RATE)
    engine = StubTranscriptionEngine(EngineConfig("stub"))
    list(engine.transcribe(TranscriptionJob(Path()), audio[:RECOGNITION_RATE]))
    tracemalloc.start()
    try:
        list(engine.transcribe(TranscriptionJob(Path()), audio))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < audio.nbytes


def test_whoever_listens_hears_that_nobody_wants_it_any_more() -> None:
    job = Underway()
    pieces = blocks(noise(100), 10)
    with job.stepping():
        next(pieces)
        job.abandon()
        with pytest.raises(AbandonedError):
            next(pieces)
