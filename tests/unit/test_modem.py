"""The stub engine's sound: packets to tones and back, through what recordings suffer."""

import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from av import AudioFrame, AudioResampler

from soundalike.audio.pcm import RECOGNITION_RATE, SPEECH_RATE, Pcm, Samples
from soundalike.engines.stub import reception
from soundalike.engines.stub.modem import (
    HIGH_TONES,
    LOW_TONES,
    demodulate,
    modulate,
)
from soundalike.engines.stub.packets import LONGEST_BODY, Packet, pack, packet_length, unpack
from soundalike.engines.stub.reception import receive
from soundalike.engines.stub.symbols import LONGEST_SYMBOL, PREAMBLE_TONES, SHORTEST_SYMBOL
from soundalike.errors import InvalidRequestError

HELLO = Packet("Hello, world! This is a test.", opens=True)
PITCH = 180.0


def resampled(samples: Pcm, rate: int, to: int) -> Pcm:
    frame = AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
    frame.rate = rate
    resampler = AudioResampler("s16", "mono", to)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([block.to_ndarray()[0] for block in made])


def listened(speech: Pcm) -> Samples:
    """24 kHz speech as a recogniser gets it."""
    heard = resampled(speech, SPEECH_RATE, RECOGNITION_RATE)
    return heard.astype(np.float32) / np.float32(32768)


def spoken(packet: Packet = HELLO, milliseconds: int = 40) -> Samples:
    return listened(modulate(pack(packet), milliseconds, PITCH))


def packets(audio: Samples) -> list[Packet]:
    return [reception.packet for reception in receive(audio)]


def noise(length: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "body_bytes"),
    [
        ("plain", 5),
        ("déjà vu — “so”", 14),
        ("žluťoučký kůň", 13),
        ("Съешь ещё", 9),
        ("Ελληνικά", 8),
        ("שלום", 4),
        ("مرحبا", 5),
        ("สวัสดี", 6),
        ("谢谢", 6),
        ("a😀", 5),
        ("\0\n\t\x7f\x80\x81", 8),
    ],
)
@pytest.mark.parametrize("opens", [True, False])
def test_a_packet_unpacks_to_itself_and_takes_the_fewest_bytes(
    text: str, body_bytes: int, opens: bool
) -> None:
    packed = pack(Packet(text, opens))
    assert packet_length(packed[:2]) == len(packed) == 2 + body_bytes + 4
    assert unpack(packed) == Packet(text, opens)


def test_no_changed_byte_passes_the_check() -> None:
    packed = pack(HELLO)
    for place in range(len(packed)):
        changed = bytearray(packed)
        changed[place] ^= 0x40
        assert unpack(bytes(changed)) is None


@pytest.mark.parametrize("header", [b"\x08\x01", b"\x7f\x01", b"\x80\x00"])
def test_a_header_that_no_packet_has_is_refused(header: bytes) -> None:
    assert packet_length(header) is None


def test_a_lone_surrogate_cannot_be_packed() -> None:
    with pytest.raises(InvalidRequestError, match="surrogate"):
        pack(Packet("\ud800", opens=True))


@pytest.mark.parametrize("charset", [0, 1])  # UTF-8 and cp1252; 0x81 is a letter in neither
def test_bytes_that_are_no_text_are_no_packet_though_their_check_holds(charset: int) -> None:
    framed = bytes([charset, 1, 0x81])
    assert unpack(framed + zlib.crc32(framed).to_bytes(4, "big")) is None


@pytest.mark.parametrize("milliseconds", [SHORTEST_SYMBOL, 15, 60, LONGEST_SYMBOL])
def test_every_byte_has_a_sound_of_its_own(milliseconds: int) -> None:
    data = bytes(range(256))
    audio = listened(modulate(data, milliseconds, PITCH))
    start = len(PREAMBLE_TONES) * milliseconds * RECOGNITION_RATE // 1000
    assert demodulate(audio, start, milliseconds, 256) == data
    assert demodulate(audio, start, milliseconds, 257) is None


def test_a_symbol_is_its_two_tones_over_the_pitch() -> None:
    speech = modulate(b"\x3a" * 50, 40, PITCH)[2 * 960 :]
    spectrum = np.abs(np.fft.rfft(speech))
    hertz = np.fft.rfftfreq(len(speech), 1 / SPEECH_RATE)
    below, low, high = (hertz < 350), (hertz > 400) & (hertz < 1700), hertz > 1700
    assert hertz[low][spectrum[low].argmax()] == LOW_TONES[3]
    assert hertz[high][spectrum[high].argmax()] == HIGH_TONES[10]
    assert abs(hertz[below][spectrum[below].argmax()] - PITCH) < 25


