"""The stub engine's speech and its transcription events, apart from the round trip."""

import math
from pathlib import Path

import numpy as np
import pytest
from av import AudioFrame, AudioResampler

from soundalike.audio.decode import decode
from soundalike.audio.encode import encode
from soundalike.audio.pcm import RECOGNITION_RATE, SPEECH_RATE, Pcm, Samples
from soundalike.engines.base import EngineConfig, SpeechJob, TranscriptionJob
from soundalike.engines.registry import speech_engine, transcription_engine
from soundalike.engines.stub import StubSpeechEngine, StubTranscriptionEngine
from soundalike.errors import InvalidRequestError
from soundalike.transcript import Delta, Detected, Segment, TranscriptionEvent

VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer"),
    *("verse", "marin", "cedar"),
)
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю."
SENTENCE = "The quick brown fox jumps over the lazy dog, as it has done for a hundred years."
SPEAKER = StubSpeechEngine(EngineConfig("stub"))
LISTENER = StubTranscriptionEngine(EngineConfig("stub"))
NOWHERE = Path("unused")


def speak(text: str, speed: float = 1.0, voice: str = "alloy") -> Pcm:
    return np.concatenate(list(SPEAKER.synthesize(SpeechJob(text, voice, speed=speed))))


def seconds(speech: Pcm) -> float:
    return len(speech) / SPEECH_RATE


def listened(speech: Pcm) -> Samples:
    """24 kHz speech at 16 kHz."""
    frame = AudioFrame.from_ndarray(speech[np.newaxis], format="s16", layout="mono")
    frame.rate = SPEECH_RATE
    resampler = AudioResampler("flt", "mono", RECOGNITION_RATE)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([block.to_ndarray()[0] for block in made])


def events(audio: Samples, job: TranscriptionJob | None = None) -> list[TranscriptionEvent]:
    return list(LISTENER.transcribe(job or TranscriptionJob(NOWHERE), audio))


def segments(audio: Samples, job: TranscriptionJob | None = None) -> tuple[Segment, ...]:
    return tuple(event for event in events(audio, job) if isinstance(event, Segment))


def text_of(audio: Samples) -> str:
    return "".join(segment.text for segment in segments(audio)).strip()


def test_both_halves_are_found_by_name() -> None:
    assert speech_engine("stub") is StubSpeechEngine
    assert transcription_engine("stub") is StubTranscriptionEngine


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("text", [SENTENCE, RUSSIAN, "Hello, world!", SENTENCE * 10])
def test_fifteen_characters_take_a_second(text: str, speed: float) -> None:
    assert seconds(speak(text, speed)) == pytest.approx(len(text) / 15 / speed, rel=0.05)


def test_five_chinese_characters_take_a_second() -> None:
    text = "语言模型可以生成语音。今天天气很好, 我们去公园吧。"
    assert seconds(speak(text)) == pytest.approx(len(text) / 5, rel=0.05)


def test_the_briefest_speech_is_long_enough_for_the_api() -> None:
    assert 0.1 < seconds(speak("a", 4.0)) < 0.2
    assert 0.3 < seconds(speak("a")) < 0.5


def test_speech_leaves_sentence_by_sentence() -> None:
    chunks = list(SPEAKER.synthesize(SpeechJob("One. Two. Three.", "alloy")))
    assert len(chunks) == 3
    assert all(chunk.dtype == np.int16 and chunk.ndim == 1 for chunk in chunks)


def test_the_same_text_gives_the_same_samples() -> None:
    again = StubSpeechEngine(EngineConfig("stub")).synthesize(
        SpeechJob(SENTENCE, "fable", speed=1.3)
    )
    assert np.array_equal(speak(SENTENCE, 1.3, "fable"), np.concatenate(list(again)))


