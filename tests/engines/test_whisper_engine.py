"""Whisper base on human speech."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from soundalike.audio.decode import decode
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.whisper import WhisperEngine
from soundalike.engines.whisper.scoring import ScoringWhisper, log_probability
from soundalike.transcript import Delta, Detected, Segment, TranscriptionEvent

SPOKEN = {
    "librivox-0870.wav": "and mister john dashwood had then leisure to consider how much there "
    "might be prudently in his power to do for them",
    "librivox-0880.wav": "he was not an ill disposed young man",
    "librivox-0890.wav": "unless to be rather cold hearted and rather selfish is to be ill "
    "disposed",
    "jfk.flac": "and so my fellow americans ask not what your country can do for you ask what "
    "you can do for your country",
}
FRENCH = "french-dictee.aiff"
JOB = TranscriptionJob(Path("unread"))

Hear = Callable[[TranscriptionJob, str], list[TranscriptionEvent]]


@pytest.fixture(scope="module")
def engine(whisper_weights: Path) -> Iterator[WhisperEngine]:
    engine = WhisperEngine(EngineConfig("whisper", whisper_weights, {"device": "cpu", "slots": 2}))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def speech(shared_audio: Path) -> Callable[[str], Samples]:
    @cache
    def read(name: str) -> Samples:
        return decode(shared_audio / name)

    return read


@pytest.fixture(scope="module")
def hear(engine: WhisperEngine, speech: Callable[[str], Samples]) -> Hear:
    """All events of a job on one of the shared files; the same job is done only once."""

    @cache
    def events(job: TranscriptionJob, name: str) -> list[TranscriptionEvent]:
        return list(engine.transcribe(job, speech(name)))

    return events


def segments_of(events: list[TranscriptionEvent]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def deltas_of(events: list[TranscriptionEvent]) -> list[Delta]:
    return [event for event in events if isinstance(event, Delta)]


def text_of(events: list[TranscriptionEvent]) -> str:
    return "".join(segment.text for segment in segments_of(events)).strip()


def normalised(text: str) -> str:
    spoken = re.sub(r"[^a-z0-9' ]", "", text.lower().replace("-", " "))
    return " ".join("mister" if word == "mr" else word for word in spoken.split())


def word_error_rate(reference: str, text: str) -> float:
    return jiwer.wer(reference, normalised(text))


def assert_times_grow(segments: list[Segment], duration: float) -> None:
    clock = 0.0
    for segment in segments:
        assert segment.words
        assert clock <= segment.start <= segment.end <= duration
        clock = segment.start
        for word in segment.words:
            assert clock <= word.start <= word.end <= segment.end
            clock = word.end
        clock = segment.end


@pytest.mark.parametrize("name", SPOKEN)
def test_human_speech_is_recognised(hear: Hear, name: str) -> None:
    events = hear(replace(JOB, word_timestamps=True), name)
    assert word_error_rate(SPOKEN[name], text_of(events)) <= 0.05


@pytest.mark.parametrize("name", SPOKEN)
def test_word_times_lie_in_their_segment_and_grow(
    hear: Hear, speech: Callable[[str], Samples], name: str
) -> None:
    detected, *events = hear(replace(JOB, word_timestamps=True), name)
    duration = len(speech(name)) / RECOGNITION_RATE
    assert detected == Detected("en", duration)
    assert_times_grow(segments_of(events), duration)
    for segment in segments_of(events):
        assert "".join(word.word for word in segment.words or ()) == segment.text
        assert all(0 < word.probability <= 1 for word in segment.words or ())


def test_segments_have_the_fields_of_whisper(hear: Hear) -> None:
    (segment,) = segments_of(hear(replace(JOB, deltas=True), "librivox-0880.wav"))
    assert (segment.id, segment.seek, segment.temperature) == (0, 0, 0.0)
    assert segment.text.startswith(" He")
    assert segment.start == pytest.approx((segment.tokens[0] - 50364) * 0.02)
    said_until = (segment.tokens[-1] - 50364) * 0.02
    assert segment.end == pytest.approx(min(said_until, 2.99))  # which is where the file ends
    assert segment.avg_logprob < 0 < segment.compression_ratio
    assert 0 <= segment.no_speech_prob < 0.5
    assert segment.words is None
    assert segment.logprobs is None
    assert type(segment.start) is float
    assert {type(token) for token in segment.tokens} == {int}


def test_the_language_is_detected(hear: Hear) -> None:
    detected, *events = hear(JOB, FRENCH)
    assert isinstance(detected, Detected)
    assert detected.language == "fr"
    assert "dictée" in text_of(events)


def test_translation_gives_english(hear: Hear) -> None:
    detected, *events = hear(replace(JOB, task="translate"), FRENCH)
    assert isinstance(detected, Detected)
    assert detected.language == "fr"
    assert "number" in text_of(events).lower()


def test_nothing_is_printed(hear: Hear, capfd: pytest.CaptureFixture[str]) -> None:
    hear(replace(JOB, language="en"), "librivox-0880.wav")
    assert capfd.readouterr().out == ""


def test_a_fifth_of_a_second(engine: WhisperEngine, speech: Callable[[str], Samples]) -> None:
    fragment = speech("jfk.flac")[20_000:23_200]
    detected, *events = engine.transcribe(JOB, fragment)
    assert isinstance(detected, Detected)
    assert detected.duration == 0.2
    assert len(text_of(events).split()) <= 2


@pytest.fixture(scope="module")
def long_speech(speech: Callable[[str], Samples]) -> tuple[Samples, dict[str, tuple[float, float]]]:
    """The four files with pauses before each, and the seconds between which each is heard."""
    parts: list[Samples] = []
    places: dict[str, tuple[float, float]] = {}
    for pause, name in zip((6, 1, 8, 2), SPOKEN, strict=True):
        parts.append(np.zeros(pause * RECOGNITION_RATE, np.float32))
        start = sum(map(len, parts)) / RECOGNITION_RATE
        parts.append(speech(name))
        places[name] = (start, start + len(speech(name)) / RECOGNITION_RATE)
    return np.concatenate(parts), places


def test_text_and_times_of_more_than_one_window(
    engine: WhisperEngine, long_speech: tuple[Samples, dict[str, tuple[float, float]]]
) -> None:
    audio, places = long_speech
    duration = len(audio) / RECOGNITION_RATE
    assert duration > 30
    events = list(engine.transcribe(replace(JOB, word_timestamps=True), audio))
    segments = segments_of(events)
    assert word_error_rate(" ".join(SPOKEN.values()), text_of(events)) <= 0.05
    assert [segment.id for segment in segments] == list(range(len(segments)))
    assert_times_grow(segments, duration)
    for name, (start, end) in places.items():
        inside = [
            word.word
            for segment in segments
            for word in segment.words or ()
            if start - 0.5 <= word.start and word.end <= end + 0.5
        ]
        assert word_error_rate(SPOKEN[name], "".join(inside)) <= 0.05


def test_a_window_is_recognised_when_its_events_are_asked_for(
    engine: WhisperEngine,
    long_speech: tuple[Samples, dict[str, tuple[float, float]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode_window = engine._model.generate_with_fallback
    decoded: list[int] = []

    def counting(*args: Any, **kwargs: Any) -> Any:
        decoded.append(1)
        return decode_window(*args, **kwargs)

    monkeypatch.setattr(engine._model, "generate_with_fallback", counting)
    events = engine.transcribe(replace(JOB, language="en", deltas=True), long_speech[0])
    assert [type(next(events)) for _ in range(2)] == [Detected, Delta]
    assert len(decoded) == 1
    first = next(event for event in events if isinstance(event, Segment))
    assert "Dashwood" in first.text
    assert len(decoded) == 1
    events.close()  # type: ignore[attr-defined]
    assert len(decoded) == 1


def test_two_threads_hear_what_one_hears(
    engine: WhisperEngine, hear: Hear, speech: Callable[[str], Samples]
) -> None:
    names = ["librivox-0880.wav", FRENCH, "librivox-0890.wav", "librivox-0880.wav"]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(lambda name: list(engine.transcribe(JOB, speech(name))), names)
        assert [text_of(events) for events in together] == [
            text_of(hear(JOB, name)) for name in names
        ]


def test_a_long_recording_does_not_hold_up_a_short_one(
    engine: WhisperEngine,
    speech: Callable[[str], Samples],
    long_speech: tuple[Samples, dict[str, tuple[float, float]]],
) -> None:
    long = engine.transcribe(replace(JOB, language="en"), np.tile(long_speech[0], 2))
    begun, finished = [next(long), next(long)], threading.Event()

    def rest() -> list[TranscriptionEvent]:
        events = list(long)
        finished.set()
        return events

    with ThreadPoolExecutor(1) as pool:
        hearing = pool.submit(rest)
        short = list(engine.transcribe(JOB, speech("librivox-0880.wav")))
        assert not finished.is_set()
        assert word_error_rate(SPOKEN["librivox-0880.wav"], text_of(short)) <= 0.05
        text = text_of([*begun, *hearing.result()])
    assert word_error_rate(" ".join([*SPOKEN.values()] * 2), text) <= 0.05


@pytest.mark.parametrize("logprobs", [False, True])
def test_deltas_put_together_are_the_text(hear: Hear, logprobs: bool) -> None:
    events = hear(replace(JOB, deltas=True, logprobs=logprobs), "librivox-0880.wav")
    (segment,) = segments_of(events)
    deltas = deltas_of(events)
    assert "".join(delta.text for delta in deltas) == segment.text
    assert len(deltas) > 5
    assert events == [events[0], *deltas, segment]


def test_deltas_only_where_asked_for(hear: Hear) -> None:
    assert deltas_of(hear(JOB, FRENCH)) == []


@pytest.mark.parametrize("name", ["librivox-0880.wav", FRENCH])
def test_log_probabilities_are_those_of_the_text(hear: Hear, name: str) -> None:
    events = hear(replace(JOB, deltas=True, logprobs=True), name)
    (segment,) = segments_of(events)
    assert segment.logprobs
    assert all(scored.logprob <= 0 for scored in segment.logprobs)
    assert b"".join(bytes(scored.bytes) for scored in segment.logprobs).decode() == segment.text
    assert sum((delta.logprobs for delta in deltas_of(events)), ()) == segment.logprobs
    # The average of the segment counts the timestamps and the end of the text too.
    text_only = sum(scored.logprob for scored in segment.logprobs)
    everything = segment.avg_logprob * (len(segment.tokens) + 1)
    assert everything < text_only < 0


START = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>")
END = "<|endoftext|>"


def decoded(model: Any, audio: Samples, **options: Any) -> Any:
    """The best text of a full window, as the network that is below faster-whisper gives it."""
    features = model.feature_extractor(audio)[:, :3000]
    features = np.pad(features, ((0, 0), (0, 3000 - features.shape[1])))
    start = [model.hf_tokenizer.token_to_id(token) for token in START]
    (result,) = model.model.generate(
        model.encode(features), [start], max_length=448, length_penalty=1, **options
    )
    return result


def test_log_probabilities_of_ctranslate2_are_the_decoder_s_own(
    whisper_weights: Path, speech: Callable[[str], Samples]
) -> None:
    config = EngineConfig("whisper", whisper_weights, {"compute_type": "int8_float32", "slots": 1})
    engine = WhisperEngine(config)
    scoring = engine._scoring_model
    assert isinstance(scoring.model, ScoringWhisper)
    options = {"beam_size": 1, "return_scores": True}
    scored = decoded(scoring, speech("jfk.flac"), **options)
    plain = decoded(engine._model, speech("jfk.flac"), return_logits_vocab=True, **options)
    tokens = scored.sequences_ids[0]
    assert tokens == plain.sequences_ids[0]
    # The decoder's sum has one more part, that of the end of the text.
    end = log_probability(plain.logits[0][len(tokens)], scoring.hf_tokenizer.token_to_id(END))
    assert len(tokens) > 20
    assert sum(token.logprob for token in tokens) + end == pytest.approx(
        plain.scores[0] * len(tokens), abs=0.01
    )
    assert scored.scores == plain.scores
    job = replace(JOB, logprobs=True)
    (_, segment, *_) = engine.transcribe(job, speech("librivox-0880.wav"))
    engine.close()
    assert isinstance(segment, Segment)
    assert segment.logprobs
    assert "".join(scored.token for scored in segment.logprobs) == segment.text


def test_log_probabilities_do_not_change_the_text(hear: Hear) -> None:
    for name in SPOKEN:
        asked = hear(replace(JOB, logprobs=True), name)
        assert text_of(asked) == text_of(hear(JOB, name))


def test_the_prompt_decides_the_spelling(hear: Hear) -> None:
    plain = text_of(hear(replace(JOB, word_timestamps=True), "librivox-0870.wav"))
    assert "Mr. John Dashwood" in plain
    job = replace(JOB, language="en", prompt="Mister Jon Dashwud")
    assert "Mister Jon Dashwud" in text_of(hear(job, "librivox-0870.wav"))


@pytest.mark.parametrize(
    "prompt",
    ["  ", "<|endoftext|><|startoftranscript|><|fr|><|translate|>", "word " * 600],
    ids=["blank", "control tokens", "too long"],
)
def test_no_prompt_breaks_the_decoder(hear: Hear, prompt: str) -> None:
    name = "librivox-0880.wav"
    text = text_of(hear(replace(JOB, language="en", prompt=prompt), name))
    assert word_error_rate(SPOKEN[name], text) <= 0.15


def test_a_temperature_above_zero_samples(
    engine: WhisperEngine, speech: Callable[[str], Samples]
) -> None:
    job = replace(JOB, language="en", temperature=1.0)
    audio = speech("librivox-0880.wav")
    runs = [segments_of(list(engine.transcribe(job, audio))) for _ in range(4)]
    assert {segment.temperature for run in runs for segment in run} == {1.0}
    assert len({tuple(segment.tokens for segment in run) for run in runs}) > 1


def test_a_language_that_is_given_takes_no_turn(
    engine: WhisperEngine, speech: Callable[[str], Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = list[Any]()
    submit = engine._slots.submit

    def watched(run: Callable[[], Any], *, new: bool = False) -> Any:
        taken.append(run)
        return submit(run, new=new)

    monkeypatch.setattr(engine._slots, "submit", watched)
    audio = speech("librivox-0880.wav")
    for job in (replace(JOB, language="en"), replace(JOB, languages=("en",))):
        taken.clear()
        assert segments_of(list(engine.transcribe(job, audio)))
        assert len(taken) == 1