@pytest.mark.parametrize("milliseconds", [SHORTEST_SYMBOL, 64])
def test_speech_has_an_ordinary_level_and_no_clicks(milliseconds: int) -> None:
    speech = modulate(bytes(range(256)), milliseconds, PITCH) / 32768
    assert 0.3 < np.abs(speech).max() < 0.5
    symbols = speech.reshape(-1, milliseconds * SPEECH_RATE // 1000)
    assert np.abs(symbols[:, [0, -1]]).max() < 0.01


@pytest.mark.parametrize("milliseconds", [*range(SHORTEST_SYMBOL, 24), 37, 64, 133, LONGEST_SYMBOL])
def test_the_length_of_the_symbols_is_found(milliseconds: int) -> None:
    audio = np.concatenate([np.zeros(1234, np.float32), spoken(milliseconds=milliseconds)])
    (reception,) = receive(audio)
    assert reception.packet == HELLO
    assert reception.start == pytest.approx(1234 / RECOGNITION_RATE, abs=0.003)
    assert reception.end == pytest.approx(len(audio) / RECOGNITION_RATE, abs=0.003)


@pytest.mark.parametrize("length", [1, LONGEST_BODY])
def test_the_shortest_and_the_longest_packet_are_heard(length: int) -> None:
    packet = Packet("m" * length, opens=True)
    assert packets(spoken(packet, SHORTEST_SYMBOL)) == [packet]


@pytest.mark.parametrize("silence", [1, 7, 63, 64, 65, 997, 16_001, 48_017])
def test_silence_before_and_after_does_no_harm(silence: int) -> None:
    pause = np.zeros(silence, np.float32)
    assert packets(np.concatenate([pause, spoken(milliseconds=11), pause])) == [HELLO]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("milliseconds", [SHORTEST_SYMBOL, 40])
def test_packets_survive_resampling(rate: int, milliseconds: int) -> None:
    speech = resampled(modulate(pack(HELLO), milliseconds, PITCH), SPEECH_RATE, rate)
    assert packets(listened(resampled(speech, rate, SPEECH_RATE))) == [HELLO]


@pytest.mark.parametrize("milliseconds", [SHORTEST_SYMBOL, 40])
def test_packets_survive_noise_20_db_below(milliseconds: int) -> None:
    audio = spoken(milliseconds=milliseconds)
    level = np.sqrt(np.mean(audio**2)) / 10
    for seed in range(5):
        assert packets(audio + level * noise(len(audio), seed)) == [HELLO]


@pytest.mark.parametrize("gain", [1e-3, 0.1, 10.0])
def test_packets_survive_a_wrong_level_and_clipping(gain: float) -> None:
    assert packets(np.clip(gain * spoken(), -1, 1).astype(np.float32)) == [HELLO]


@pytest.mark.parametrize("milliseconds", [SHORTEST_SYMBOL, 40])
def test_lost_edges_of_a_recording_do_no_harm(milliseconds: int) -> None:
    lost = milliseconds * RECOGNITION_RATE // 1000 // 8
    assert packets(spoken(milliseconds=milliseconds)[lost:-lost]) == [HELLO]


def test_packets_of_different_paces_are_all_heard_in_order() -> None:
    said = [Packet(f"Number {number}.", opens=number != 2) for number in range(5)]
    audio = [spoken(packet, 10 + 17 * number) for number, packet in enumerate(said)]
    for pause in (np.zeros(0, np.float32), np.zeros(5_003, np.float32), 0.2 * noise(8_000)):
        joined = np.concatenate([part for one in audio for part in (one, pause)])
        receptions = list(receive(joined.astype(np.float32)))
        assert [reception.packet for reception in receptions] == said
        times = [time for reception in receptions for time in (reception.start, reception.end)]
        assert times == sorted(times)


def test_a_damaged_packet_is_passed_over() -> None:
    damaged = spoken()
    damaged[len(damaged) // 2 :][:2_000] = 0
    after = Packet("Still here.", opens=True)
    assert packets(np.concatenate([damaged, spoken(after)])) == [after]
    assert packets(np.concatenate([spoken()[:-4_000], spoken(after)])) == [after]


def foreign_sounds() -> Iterator[Samples]:
    time = np.arange(2 * RECOGNITION_RATE) / RECOGNITION_RATE
    yield np.zeros(0, np.float32)
    yield np.zeros(1, np.float32)
    yield np.zeros(100, np.float32)
    yield np.full(5_000, 1.0, np.float32)
    yield noise(50_000)
    for tone in PREAMBLE_TONES:
        yield np.sin(2 * np.pi * tone * time).astype(np.float32)
    swept = np.sin(2 * np.pi * (1500 + 200 * time) * time)
    yield swept.astype(np.float32)
    turns = np.where(np.arange(len(time)) // 640 % 2, PREAMBLE_TONES[0], PREAMBLE_TONES[1])
    yield np.sin(2 * np.pi * turns * time).astype(np.float32)


def test_nothing_is_heard_in_other_sounds() -> None:
    for audio in foreign_sounds():
        assert packets(audio) == []


def test_a_recording_of_nothing_but_preambles_is_not_searched_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guesses = 0

    def counted(audio: Samples, start: int, milliseconds: int, count: int) -> bytes | None:
        nonlocal guesses
        guesses += 1
        return demodulate(audio, start, milliseconds, count)

    monkeypatch.setattr(reception, "_PATIENCE", 500)
    monkeypatch.setattr(reception, "demodulate", counted)
    time = np.arange(20 * RECOGNITION_RATE // 1000) / RECOGNITION_RATE
    preamble = np.sin(2 * np.pi * np.outer(PREAMBLE_TONES, time)).ravel().astype(np.float32) / 4
    preambles = np.tile(preamble, 200)
    assert packets(np.concatenate([preambles, spoken(), preambles])) == [HELLO]
    assert guesses < 1500  # without an end to the patience 20 000 and more
