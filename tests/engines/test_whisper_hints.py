"""What a job says of its recording ahead: words, languages, silences, loudness."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.decode import decode
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import EngineConfig, TranscriptionJob, VadSettings
from soundalike.engines.whisper import WhisperEngine
from soundalike.engines.whisper.clips import speech_regions
from soundalike.engines.whisper.engine import MAX_PROMPT
from soundalike.errors import InvalidRequestError
from soundalike.transcript import Detected, Segment, TranscriptionEvent

FRENCH = "french-dictee.aiff"
JOB = TranscriptionJob(Path("unread"))

Speech = Callable[[str], Samples]


@pytest.fixture(scope="module")
def engine(whisper_weights: Path) -> Iterator[WhisperEngine]:
    engine = WhisperEngine(EngineConfig("whisper", whisper_weights, {"device": "cpu"}))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def speech(shared_audio: Path) -> Speech:
    @cache
    def read(name: str) -> Samples:
        return decode(shared_audio / name)

    return read


def text_of(events: list[TranscriptionEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Segment))


def words(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def test_keywords_decide_the_spelling(engine: WhisperEngine, speech: Speech) -> None:
    """Without them it is `John Dashwood`."""
    job = replace(JOB, language="en", keywords=("Kubernetes", " ", "Jon Dashwud"))
    heard = list(engine.transcribe(job, speech("librivox-0870.wav")))
    assert "Jon Dashwud had then" in text_of(heard)


def test_keywords_and_a_prompt_share_the_room(engine: WhisperEngine) -> None:
    def prompt(said: int, listed: int) -> str:
        keywords = ("Dashwud",) * listed + ("<|translate|>",) * bool(listed)
        tokens = engine._prompt(replace(JOB, prompt="so " * said, keywords=keywords)) or []
        assert len(tokens) <= MAX_PROMPT
        text: str = engine._tokenizer.decode(tokens, skip_special_tokens=False)
        assert "<|" not in text
        return text

    assert prompt(0, 0) == ""
    assert prompt(2, 1).endswith(". so so")
    both = prompt(999, 999)
    assert both.startswith(" Keywords: Dash")
    assert both.count(" so") == MAX_PROMPT // 2
    assert " so" not in prompt(0, 999)
    assert prompt(999, 0).count(" so") == MAX_PROMPT


def test_the_likeliest_of_the_possible_languages_is_taken(
    engine: WhisperEngine, speech: Speech
) -> None:
    job = replace(JOB, languages=("de", "it", "ja"))  # it is French
    detected = next(engine.transcribe(job, speech(FRENCH)))
    assert isinstance(detected, Detected)
    assert detected.language == "it"


def test_languages_that_the_weights_do_not_know_are_no_candidates(
    engine: WhisperEngine, speech: Speech
) -> None:
    detected = next(engine.transcribe(replace(JOB, languages=("eo", "de", "fr")), speech(FRENCH)))
    assert isinstance(detected, Detected)
    assert detected.language == "fr"
    for job in (replace(JOB, languages=("eo", "ia")), replace(JOB, language="eo")):
        with pytest.raises(InvalidRequestError, match="'eo' is not supported"):
            next(engine.transcribe(job, speech(FRENCH)))


def test_the_three_numbers_of_a_detector_move_its_cuts(speech: Speech) -> None:
    def cuts(threshold: float, prefix: int, silence: int) -> list[tuple[float, float]]:
        vad = VadSettings(threshold, prefix, silence)
        return [
            (clip.start / RECOGNITION_RATE, clip.end / RECOGNITION_RATE)
            for clip in speech_regions(speech("jfk.flac"), vad)
        ]

    usual = cuts(0.5, 300, 200)
    assert len(usual) == 4
    assert cuts(1.0, 300, 200) == []
    assert len(cuts(0.5, 300, 5000)) == 1
    assert len(cuts(0.5, 300, 0)) > 4
    bare = cuts(0.5, 0, 200)
    assert bare[0][0] - usual[0][0] == pytest.approx(0.3, abs=0.01)
    assert [end for _, end in bare] == [end for _, end in usual]
    assert sum(end - start for start, end in cuts(0.9, 0, 200)) < sum(
        end - start for start, end in bare
    )


def test_each_clip_of_a_detector_is_recognised_on_its_own(
    engine: WhisperEngine, speech: Speech
) -> None:
    audio = speech("jfk.flac")
    vad = VadSettings(0.5, 300, 200)
    events = engine.transcribe(replace(JOB, language="en", vad=vad), audio)
    found = (event for event in events if isinstance(event, Segment))
    first, second = next(found), next(found)
    assert words(first.text + second.text) == "and so my fellow americans ask not"
    for segment, clip in zip((first, second), speech_regions(audio, vad), strict=False):
        assert clip.start / RECOGNITION_RATE - 0.02 <= segment.start
        assert segment.end <= clip.end / RECOGNITION_RATE + 0.02


def test_a_whisper_is_made_louder_where_asked_for(engine: WhisperEngine, speech: Speech) -> None:
    quiet = speech("librivox-0880.wav") * np.float32(0.01)
    assert speech_regions(quiet)[0].start > RECOGNITION_RATE  # the first words are not heard
    job = replace(JOB, language="en", normalize_loudness=True)
    heard = text_of(list(engine.transcribe(job, quiet)))
    assert words(heard).startswith("he was not an ill")
    assert words(heard).endswith("young man")


@pytest.mark.parametrize("loudness", [0.0, 0.0005, 0.02])
def test_noise_that_is_made_louder_gives_no_text(engine: WhisperEngine, loudness: float) -> None:
    noise = np.random.default_rng(0).normal(0, loudness, 8 * RECOGNITION_RATE).astype(np.float32)
    job = replace(JOB, normalize_loudness=True)
    assert list(engine.transcribe(job, noise)) == [Detected(None, 8.0)]
