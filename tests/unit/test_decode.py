import io
import struct
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from soundalike.audio import container as container_module
from soundalike.audio import decode as decode_module
from soundalike.audio.decode import decode
from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.audio.refusals import Refusal
from soundalike.errors import InvalidRequestError, UndecodableAudioError

Frequency = int

CONTAINERS = {
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "libmp3lame"),
    "mp4": ("mp4", "aac"),
    "mpeg": ("mpeg", "mp2"),
    "mpga": ("mp3", "libmp3lame"),
    "m4a": ("ipod", "aac"),
    "oga": ("ogg", "flac"),
    "ogg": ("ogg", "libopus"),
    "wav": ("wav", "pcm_s16le"),
    "webm": ("webm", "libopus"),
    "aiff": ("aiff", "pcm_s16be"),
    "aac": ("adts", "aac"),
}


def tones(seconds: float, rate: int, *frequencies: Frequency) -> NDArray[np.int16]:
    """Shape (samples, channels), a tone of amplitude 0.5 in each channel."""
    times = np.arange(round(seconds * rate))[:, np.newaxis] / rate
    return (np.sin(2 * np.pi * np.array(frequencies) * times) * 2**14).astype(np.int16)


class Pipe:
    """A file that cannot be sought in, so that no container can go back to fill in its sizes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def audio_file(
    container: str,
    codec: str,
    sound: NDArray[np.int16],
    *,
    rate: int = 48_000,
    options: dict[str, str] | None = None,
    piped: bool = False,
) -> bytes:
    """`sound` in a file; with two channels, the second one is the right one."""
    file = Pipe() if piped else io.BytesIO()
    layout = "mono" if sound.shape[1] == 1 else "stereo"
    with av.open(file, "w", format=container, container_options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        frame.pts = 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return bytes(file.data) if isinstance(file, Pipe) else file.getvalue()


def wav_file(sound: NDArray[np.int16], rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(sound.shape[1])
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes(sound.tobytes())
    return file.getvalue()


def at_rate(rate: int, wav: bytes) -> bytes:
    """The same WAV file, whose header claims another sample rate."""
    return wav[:24] + struct.pack("<II", rate, rate * 2) + wav[32:]


def saved(folder: Path, data: bytes, name: str = "upload") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def level(sound: Samples, frequency: Frequency) -> float:
    """The amplitude of one tone in the middle of the sound."""
    part = sound[len(sound) // 4 : -len(sound) // 4].astype(np.float64)
    turns = np.exp(-2j * np.pi * frequency * np.arange(len(part)) / RECOGNITION_RATE)
    return float(abs(np.mean(part * turns * np.hanning(len(part)))) * 4)


def seconds(sound: Samples) -> float:
    return len(sound) / RECOGNITION_RATE


@pytest.mark.parametrize("extension", CONTAINERS)
def test_every_container_gives_16_khz_mono_float32(tmp_path: Path, extension: str) -> None:
    container, codec = CONTAINERS[extension]
    path = saved(tmp_path, audio_file(container, codec, tones(1.5, 48_000, 440)))
    sound = decode(path)
    assert sound.dtype == np.float32
    assert sound.ndim == 1
    assert seconds(sound) == pytest.approx(1.5, abs=0.1)
    assert level(sound, 440) == pytest.approx(0.5, rel=0.1)  # LAME takes 5 % away


def test_vorbis_in_ogg_decodes(tmp_path: Path) -> None:
    sound = tones(1.5, 48_000, 440, 440)
    data = audio_file("ogg", "vorbis", sound, options={"strict": "experimental"})
    decoded = decode(saved(tmp_path, data))
    assert seconds(decoded) == pytest.approx(1.5, abs=0.05)
    assert level(decoded, 440) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_f32le", "pcm_f64le", "pcm_alaw"])
def test_every_sample_format_of_wav_decodes(tmp_path: Path, codec: str) -> None:
    sound = decode(saved(tmp_path, audio_file("wav", codec, tones(1.0, 48_000, 440))))
    assert seconds(sound) == pytest.approx(1.0, abs=0.001)
    assert level(sound, 440) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 96_000, 192_000])
def test_every_sample_rate_is_converted(tmp_path: Path, rate: int) -> None:
    sound = decode(saved(tmp_path, wav_file(tones(1.0, rate, 440), rate)))
    assert seconds(sound) == pytest.approx(1.0, abs=0.001)
    assert level(sound, 440) == pytest.approx(0.5, rel=0.02)


def test_the_rate_of_the_result_can_be_chosen(tmp_path: Path) -> None:
    path = saved(tmp_path, wav_file(tones(1.0, 48_000, 440), 48_000))
    assert len(decode(path, 24_000)) == 24_000


def test_samples_that_need_no_conversion_come_through_exactly(tmp_path: Path) -> None:
    original = tones(0.5, 16_000, 440)
    for codec in ("pcm_s16le", "pcm_s32le"):
        sound = decode(saved(tmp_path, audio_file("wav", codec, original, rate=16_000)))
        assert np.array_equal(sound, original[:, 0].astype(np.float32) / 2**15)


@pytest.mark.parametrize("channels", [2, 3, 6, 7, 8])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    frequencies = [300 + 100 * channel for channel in range(channels)]
    sound = decode(saved(tmp_path, wav_file(tones(1.0, 16_000, *frequencies), 16_000)))
    assert seconds(sound) == pytest.approx(1.0, abs=0.001)
    for frequency in frequencies:
        assert level(sound, frequency) == pytest.approx(0.5 / channels, rel=0.05)


@pytest.mark.parametrize("channels", [9, 64])
def test_too_many_channels_are_refused_before_any_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    path = saved(tmp_path, wav_file(tones(1.0, 16_000, *range(300, 300 + channels)), 16_000))
    asked: list[int] = []
    refuse = container_module.refuse_channels

    def noted(count: int) -> None:
        asked.append(count)
        refuse(count)

    for module in (container_module, decode_module):
        monkeypatch.setattr(module, "refuse_channels", noted)
    with pytest.raises(InvalidRequestError, match=f"{channels} channels") as refusal:
        decode(path)
    assert not isinstance(refusal.value, UndecodableAudioError)
    assert refusal.value.code == "invalid_value"
    assert asked == [channels]  # by the header; each frame is asked, too


def test_channels_that_come_later_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Packet:
        def __init__(self, channels: int) -> None:
            self.channels = channels

        def decode(self) -> list[av.AudioFrame]:
            frame = av.AudioFrame("s16", f"{self.channels} channels", 160)
            frame.sample_rate = 16_000
            return [frame]

    class Container:
        def demux(self, _: object) -> Iterator[Packet]:
            yield Packet(8)
            yield Packet(9)

    monkeypatch.setattr(decode_module, "sound_stream", lambda _: None)
    frames = decode_module._frames(Container(), 60.0)  # type: ignore[arg-type]
    assert next(frames).layout.nb_channels == 8
    with pytest.raises(Refusal, match="channels"):
        next(frames)


def test_loud_stereo_stays_within_full_scale(tmp_path: Path) -> None:
    loud = np.full((16_000, 2), 32_767, np.int16)
    assert np.abs(decode(saved(tmp_path, wav_file(loud, 16_000)))).max() <= 1.0


def test_wav_of_unknown_size_decodes_in_full(tmp_path: Path) -> None:
    data = bytearray(wav_file(tones(5.0, 24_000, 440), 24_000))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert seconds(decode(saved(tmp_path, bytes(data)))) == pytest.approx(5.0, abs=0.001)


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("ipod", "aac")])
def test_mp4_with_its_index_at_the_end_decodes(tmp_path: Path, container: str, codec: str) -> None:
    data = audio_file(container, codec, tones(2.0, 48_000, 440))
    assert data.index(b"moov") > data.index(b"mdat")
    assert seconds(decode(saved(tmp_path, data))) == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("webm", "libopus", {"live": "1"}),
        ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
        ("ogg", "libopus", {}),
        ("flac", "flac", {}),
    ],
)
def test_recording_that_was_streamed_decodes_in_full(
    tmp_path: Path, container: str, codec: str, options: dict[str, str]
) -> None:
    data = audio_file(container, codec, tones(2.0, 48_000, 440), options=options, piped=True)
    assert seconds(decode(saved(tmp_path, data))) == pytest.approx(2.0, abs=0.05)


def film(*, with_sound: bool) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        picture = output.add_stream("mpeg4", rate=10)
        picture.width, picture.height = 64, 64
        packets = []
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            packets += picture.encode(frame)
        packets += picture.encode(None)
        if with_sound:
            sound = output.add_stream("aac", rate=48_000, layout="mono")
            tone = tones(1.0, 48_000, 440).reshape(1, -1)
            spoken = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            spoken.sample_rate, spoken.pts = 48_000, 0
            packets += [*sound.encode(spoken), *sound.encode(None)]
        output.mux(packets)
    return file.getvalue()


def test_sound_of_a_film_is_heard(tmp_path: Path) -> None:
    sound = decode(saved(tmp_path, film(with_sound=True)))
    assert seconds(sound) == pytest.approx(1.0, abs=0.05)
    assert level(sound, 440) == pytest.approx(0.5, rel=0.05)


def test_rate_and_channels_may_change_on_the_way(tmp_path: Path) -> None:
    first = audio_file("mp3", "libmp3lame", tones(1.0, 44_100, 440), rate=44_100)
    second = audio_file("mp3", "libmp3lame", tones(2.0, 24_000, 880, 880), rate=24_000)
    sound = decode(saved(tmp_path, first + second))
    assert seconds(sound) == pytest.approx(3.0, abs=0.2)
    assert level(sound[:RECOGNITION_RATE], 440) == pytest.approx(0.5, rel=0.1)
    assert level(sound[-RECOGNITION_RATE:], 880) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("name", ["speech.mp3", "speech.wav", "speech.txt", "speech"])
def test_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    data = audio_file("mp4", "aac", tones(1.0, 48_000, 440))
    assert seconds(decode(saved(tmp_path, data, name))) == pytest.approx(1.0, abs=0.05)


def test_tags_that_are_not_utf_8_do_no_harm(tmp_path: Path) -> None:
    data = wav_file(tones(1.0, 16_000, 440), 16_000)
    tag = b"INAM" + struct.pack("<I", 4) + b"\xe9\xff\xfe\x00"
    tags = b"LIST" + struct.pack("<I", 4 + len(tag)) + b"INFO" + tag
    assert seconds(decode(saved(tmp_path, data[:36] + tags + data[36:]))) == pytest.approx(1.0)


@pytest.mark.parametrize("extension", ["flac", "mp3", "ogg", "wav", "webm", "aac"])
def test_file_cut_short_gives_what_is_there(tmp_path: Path, extension: str) -> None:
    noise = np.random.default_rng(1).integers(-8_000, 8_000, (48_000 * 3, 1)).astype(np.int16)
    data = audio_file(*CONTAINERS[extension], noise)
    sound = decode(saved(tmp_path, data[: len(data) * 2 // 3]))
    assert 0.9 < seconds(sound) < 2.2  # an Ogg page is a second


@pytest.mark.parametrize("extension", ["flac", "mp3", "ogg", "aac"])
def test_what_surrounds_a_damaged_part_is_kept(tmp_path: Path, extension: str) -> None:
    noise = np.random.default_rng(1).integers(-8_000, 8_000, (48_000 * 4, 1)).astype(np.int16)
    data = bytearray(audio_file(*CONTAINERS[extension], noise))
    middle = len(data) // 2
    data[middle : middle + 500] = bytes(500)
    assert seconds(decode(saved(tmp_path, bytes(data)))) >= 3.0


HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>\n"
NOT_AUDIO = {
    "empty": b"",
    "one byte": b"a",
    "text": b"and so my fellow americans\n" * 500,
    "html": HTML,
    "zeros": bytes(100_000),
    "random bytes": np.random.default_rng(1).bytes(100_000),
    "half a wav header": wav_file(tones(1.0, 16_000, 440), 16_000)[:30],
    "wav header alone": wav_file(tones(1.0, 16_000, 440), 16_000)[:44],
    "wav of rate zero": at_rate(0, wav_file(tones(1.0, 16_000, 440), 16_000)),
    "flac header alone": audio_file("flac", "flac", tones(0.1, 48_000, 440))[:42],
    "mp4 without its index": audio_file("mp4", "aac", tones(1.0, 48_000, 440))[:3_000],
    "film without sound": film(with_sound=False),
}


@pytest.mark.parametrize("name", NOT_AUDIO)
@pytest.mark.parametrize("extension", ["mp3", "wav"])
def test_what_is_not_audio_is_refused(
    tmp_path: Path, name: str, extension: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, NOT_AUDIO[name], f"upload.{extension}")
    with pytest.raises(UndecodableAudioError) as refusal:
        decode(path)
    assert refusal.value.message == (
        "The audio file could not be decoded or its format is not supported."
    )
    assert capfd.readouterr() == ("", "")


def test_missing_file_is_not_the_clients_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decode(tmp_path / "never-spooled")


HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nsecret.aac\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile secret.aac\n"
SDP = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=audio 5004 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
)
DASH = b"""<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">
<Period><AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="1">
<BaseURL>secret.aac</BaseURL></Representation></AdaptationSet></Period></MPD>"""
PLAYLISTS = {"hls": HLS, "concat": CONCAT, "sdp": SDP, "dash": DASH}


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, made the current one, with a file of sound that no upload may reach."""
    saved(tmp_path, audio_file("adts", "aac", tones(1.0, 48_000, 440)), "secret.aac")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("extension", ["mp3", "m4a", "m3u8", "ffconcat", "sdp", "mpd"])
