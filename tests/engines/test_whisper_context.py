"""Short windows: what they save, and the guard that sends a clip back to the full one."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel

from soundalike.audio.decode import decode
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.whisper import context, guard
from soundalike.engines.whisper.context import (
    LEAST_CONTEXT,
    MARGIN,
    ClipWhisper,
    content_of,
    context_of,
)
from soundalike.engines.whisper.guard import (
    FEW_TOKENS,
    MOST_COMPRESSION,
    least_log_probability,
    most_tokens,
)
from soundalike.engines.whisper.loading import load_model
from soundalike.engines.whisper.plan import Plan

WINDOW = 3000
LANGUAGES = ("en", "fr", "de", "es")


def tone(seconds: float) -> Samples:
    """Three notes that are struck twice a second: no speech, but no silence either."""
    time = np.arange(round(seconds * RECOGNITION_RATE)) / RECOGNITION_RATE
    struck = np.exp(-3 * (time % 0.5))
    return sum(
        (0.2 * struck * np.sin(2 * np.pi * pitch * time) for pitch in (262, 330, 392)),
        np.zeros(len(time)),
    ).astype(np.float32)


def noise(seconds: float, loudness: float) -> Samples:
    samples = np.random.default_rng(5).normal(0, loudness, round(seconds * RECOGNITION_RATE))
    return samples.astype(np.float32)


SOUNDS: dict[str, Samples] = {
    "silence": np.zeros(4 * RECOGNITION_RATE, np.float32),
    "hiss": noise(5, 0.001),
    "noise": noise(3, 0.1),
    "music": tone(6),
}
SPEECH = {
    "a word cut at both ends": ("librivox-0870.wav", 0.5, 1.2),
    "a sentence cut in a word": ("jfk.flac", 0.0, 4.3),
    "overdriven": ("jfk.flac", 0.0, 3.0),
    "another language": ("french-dictee.aiff", 0.0, 8.0),
    "a long sentence": ("librivox-0870.wav", 0.0, 7.0),
}


def opened(whisper_weights: Path, compute_type: str) -> Iterator[WhisperModel]:
    model = load_model(whisper_weights, Plan("cpu", compute_type, 1, 2))
    yield model
    model.model.unload_model()


@pytest.fixture(scope="module", params=["int8", "int8_float32"], ids=["onnxruntime", "ctranslate2"])
def plain(request: pytest.FixtureRequest, whisper_weights: Path) -> Iterator[WhisperModel]:
    yield from opened(whisper_weights, request.param)


@pytest.fixture(scope="module")
def on_ctranslate2(whisper_weights: Path) -> Iterator[WhisperModel]:
    yield from opened(whisper_weights, "int8_float32")


class Watched(ClipWhisper):
    """Notes how many frames the encoder was given each time."""

    def __init__(self, model: WhisperModel) -> None:
        super().__init__(model)
        self.contexts: list[int] = []
        self.model = _Watch(model.model, self.contexts)


class _Watch:
    def __init__(self, model: Any, contexts: list[int]) -> None:
        self._model = model
        self._contexts = contexts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, features: Any, **options: Any) -> Any:
        self._contexts.append(features.shape[-1])
        return self._model.encode(features, **options)


def heard(model: WhisperModel, audio: Samples, language: str = "en") -> list[Any]:
    segments, _ = model.transcribe(
        audio, language=language, condition_on_previous_text=False, temperature=0.0
    )
    return list(segments)


def text_of(segments: list[Any]) -> str:
    return "".join(segment.text for segment in segments)


def test_content_is_what_comes_before_the_padding() -> None:
    window = np.zeros((80, WINDOW), np.float32)
    assert content_of(window) == 0
    window[:, :321] = -0.5
    assert content_of(window) == 321


def test_the_context_has_a_margin_and_a_least_size_and_is_whole_seconds() -> None:
    assert context_of(0) == LEAST_CONTEXT
    assert context_of(LEAST_CONTEXT) == LEAST_CONTEXT + MARGIN
    assert context_of(LEAST_CONTEXT + 1) == LEAST_CONTEXT + MARGIN + 100


def test_short_texts_may_be_less_probable() -> None:
    assert least_log_probability(FEW_TOKENS - 1) < least_log_probability(FEW_TOKENS)


def test_more_may_be_said_in_more_time() -> None:
    assert most_tokens(0) < most_tokens(100) < most_tokens(WINDOW)


def test_a_short_clip_is_encoded_once_in_a_short_window(
    plain: WhisperModel, shared_audio: Path
) -> None:
    audio = decode(shared_audio / "librivox-0880.wav")
    model = Watched(plain)
    language, probability = model.spoken_language(audio, LANGUAGES)
    assert (language, probability > 0.5) == ("en", True)
    assert "young man" in text_of(heard(model, audio, language))
    (frames,) = model.contexts
    assert frames == context_of(round(len(audio) / RECOGNITION_RATE * 100))
    assert frames < WINDOW / 2


@pytest.mark.parametrize(
    "sign",
    [
        {"least_log_probability": lambda tokens: 0.0},
        {"MOST_COMPRESSION": 0.1},
        {"most_tokens": lambda content: 5},
    ],
    ids=["improbable", "repetitive", "no end of text"],
)
def test_every_bad_sign_sends_a_clip_back_to_the_full_window(
    plain: WhisperModel,
    shared_audio: Path,
    monkeypatch: pytest.MonkeyPatch,
    sign: dict[str, Any],
) -> None:
    audio = decode(shared_audio / "librivox-0880.wav")
    for name, value in sign.items():
        home = context if name == "most_tokens" else guard
        monkeypatch.setattr(home, name, value)
    model = Watched(plain)
    assert text_of(heard(model, audio)) == text_of(heard(plain, audio))
    assert [frames == WINDOW for frames in model.contexts] == [False, True]


def test_a_language_that_is_uncertain_is_looked_for_in_the_full_window(
    plain: WhisperModel, shared_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = decode(shared_audio / "french-dictee.aiff")[: 4 * RECOGNITION_RATE]
    monkeypatch.setattr(context, "LEAST_CERTAINTY", 1.1)
    model = Watched(plain)
    language, _ = model.spoken_language(audio, LANGUAGES)
    assert language == "fr"
    assert text_of(heard(model, audio, language)) == text_of(heard(plain, audio, language))
    assert model.contexts[-1] == WINDOW
    assert len(model.contexts) == 2


def assert_guarded(plain: WhisperModel, audio: Samples, language: str = "en") -> None:
    """The text has no bad sign, or is the full window's."""
    limit = most_tokens(round(len(audio) / RECOGNITION_RATE * 100))
    segments = heard(ClipWhisper(plain), audio, language)
    suspect = [
        segment
        for segment in segments
        if segment.avg_logprob < least_log_probability(len(segment.tokens))
        or segment.compression_ratio > MOST_COMPRESSION
        or len(segment.tokens) >= limit
    ]
    if suspect:
        assert text_of(segments) == text_of(heard(plain, audio, language))


