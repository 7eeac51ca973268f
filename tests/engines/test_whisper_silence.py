"""Whisper makes words up where nobody speaks; the engine must not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.whisper import WhisperEngine
from soundalike.transcript import Detected

JOB = TranscriptionJob(Path("unread"))


@pytest.fixture(scope="module")
def engine(whisper_weights: Path) -> Iterator[WhisperEngine]:
    engine = WhisperEngine(EngineConfig("whisper", whisper_weights, {"device": "cpu"}))
    yield engine
    engine.close()


@pytest.mark.parametrize("seconds", [0, 0.05, 3, 40])
def test_silence_gives_no_text(engine: WhisperEngine, seconds: float) -> None:
    audio = np.zeros(round(seconds * RECOGNITION_RATE), np.float32)
    assert list(engine.transcribe(JOB, audio)) == [Detected(None, seconds)]


def test_silence_has_the_language_that_the_job_names(engine: WhisperEngine) -> None:
    audio = np.zeros(RECOGNITION_RATE, np.float32)
    assert list(engine.transcribe(replace(JOB, language="fr"), audio)) == [Detected("fr", 1.0)]


@pytest.mark.parametrize("loudness", [0.0005, 0.02, 0.3])
def test_noise_gives_no_text(engine: WhisperEngine, loudness: float) -> None:
    noise = np.random.default_rng(0).normal(0, loudness, 8 * RECOGNITION_RATE).astype(np.float32)
    assert list(engine.transcribe(JOB, noise)) == [Detected(None, 8.0)]


def test_a_hum_gives_no_text(engine: WhisperEngine) -> None:
    time = np.arange(5 * RECOGNITION_RATE) / RECOGNITION_RATE
    hum = (0.2 * np.sin(2 * np.pi * 50 * time)).astype(np.float32)
    assert list(engine.transcribe(JOB, hum)) == [Detected(None, 5.0)]
