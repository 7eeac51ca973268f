"""What the stub engine spoke, it hears again exactly: any text, through every format and codec."""
# Marks of many scripts are the subject here.

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soundalike.audio.decode import decode
from soundalike.audio.encode import encode
from soundalike.audio.pcm import RECOGNITION_RATE, SPEECH_RATE, Pcm, Samples
from soundalike.engines.base import AudioFormat, EngineConfig, SpeechJob, TranscriptionJob
from soundalike.engines.stub import StubSpeechEngine, StubTranscriptionEngine
from soundalike.transcript import Segment, Transcript

SENTENCE = "The quick brown fox jumps over the lazy dog, as it has done for a hundred years."
TEXTS = {
    "ascii": "Hello, world! How are you? I paid $3.50 (or 2,000 yen) on 5/6/2024.",
    "accents": "Été à l'œuvre: žluťoučký kůň, smørrebrød, ação, ßüß – “naïve”.",
    "cyrillic": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "chinese": "语言模型可以生成语音。今天天气很好！我们去公园吧。",
    "japanese": "吾輩は猫である。名前はまだ無い。",
    "hindi": "नमस्ते दुनिया। आप कैसे हैं?",
    "emoji": "Party 🎉👩‍👩‍👧‍👦 🇫🇷 👍🏽!",
    "right to left": "שלום עולם, مرحبا بالعالم؟ \u202bmixed\u202c",
    "lines": "First line.\nSecond  line,   spaced.\r\n\r\n\tThird paragraph.",
    "long": ((SENTENCE + " ") * 60)[:4096],
    "long word": "x" * 1000,
    "long chinese": "没有标点的很长的句子" * 60,
}
CODECS = {
    "mp3 128k": ("mp3", "libmp3lame", 24_000, 128_000),
    "mp3 8 kHz 24k": ("mp3", "libmp3lame", 8_000, 24_000),
    "opus 24k": ("ogg", "libopus", 24_000, 24_000),
    "opus 24k 48 kHz": ("webm", "libopus", 48_000, 24_000),
    "aac 64k": ("adts", "aac", 24_000, 64_000),
    "m4a 44 kHz": ("ipod", "aac", 44_100, 96_000),
    "flac": ("flac", "flac", 24_000, 0),
    "telephone": ("wav", "pcm_mulaw", 8_000, 0),
    "wav 22 kHz": ("wav", "pcm_s16le", 22_050, 0),
}
SPEAKER = StubSpeechEngine(EngineConfig("stub"))
LISTENER = StubTranscriptionEngine(EngineConfig("stub"))

VOICES = tuple(voice.id for voice in SPEAKER.voices())


def speak(text: str, speed: float = 1.0, voice: str = "alloy") -> Pcm:
    return np.concatenate(list(SPEAKER.synthesize(SpeechJob(text, voice, speed=speed))))


def transcoded(audio: "Samples | Pcm", rate: int, codec: str) -> Samples:
    """Audio as a codec leaves it, at 16 kHz."""
    container, encoder, codec_rate, bit_rate = CODECS[codec]
    pcm = np.rint(audio * 32767).astype(np.int16) if audio.dtype == np.float32 else audio
    frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
    frame.rate = rate
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=codec_rate, layout="mono", bit_rate=bit_rate)
        assert isinstance(stream, av.AudioStream)
        output.start_encoding()
        context = stream.codec_context
        resampler = av.AudioResampler(context.format, "mono", codec_rate, context.frame_size)
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))
    file.seek(0)
    resampler = av.AudioResampler("flt", "mono", RECOGNITION_RATE)
    with av.open(file, "r") as upload:
        blocks = [block for heard in upload.decode(audio=0) for block in resampler.resample(heard)]
    blocks += resampler.resample(None)
    joined: Samples = np.concatenate([block.to_ndarray()[0] for block in blocks])
    return np.clip(joined, -1, 1)


def plain(speech: Pcm) -> Samples:
    """24 kHz speech at 16 kHz, untouched otherwise."""
    return transcoded(speech, SPEECH_RATE, "flac")


def text_of(audio: Samples) -> str:
    events = LISTENER.transcribe(TranscriptionJob(Path("unused")), audio)
    segments = tuple(event for event in events if isinstance(event, Segment))
    return Transcript("transcribe", "en", 0.0, segments).text


@pytest.mark.parametrize("speed", [1.0, 4.0])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_was_spoken_is_heard_exactly(text: str, speed: float) -> None:
    assert text_of(plain(speak(text, speed))) == text.strip()


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(min_size=1, max_size=80).filter(str.strip),
    speed=st.floats(0.25, 4.0),
    voice=st.sampled_from(VOICES),
)
@example(text="\0", speed=4.0, voice="shimmer")
@example(text="a \x1c b", speed=1.0, voice="onyx")
@example(text="Hm.  \n Yes. \u2003 No", speed=3.3, voice="nova")
def test_any_text_is_heard_exactly(text: str, speed: float, voice: str) -> None:
    assert text_of(plain(speak(text, speed, voice))) == text.strip()


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("codec", CODECS)
def test_the_text_survives_every_codec(codec: str, speed: float) -> None:
    text = TEXTS["lines"] if speed < 1 else TEXTS["accents"] + " " + SENTENCE
    assert text_of(transcoded(speak(text, speed, "nova"), SPEECH_RATE, codec)) == text


@pytest.mark.parametrize("voice", VOICES)
def test_every_voice_survives_opus(voice: str) -> None:
    """Opus at 24 kbit/s makes pure tones howl."""
    text = (SENTENCE + " ") * 4
    audio = transcoded(speak(text, voice=voice), SPEECH_RATE, "opus 24k")
    assert text_of(audio) == text.strip()


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
@pytest.mark.parametrize(
    "chain",
    [
        ("mp3 128k", "opus 24k", "aac 64k"),
        ("aac 64k", "mp3 8 kHz 24k", "flac", "opus 24k"),
        ("opus 24k", "opus 24k", "telephone", "mp3 128k"),
    ],
    ids=" > ".join,
)
def test_the_text_survives_transcodes(chain: tuple[str, ...], speed: float) -> None:
    audio = transcoded(speak(SENTENCE, speed), SPEECH_RATE, chain[0])
    for codec in chain[1:]:
        audio = transcoded(audio, RECOGNITION_RATE, codec)
    assert text_of(audio) == SENTENCE


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "aac", "flac", "wav"])
def test_the_text_survives_every_format_of_the_server(
    audio_format: AudioFormat, tmp_path: Path
) -> None:
    text = TEXTS["lines"]
    for voice, speed in (("alloy", 1.0), ("onyx", 0.25), ("shimmer", 4.0)):
        job = SpeechJob(text, voice, audio_format, speed)
        file = tmp_path / voice
        file.write_bytes(b"".join(encode(SPEAKER.synthesize(job), SPEECH_RATE, audio_format)))
        assert text_of(decode(file)) == text


def test_several_utterances_are_heard_with_a_space_between() -> None:
    one, two = speak("One. And a half."), speak("Two", 2.0, "onyx")
    pause = np.zeros(12_345, np.int16)
    assert text_of(plain(np.concatenate([one, two]))) == "One. And a half. Two"
    assert text_of(plain(np.concatenate([pause, one, pause, two, one, pause]))) == (
        "One. And a half. Two One. And a half."
    )


def test_a_text_whose_beginning_is_lost_is_heard_from_there() -> None:
    first, *rest = SPEAKER.synthesize(SpeechJob("One. Two. Three.", "echo"))
    assert text_of(plain(np.concatenate([first[len(first) // 2 :], *rest]))) == "Two. Three."
