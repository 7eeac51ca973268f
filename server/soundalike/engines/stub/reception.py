"""Finds the packets in a recording."""

from collections.abc import Iterator
from dataclasses import dataclass

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.stub.modem import demodulate
from soundalike.engines.stub.packets import HEADER_BYTES, Packet, packet_length, unpack
from soundalike.engines.stub.preamble import Beginning, beginnings
from soundalike.engines.stub.stretches import Padded, Sound

# A recording may have lost the edges of its first and last symbols: 40 ms of silence for them.
_PADDING = 40 * RECOGNITION_RATE // 1000

_PATIENCE = 10_000
"""Fruitless guesses in a recording, a second or two of work, after which each further beginning
gets one: a recording of nothing but preambles has thousands of beginnings a minute."""


@dataclass(frozen=True, slots=True)
class Reception:
    """A packet, and the times in seconds between which it sounds."""

    packet: Packet
    start: float
    end: float


def receive(audio: Samples) -> Iterator[Reception]:
    """The packets in 16 kHz audio, in order; what is damaged is passed over."""
    padded = Padded(audio, _PADDING)
    heard_until = 0
    patience = _PATIENCE
    for guesses in beginnings(padded):
        if guesses[0].data < heard_until:
            continue
        for guess in guesses[: max(1, patience)]:
            packed = _packed(padded, guess)
            packet = unpack(packed) if packed is not None else None
            if packed is not None and packet is not None:
                start = max(guess.preamble, heard_until)
                heard_until = guess.data + len(packed) * guess.symbol
                yield Reception(packet, _seconds(start, audio), _seconds(heard_until, audio))
                break
        else:
            patience -= len(guesses)


def _packed(audio: Sound, guess: Beginning) -> bytes | None:
    """The bytes that a packet would have if the guess held; None if it cannot hold."""
    header = demodulate(audio, guess.data, guess.milliseconds, HEADER_BYTES)
    length = packet_length(header) if header is not None else None
    if length is None:
        return None
    return demodulate(audio, guess.data, guess.milliseconds, length)


def _seconds(padded_sample: int, audio: Samples) -> float:
    return min(max(0, padded_sample - _PADDING), len(audio)) / RECOGNITION_RATE
