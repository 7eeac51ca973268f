"""What FFmpeg makes of a container, with the little that it is given to look at."""

import io
import wave

import numpy as np

from soundalike.audio.container import opened, sound_stream

DTS_HEADER = bytes.fromhex("7ffe8001fc3c7ff0a300083800")
"""Of frames of 2048 bytes, 512 samples of 44.1 kHz stereo each (ETSI TS 102 114, section 5.3)."""


def in_wav(sound: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(44100)
        wav.writeframes(sound)
    return file


def codec(file: io.BytesIO) -> str:
    with opened(file) as container:
        return sound_stream(container).codec_context.name


def test_dts_that_poses_as_pcm_is_not_taken_for_noise() -> None:
    frame = DTS_HEADER + np.random.default_rng(0).bytes(2048 - len(DTS_HEADER))
    posing = np.frombuffer(frame * 100, ">u2").astype("<u2").tobytes()
    assert codec(in_wav(bytes(2**15) + posing)) == "dca"


def test_noise_is_not_taken_for_another_codec() -> None:
    noise = np.random.default_rng(0).integers(-3000, 3000, 2**16).astype("<i2").tobytes()
    assert codec(in_wav(noise)) == "pcm_s16le"
