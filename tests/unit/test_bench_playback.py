"""When a stream begins to sound, and whether it stops."""

from collections.abc import Iterator

import numpy as np
import pytest

from bench.playback import PCM_BYTES_PER_SECOND, Arrival, first_audio, header_bytes, least_ahead
from soundalike.audio.encode import encode
from soundalike.audio.pcm import Pcm
from soundalike.engines.base import AudioFormat

SECOND = PCM_BYTES_PER_SECOND


def tone() -> Iterator[Pcm]:
    yield (8000 * np.sin(np.arange(24_000) / 10)).astype(np.int16)


def body(form: AudioFormat) -> bytes:
    return b"".join(encode(tone(), 24_000, form))


@pytest.mark.parametrize("form", ["mp3", "aac"])
def test_frames_begin_at_once(form: AudioFormat) -> None:
    data = body(form)
    place = header_bytes(form, data)
    assert data[place] == 0xFF
    assert data[place + 1] & 0xE0 == 0xE0


def test_pcm_has_no_header_and_wav_44_bytes() -> None:
    assert header_bytes("pcm", body("pcm")) == 0
    assert header_bytes("wav", body("wav")) == 44


def test_flac_begins_with_a_frame_after_its_blocks() -> None:
    data = body("flac")
    place = header_bytes("flac", data)
    assert place >= 42
    assert data[place : place + 2] in (b"\xff\xf8", b"\xff\xf9")


def test_opus_begins_with_a_page_after_its_two_headers() -> None:
    data = body("opus")
    place = header_bytes("opus", data)
    assert data[place : place + 4] == b"OggS"
    assert b"OpusTags" in data[:place]
    assert b"OggS" in data[:place]
    assert int.from_bytes(data[place + 18 : place + 22], "little") == data[:place].count(b"OggS")


def test_an_id3_tag_is_no_sound() -> None:
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 2])
    assert header_bytes("mp3", tag + bytes(130)) == 140


def test_the_first_sound_is_what_comes_after_the_header() -> None:
    data = body("wav")
    arrivals = [Arrival(0.1, 40), Arrival(0.2, 4), Arrival(0.3, len(data) - 44)]
    assert first_audio("wav", data, arrivals) == 0.3
    assert first_audio("pcm", data, arrivals) == 0.1
    with pytest.raises(ValueError, match="no sound"):
        first_audio("wav", data[:44], arrivals[:2])


@pytest.mark.parametrize(
    ("arrivals", "ahead"),
    [
        ([(1.0, SECOND)], 1),
        ([(1.0, SECOND), (1.25, SECOND)], 0.75),
        ([(1.0, SECOND), (1.25, SECOND), (2.75, SECOND)], 0.25),
        ([(1.0, SECOND), (2.5, SECOND)], -0.5),
    ],
)
def test_sound_in_hand_is_what_was_received_and_not_yet_played(
    arrivals: list[tuple[float, int]], ahead: float
) -> None:
    assert least_ahead([Arrival(*arrival) for arrival in arrivals]) == pytest.approx(ahead)
