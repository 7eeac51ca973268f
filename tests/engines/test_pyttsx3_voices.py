"""Thirteen voices, each its own: by pitch, by the colour of its sound, or by its pace.

The measures: the median fundamental frequency of voiced frames (Hz, by autocorrelation), the
spectral centroid (Hz), and the duration of one text (s). Two voices differ if one of the first two
differs by 5 % or the third by 3 %.
"""

import json
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from soundalike.audio.pcm import Pcm
from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.engines.pyttsx3 import Pyttsx3Engine

VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage"),
    *("shimmer", "verse", "marin", "cedar"),
)
MEASURE = """
import json, sys
import numpy as np
from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.engines.pyttsx3 import Pyttsx3Engine

TEXT = {"en": "The weather is very nice today, and we are all going to the beach.",
        "de": "Das Wetter ist heute sehr schön, und wir gehen alle an den Strand."}

def measure(sound, rate):
    frames = [sound[i:i + 1024] for i in range(0, sound.size - 1024, 512)]
    loud = [f for f in frames if np.sqrt(np.mean(f ** 2)) > 0.02]
    pitches, centroids = [], []
    for frame in loud:
        spectrum = np.abs(np.fft.rfft(frame * np.hanning(1024)))
        centroids.append(float((spectrum * np.fft.rfftfreq(1024, 1 / rate)).sum() / spectrum.sum()))
        echo = np.correlate(frame, frame, "full")[1023:]
        low, high = int(rate / 500), int(rate / 60)
        lag = low + int(np.argmax(echo[low:high]))
        if echo[lag] > 0.5 * echo[0]:
            pitches.append(rate / lag)
    return [float(np.median(pitches)), float(np.median(centroids)), sound.size / rate]

engine = Pyttsx3Engine(EngineConfig("pyttsx3"))
for voice in sys.argv[1:]:
    for language, text in TEXT.items():
        chunks = engine.synthesize(SpeechJob(text, voice))
        sound = np.concatenate(list(chunks)).astype(np.float64) / 32768
        print(json.dumps([voice, language, *measure(sound, engine.sample_rate)]))
"""
Measures = dict[tuple[str, str], list[float]]


def measured(*voices: str) -> Measures:
    """Pitch, centroid and duration of each voice, taken in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *voices], capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {(voice, language): values for voice, language, *values in rows}


@pytest.fixture(scope="module")
def voices() -> Measures:
    return measured(*VOICES)


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_voice_differs_from_every_other(voices: Measures, language: str) -> None:
    for one, other in combinations(VOICES, 2):
        differences = [
            abs(a - b) / max(a, b)
            for a, b in zip(voices[one, language], voices[other, language], strict=True)
        ]
        pitch, colour, pace = differences
        assert pitch > 0.05 or colour > 0.05 or pace > 0.03, (one, other, differences)


def test_each_voice_is_equal_to_itself_in_another_process_and_order(voices: Measures) -> None:
    again = measured(*reversed(VOICES))
    for key, values in voices.items():
        assert again[key] == pytest.approx(values, rel=0.02), key


def test_a_voice_sounds_the_same_whatever_was_said_before() -> None:
    """To the sample, in English; espeak's noise is seeded and no voice here has flutter."""
    engine = Pyttsx3Engine(EngineConfig("pyttsx3"))

    def spoken(text: str, voice: str) -> Pcm:
        return np.concatenate(list(engine.synthesize(SpeechJob(text, voice))))

    text = "The weather is very nice today, and we are all going to the beach."
    before = {voice: spoken(text, voice) for voice in VOICES}
    for voice in reversed(VOICES):
        spoken("Und jetzt?", "de+f3")
        assert np.array_equal(spoken(text, voice), before[voice]), voice


@pytest.mark.parametrize(
    "text", ["The weather is very nice today.", "Das Wetter ist heute sehr schön."]
)
def test_the_voices_are_equally_loud(text: str) -> None:
    """The measure: the level of all samples that are not silence, within 6 dB of each other."""
    engine = Pyttsx3Engine(EngineConfig("pyttsx3"))
    levels = []
    for voice in VOICES:
        sound = np.concatenate(list(engine.synthesize(SpeechJob(text, voice)))).astype(np.float64)
        assert np.abs(sound).max() < 32_000, f"{voice} is clipped"
        levels.append(20 * np.log10(np.sqrt(np.mean(sound[np.abs(sound) > 300] ** 2))))
    assert max(levels) - min(levels) < 6