def test_playlist_is_refused_whatever_its_name(secret: Path, kind: str, extension: str) -> None:
    with pytest.raises(UndecodableAudioError):
        decode(saved(secret, PLAYLISTS[kind], f"upload.{extension}"))


@pytest.mark.parametrize(("kind", "extension"), [("hls", "m3u8"), ("concat", "ffconcat")])
def test_playlist_could_open_nothing_even_if_it_were_read(
    secret: Path, kind: str, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(secret, PLAYLISTS[kind], f"upload.{extension}")
    with av.open(str(path)) as unprotected:
        assert sum(frame.samples for frame in unprotected.decode(audio=0)) > 40_000

    monkeypatch.setattr(container_module, "_DEMUXERS", f"{kind},aac")
    with pytest.raises(UndecodableAudioError):
        decode(path)


@pytest.mark.parametrize("picture", ["png", "mjpeg"])
def test_pictures_are_refused(tmp_path: Path, picture: str) -> None:
    encoder = av.CodecContext.create(picture, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.time_base = 64, 64, Fraction(1, 10)
    encoder.pix_fmt = "rgb24" if picture == "png" else "yuvj420p"
    frame = av.VideoFrame(64, 64, encoder.pix_fmt)
    data = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    with pytest.raises(UndecodableAudioError):
        decode(saved(tmp_path, data, "upload-%03d.mp3"))


def test_audio_of_exactly_the_longest_length_is_taken(tmp_path: Path) -> None:
    path = saved(tmp_path, wav_file(tones(2.0, 16_000, 440), 16_000))
    assert seconds(decode(path, max_seconds=2.0)) == 2.0


def test_audio_beyond_the_longest_length_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, wav_file(tones(2.0, 16_000, 440), 16_000))
    with pytest.raises(InvalidRequestError, match=r"longer than 1\.5 seconds") as refusal:
        decode(path, max_seconds=1.5)
    assert not isinstance(refusal.value, UndecodableAudioError)
    assert refusal.value.code == "invalid_value"


def test_decoding_stops_where_the_longest_length_is_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, wav_file(tones(60.0, 16_000, 440), 16_000))
    read = 0

    class Counted(container_module._Upload):
        def __init__(self, file: BinaryIO) -> None:
            super().__init__(file)

            def counting(size: int = -1) -> bytes:
                nonlocal read
                data = file.read(size)
                read += len(data)
                return data

            self.read = counting

    monkeypatch.setattr(container_module, "_Upload", Counted)
    with pytest.raises(InvalidRequestError, match="longer than"):
        decode(path, max_seconds=1.0)
    assert 32_000 <= read < path.stat().st_size / 4