def test_each_voice_has_a_pitch_of_its_own() -> None:
    pitches = set()
    for voice in VOICES:
        spectrum = np.abs(np.fft.rfft(speak(SENTENCE, voice=voice)[:SPEECH_RATE]))[:350]
        pitches.add(spectrum.argmax() // 10)
    assert len(pitches) == len(VOICES)
    assert tuple(voice.id for voice in SPEAKER.voices()) == VOICES


def test_an_unknown_voice_is_refused_before_anything_is_spoken() -> None:
    with pytest.raises(InvalidRequestError, match=r"'Alloy'.*alloy, ash.*cedar") as caught:
        SPEAKER.synthesize(SpeechJob("Hello.", "Alloy"))
    assert caught.value.param == "voice"


def test_a_text_with_a_lone_surrogate_is_refused_before_anything_is_spoken() -> None:
    with pytest.raises(InvalidRequestError, match="surrogate"):
        SPEAKER.synthesize(SpeechJob("Good so far. \ud83d", "alloy"))


@pytest.mark.parametrize("engine", [SPEAKER, LISTENER])
def test_the_languages_are_sorted(engine: StubSpeechEngine | StubTranscriptionEngine) -> None:
    languages = engine.languages()
    assert list(languages) == sorted(languages)
    assert {"en", "de", "zh", "yue"} <= set(languages)


STORY = "Hello there, Anna.  How are you?\nWell — I see! Good. " + SENTENCE


@pytest.fixture(scope="module")
def story() -> Samples:
    return listened(speak(STORY))


def test_the_first_event_tells_language_and_duration(story: Samples) -> None:
    duration = len(story) / RECOGNITION_RATE
    assert events(story)[0] == Detected("en", duration)
    german = TranscriptionJob(NOWHERE, language="de")
    assert events(story, german)[0] == Detected("de", duration)


def test_segments_look_like_whispers(story: Samples) -> None:
    found = segments(story, TranscriptionJob(NOWHERE, temperature=0.4))
    assert [segment.id for segment in found] == list(range(len(found)))
    assert [segment.text for segment in found] == [
        " Hello there, Anna.",
        "  How are you?",
        "\nWell — I see!",
        " Good.",
        " " + SENTENCE,
    ]
    assert "".join(segment.text for segment in found) == " " + STORY
    times = [time for segment in found for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert times[0] == pytest.approx(0, abs=0.06)
    assert times[-1] <= len(story) / RECOGNITION_RATE
    for segment in found:
        assert segment.seek == int(segment.start // 30) * 3000
        assert segment.tokens[0] == 50364 + round((segment.start - segment.seek / 100) / 0.02)
        assert segment.tokens[-1] > segment.tokens[0]
        assert all(token < 50257 for token in segment.tokens[1:-1])
        assert segment.temperature == 0.4
        assert -1 < segment.avg_logprob < 0
        assert 0 < segment.compression_ratio < 10
        assert 0 < segment.no_speech_prob < 0.1
        assert segment.words is None
        assert segment.logprobs is None
    assert segments(story)[0] == segments(story)[0]


def test_word_times_grow_within_their_segment(story: Samples) -> None:
    found = segments(story, TranscriptionJob(NOWHERE, word_timestamps=True))
    assert found[0].words is not None
    assert [word.word for word in found[0].words] == [" Hello", " there,", " Anna."]
    for segment in found:
        assert segment.words
        assert "".join(word.word for word in segment.words) == segment.text
        assert segment.words[0].start == segment.start
        assert segment.words[-1].end == pytest.approx(segment.end)
        for word, following in zip(segment.words, segment.words[1:], strict=False):
            assert word.start < word.end <= following.start
        assert all(0 < word.probability < 1 for word in segment.words)


def test_chinese_words_are_characters() -> None:
    audio = listened(speak("你好、世界 OK。"))
    (segment,) = segments(audio, TranscriptionJob(NOWHERE, word_timestamps=True))
    assert segment.words is not None
    assert [word.word for word in segment.words] == [" 你", "好、", "世", "界", " OK。"]


def test_deltas_come_ahead_of_their_segment_and_add_up_to_it(story: Samples) -> None:
    job = TranscriptionJob(NOWHERE, deltas=True, logprobs=True)
    pending: list[Delta] = []
    for event in events(story, job)[1:]:
        if isinstance(event, Delta):
            pending.append(event)
        else:
            assert isinstance(event, Segment)
            assert "".join(delta.text for delta in pending) == event.text
            assert tuple(logprob for delta in pending for logprob in delta.logprobs) == (
                event.logprobs
            )
            pending.clear()
    assert not pending


def test_log_probabilities_belong_to_the_tokens(story: Samples) -> None:
    (segment, *_) = segments(story, TranscriptionJob(NOWHERE, logprobs=True))
    assert segment.logprobs is not None
    assert [logprob.token for logprob in segment.logprobs] == [
        " Hello",
        " there",
        ",",
        " Anna",
        ".",
    ]
    for logprob in segment.logprobs:
        assert logprob.logprob < 0
        assert bytes(logprob.bytes).decode() == logprob.token
    mean = sum(logprob.logprob for logprob in segment.logprobs) / len(segment.logprobs)
    assert math.isclose(segment.avg_logprob, mean)
    (delta, *_) = events(story, TranscriptionJob(NOWHERE, deltas=True))[1:]
    assert delta == Delta(" Hello", ())


def test_a_translation_is_the_same_text(story: Samples) -> None:
    assert segments(story, TranscriptionJob(NOWHERE, task="translate")) == segments(story)


def babble(length: int = 5 * RECOGNITION_RATE, seed: int = 1) -> Samples:
    """Noise whose colour changes every 0.3 s, and with a pause in the middle."""
    random = np.random.default_rng(seed)
    slots = random.standard_normal((-(-length // 4800), 4800))
    widths = random.integers(2, 40, len(slots))
    rows = [
        np.convolve(row, np.hanning(width + 2), "same") / width
        for row, width in zip(slots, widths, strict=True)
    ]
    rows[len(rows) // 2 - 2 : len(rows) // 2 + 2] = np.zeros((4, 4800))
    return (0.1 * np.concatenate(rows)[:length]).astype(np.float32)


def test_other_sounds_give_words_of_their_own() -> None:
    texts = [text_of(babble(seed=seed)) for seed in range(5)]
    assert len(set(texts)) == 5
    for text in texts:
        assert 5 <= len(text.split()) <= 15
        assert text[0].isupper()
        assert text.endswith(".")
    assert text_of(babble(seed=0)) == texts[0]


def test_other_sounds_have_segments_where_they_sound() -> None:
    found = segments(babble(), TranscriptionJob(NOWHERE, word_timestamps=True))
    assert len(found) == 2
    assert found[0].start == 0
    assert found[0].end <= found[1].start
    assert found[1].end == 5
    assert all(segment.words for segment in found)
    assert events(babble())[0] == Detected("en", 5.0)


def test_words_of_other_sounds_mostly_survive_a_codec(tmp_path: Path) -> None:
    before = text_of(babble()).lower().split()
    file = tmp_path / "babble.mp3"
    pcm = np.rint(32767 * babble()).astype(np.int16)
    file.write_bytes(b"".join(encode(iter([pcm]), RECOGNITION_RATE, "mp3")))
    after = text_of(decode(file)).lower().split()
    same = sum(a == b for a, b in zip(before, after, strict=False))
    assert same >= 0.7 * len(before)


@pytest.mark.parametrize("length", [0, 1, 1_600, 160_000])
def test_silence_is_no_text(length: int) -> None:
    silence = np.zeros(length, np.float32)
    assert events(silence, TranscriptionJob(NOWHERE, language="de")) == [
        Detected(None, length / RECOGNITION_RATE)
    ]
    dither = 3e-5 * np.random.default_rng(0).standard_normal(length).astype(np.float32)
    assert segments(dither) == ()


def test_samples_that_are_no_numbers_do_no_harm(story: Samples) -> None:
    for audio in (
        np.full(20_000, np.nan, np.float32),
        np.full(20_000, np.inf, np.float32),
        np.full(3, 1.0, np.float32),
        np.full(20_000, 3e38, np.float32) * np.sign(babble(20_000)),
    ):
        assert isinstance(events(audio)[0], Detected)
    holed = np.concatenate([np.full(100, np.nan, np.float32), 30_000 * story])
    assert text_of(holed) == STORY
