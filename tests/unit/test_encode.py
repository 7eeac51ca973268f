import io
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import get_args

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from soundalike.audio.encode import encode
from soundalike.audio.pcm import SPEECH_RATE, Pcm
from soundalike.engines.base import AudioFormat

FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)

# What a decoder hears beyond the speech: MP3 and ADTS cannot say how much of their first and last
# frames is padding. LAME starts 1105 samples late and fills up frames of 576, AAC starts 1024
# late and fills up frames of 1024. The others are exact.
PADDING_SECONDS = {"mp3": (1105 + 2 * 576) / SPEECH_RATE, "aac": 2 * 1024 / SPEECH_RATE}


def tone(seconds: float, rate: int = SPEECH_RATE) -> Pcm:
    times = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 440 * times) * 12_000).astype(np.int16)


def cut(sound: Pcm, size: int = 4_800) -> Iterator[Pcm]:
    return (sound[start : start + size] for start in range(0, len(sound), size))


def encoded(sound: Pcm, kind: AudioFormat, rate: int = SPEECH_RATE, size: int = 4_800) -> bytes:
    return b"".join(encode(cut(sound, size), rate, kind))


def heard(data: bytes, kind: AudioFormat) -> NDArray[np.float64]:
    """The samples again, after a check that they are 24 kHz mono."""
    if kind == "pcm":
        return np.frombuffer(data, "<i2") / 2**15
    with av.open(io.BytesIO(data), "r") as container:
        (stream,) = container.streams.audio
        # Opus always decodes at 48 kHz; its header tells the rate of the source.
        rate = 48_000 if kind == "opus" else SPEECH_RATE
        assert (stream.rate, stream.channels) == (rate, 1)
        resampler = av.AudioResampler("s16", "mono", SPEECH_RATE)
        frames = [out for frame in container.decode(stream) for out in resampler.resample(frame)]
        if kind == "opus":
            frames += resampler.resample(None)
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 2**15


def pitch(sound: NDArray[np.float64]) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * SPEECH_RATE / len(sound))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_speech_survives_every_format_at_24_khz_mono(kind: AudioFormat, rate: int) -> None:
    seconds = 1.513
    sound = heard(encoded(tone(seconds, rate), kind, rate), kind)
    excess = len(sound) / SPEECH_RATE - seconds
    assert -0.0001 <= excess <= PADDING_SECONDS.get(kind, 0) + 0.0001
    assert pitch(sound) == pytest.approx(440, abs=1)
    middle = sound[SPEECH_RATE // 2 : SPEECH_RATE]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(12_000 / 2**15 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("kind", ["pcm", "wav", "flac", "opus"])
def test_formats_that_can_say_so_end_with_the_last_sample(kind: AudioFormat) -> None:
    assert len(heard(encoded(tone(7.777), kind), kind)) == round(7.777 * SPEECH_RATE)


def test_aac_brings_the_samples_back() -> None:
    sound = tone(2.0)
    again = heard(encoded(sound, "aac"), "aac")[1024:][: sound.size]
    noise = again - sound / 2**15
    assert 20 * np.log10(np.std(sound / 2**15) / np.std(noise)) > 30


def test_mp3_is_constant_128_kbps_frames_from_the_first_byte() -> None:
    data = encoded(tone(2.0), "mp3")
    assert data.startswith(bytes.fromhex("fff3c4c4"))
    assert len(data) % 384 == 0
    assert all(data[at : at + 3] == b"\xff\xf3\xc4" for at in range(0, len(data), 384))
    assert b"Xing" not in data
    assert b"Info" not in data


def ogg_pages(data: bytes) -> Iterator[tuple[int, int]]:
    """Granule position and serial number of each page (RFC 3533, section 6)."""
    at = 0
    while at < len(data):
        capture, _, _, granule, serial, _, _, segments = struct.unpack_from("<4sBBqIIIB", data, at)
        assert capture == b"OggS"
        lacing = data[at + 27 : at + 27 + segments]
        yield granule, serial
        at += 27 + segments + sum(lacing)


def test_opus_header_has_pre_skip_312_one_channel_and_the_input_rate() -> None:
    data = encoded(tone(1.0), "opus")
    version, channels, pre_skip, rate = struct.unpack_from(
        "<BBHI", data, data.index(b"OpusHead") + 8
    )
    assert (version, channels, pre_skip, rate) == (1, 1, 312, 24_000)
    assert b"encoder=Lavc libopus" in data


def test_opus_pages_last_100_ms_and_the_last_ends_with_the_speech() -> None:
    granules = [granule for granule, _ in ogg_pages(encoded(tone(1.5), "opus"))]
    assert granules[:2] == [0, 0]
    audio = granules[2:]
    assert all(after - before <= 4_800 for before, after in pairwise([0, *audio]))
    assert audio[-1] == 72_000 + 312


def test_opus_serial_number_is_the_same_in_every_file() -> None:
    first, second = ({s for _, s in ogg_pages(encoded(tone(n), "opus"))} for n in (0.3, 0.7))
    assert first == second
    assert len(first) == 1


def test_aac_is_raw_adts_low_complexity() -> None:
    data = encoded(tone(1.0), "aac")
    assert data.startswith(bytes.fromhex("fff158"))
    at = frames = 0
    while at < len(data):
        assert data[at : at + 3] == bytes.fromhex("fff158")
        at += (data[at + 3] & 0b11) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames += 1
    assert frames == 25  # 23.4 of sound, filled up, and the one that AAC starts late
    assert at == len(data)


def test_flac_header_leaves_length_and_checksum_open() -> None:
    data = encoded(tone(1.0), "flac")
    assert data.startswith(b"fLaC\x00\x00\x00\x22")
    smallest, largest = struct.unpack_from(">HH", data, 8)
    assert (smallest, largest) == (2304, 2304)
    packed = int.from_bytes(data[18:26])
    rate, channels, bits, total = packed >> 44, packed >> 41 & 7, packed >> 36 & 31, packed % 2**36
    assert (rate, channels + 1, bits + 1, total) == (24_000, 1, 16, 0)
    assert data[26:42] == bytes(16)


def test_wav_is_a_header_of_44_bytes_with_open_sizes_and_the_samples() -> None:
    sound = tone(0.5)
    header = bytes.fromhex(
        "52494646 ffffffff 57415645 666d7420 10000000 0100 0100 c05d0000 80bb0000 0200 1000"
        "64617461 ffffffff"
    )
    assert encoded(sound, "wav") == header + sound.astype("<i2").tobytes()


def test_pcm_is_the_samples_alone() -> None:
    sound = tone(0.5)
    assert encoded(sound, "pcm") == sound.astype("<i2").tobytes()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate", [22_050, 24_000])
def test_first_bytes_leave_before_the_second_chunk_is_made(kind: AudioFormat, rate: int) -> None:
    made = 0

    def chunks() -> Iterator[Pcm]:
        nonlocal made
        for chunk in cut(tone(2.0, rate), size=rate // 2):
            made += 1
            yield chunk

    stream = encode(chunks(), rate, kind)
    assert made == 0
    assert next(stream)
    assert made == 1
    assert all(stream)
    assert made == 4


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "mp3"])
def test_sound_leaves_at_most_a_quarter_of_a_second_after_it_is_made(kind: AudioFormat) -> None:
    made = 0.0

    def chunks() -> Iterator[Pcm]:
        nonlocal made
        for chunk in cut(tone(3.0)):
            made += len(chunk) / SPEECH_RATE
            yield chunk

    sent = b""
    for piece in encode(chunks(), SPEECH_RATE, kind):
        sent += piece
        if made > 1.5:
            break
    assert len(heard(sent, kind)) / SPEECH_RATE > made - 0.25


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "mp3"])
def test_every_chunk_of_200_ms_sends_bytes(kind: AudioFormat) -> None:
    pieces = list(encode(cut(tone(2.0)), SPEECH_RATE, kind))
    assert len(pieces) >= 10
    assert all(pieces)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate", [22_050, 24_000])