def test_what_claims_to_be_far_too_long_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, wav_file(tones(700.0, 8_000, 440), 8_000))
    monkeypatch.setattr(decode_module, "_frames", None)
    with pytest.raises(InvalidRequestError, match=r"duration 700\.0 seconds is longer than 600 "):
        decode(path, max_seconds=600)


def test_a_claim_that_is_off_by_what_codecs_add_refuses_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, audio_file("mp3", "libmp3lame", tones(601.0, 8_000, 440), rate=8_000))
    length = seconds(decode(path))
    assert seconds(decode(path, max_seconds=length)) == length


def test_one_frame_that_stands_for_hours_is_refused_before_it_is_resampled(tmp_path: Path) -> None:
    data = at_rate(1, wav_file(tones(1.0, 16_000, 440), 16_000))  # each sample becomes 16 000
    with pytest.raises(InvalidRequestError, match="longer than"):
        decode(saved(tmp_path, data), max_seconds=60.0)


def test_a_large_file_whose_header_claims_a_moment_is_refused_by_its_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = audio_file("mp3", "libmp3lame", tones(20.0, 8_000, 440), rate=8_000)
    path = saved(tmp_path, data * 120)  # the first header counts the frames of the first part
    monkeypatch.setattr(decode_module, "_mono", None)
    with pytest.raises(InvalidRequestError, match="longer than 1400 seconds"):
        decode(path, max_seconds=1400.0)