@pytest.mark.parametrize("sound", SOUNDS)
def test_sounds_that_are_no_speech(plain: WhisperModel, sound: str) -> None:
    assert_guarded(plain, SOUNDS[sound])


@pytest.mark.parametrize("sound", SPEECH)
def test_speech_that_is_hard(plain: WhisperModel, shared_audio: Path, sound: str) -> None:
    name, start, end = SPEECH[sound]
    audio = decode(shared_audio / name)
    audio = audio[round(start * RECOGNITION_RATE) : round(end * RECOGNITION_RATE)]
    if sound == "overdriven":
        audio = np.clip(8 * audio, -1, 1)
    assert_guarded(plain, audio, "fr" if sound == "another language" else "en")


def test_words_have_times_from_the_window_that_they_were_read_in(
    plain: WhisperModel, shared_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = decode(shared_audio / "librivox-0880.wav")
    monkeypatch.setattr(guard, "least_log_probability", lambda tokens: 0.0)
    options: dict[str, Any] = {
        "language": "en",
        "word_timestamps": True,
        "condition_on_previous_text": False,
    }
    widened, _ = ClipWhisper(plain).transcribe(audio, **options)
    full, _ = plain.transcribe(audio, **options)
    assert [(word.word, word.start) for segment in widened for word in segment.words] == [
        (word.word, word.start) for segment in full for word in segment.words
    ]


def test_one_full_window_is_encoded_at_a_time(plain: WhisperModel) -> None:
    inside, together = [0], list[int]()

    class Counting(_Watch):
        def encode(self, features: Any, **options: Any) -> Any:
            inside[0] += 1
            together.append(inside[0])
            encoding = super().encode(features, **options)
            inside[0] -= 1
            return encoding

    window = np.ones((80, WINDOW), np.float32)
    begin = threading.Barrier(2, timeout=10)

    def read() -> None:
        model = ClipWhisper(plain)
        model.model = Counting(plain.model, [])
        begin.wait()
        model.encode(window)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert together == [1, 1]


def test_each_temperature_is_a_step(
    on_ctranslate2: WhisperModel, shared_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MOST_COMPRESSION", 0.0)
    audio = decode(shared_audio / "librivox-0880.wav")
    steps = [0, 0]
    for place, temperatures in enumerate(((0.0,), (0.0, 0.0, 0.0))):

        def step(place: int = place) -> None:
            steps[place] += 1

        segments, _ = ClipWhisper(on_ctranslate2, step).transcribe(
            audio, language="en", compression_ratio_threshold=0.0, temperature=temperatures
        )
        assert list(segments)
    assert steps == [4, 6]