def test_same_samples_give_the_same_bytes_however_they_are_cut(
    kind: AudioFormat,
    rate: int,
) -> None:
    sound = tone(1.0, rate)
    assert encoded(sound, kind, rate, size=1_000) == encoded(sound, kind, rate, size=9_999)


@pytest.mark.parametrize("kind", FORMATS)
def test_minutes_in_one_chunk_leave_in_small_pieces(kind: AudioFormat) -> None:
    minutes = tone(120)
    pieces = list(encode(iter([minutes]), SPEECH_RATE, kind))
    assert max(map(len, pieces)) <= 256 * 1024
    if kind == "pcm":
        assert b"".join(pieces) == minutes.tobytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_empty_chunks_are_as_none(kind: AudioFormat) -> None:
    empty = np.zeros(0, np.int16)
    sound = tone(0.5)
    with_empty = b"".join(encode(iter([empty, sound, empty]), SPEECH_RATE, kind))
    assert with_empty == b"".join(encode(iter([sound]), SPEECH_RATE, kind))


@pytest.mark.parametrize("kind", FORMATS)
def test_no_speech_gives_no_more_than_the_header(kind: AudioFormat) -> None:
    data = b"".join(encode(iter([]), 22_050, kind))
    magic = {"opus": b"OggS", "flac": b"fLaC", "wav": b"RIFF"}
    assert data[:4] == magic.get(kind, b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_error_before_the_first_chunk_sends_nothing(kind: AudioFormat) -> None:
    def chunks() -> Iterator[Pcm]:
        raise RuntimeError("the voice broke")
        yield tone(0.1)

    with pytest.raises(RuntimeError, match="the voice broke"):
        next(encode(chunks(), SPEECH_RATE, kind))


@pytest.mark.parametrize("kind", FORMATS)
def test_error_on_the_way_comes_through_with_nothing_sent_after(
    kind: AudioFormat,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def chunks() -> Iterator[Pcm]:
        yield from cut(tone(1.0))
        raise RuntimeError("the voice broke")

    stream = encode(chunks(), SPEECH_RATE, kind)
    sent: list[bytes] = []
    with pytest.raises(RuntimeError, match="the voice broke"):
        sent.extend(stream)
    assert sent
    assert encoded(tone(1.0), kind).startswith(b"".join(sent))
    assert next(stream, None) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate", [22_050, 24_000])
def test_closing_early_ends_the_source_in_silence(
    kind: AudioFormat,
    rate: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ended = False

    def chunks() -> Iterator[Pcm]:
        nonlocal ended
        try:
            while True:
                yield tone(0.2, rate)
        finally:
            ended = True

    stream = encode(chunks(), rate, kind)
    next(stream)
    stream.close()
    assert ended
    assert capfd.readouterr() == ("", "")