def test_a_small_file_that_stands_for_an_hour_is_refused(tmp_path: Path) -> None:
    silence = np.zeros((3600 * 1000, 1), np.int16)
    data = audio_file("flac", "flac", silence, rate=1000, options={"frame_size": "65535"})
    assert len(data) < 10_000
    with pytest.raises(InvalidRequestError, match=f"a file of {len(data)} bytes may last"):
        decode(saved(tmp_path, data))
    with pytest.raises(InvalidRequestError, match=f"a file of {len(data)} bytes may last"):
        decode_module.inspect(saved(tmp_path, data))


def test_an_hour_of_digital_silence_is_taken_from_an_honest_file(tmp_path: Path) -> None:
    silence = np.zeros((3600 * 16_000, 1), np.int16)
    sound = decode(saved(tmp_path, audio_file("flac", "flac", silence, rate=16_000)))
    assert seconds(sound) == 3600.0


def test_a_day_of_sound_is_refused_by_default(tmp_path: Path) -> None:
    data = at_rate(1, wav_file(tones(5.4, 16_000, 440), 16_000))
    with pytest.raises(InvalidRequestError, match="longer than 21600 seconds"):
        decode(saved(tmp_path, data))


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("jfk.flac", 11.0),
        ("french-dictee.aiff", 2.53),
        ("librivox-0870.wav", 7.1),
        ("librivox-0880.wav", 2.99),
        ("librivox-0890.wav", 5.3),
    ],
)
def test_human_speech_keeps_its_length(shared_audio: Path, name: str, length: float) -> None:
    sound = decode(shared_audio / name)
    assert seconds(sound) == pytest.approx(length, abs=0.01)
    assert 0.2 < np.abs(sound).max() <= 1.0
