"""What a listener gets of a stream: when the first sound comes, and whether it ever stops. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

PCM_BYTES_PER_SECOND = 48_000
"""24 kHz, 16 bit, one channel."""

_OGG_PAGE = 27
"""Bytes of a page's header ahead of its segment table (RFC 3533, section 6)."""


class Arrival(NamedTuple):
    """A chunk of a body: when it came, in seconds since the request, and its bytes."""

    seconds: float
    size: int


def first_audio(form: str, body: bytes, arrivals: Sequence[Arrival]) -> float:
    """Seconds until the first byte that is sound and not the container's header.

    Raises:
        ValueError: the body holds no sound.
    """
    header, received = header_bytes(form, body), 0
    for arrival in arrivals:
        received += arrival.size
        if received > header:
            return arrival.seconds
    raise ValueError(f"no sound in {len(body)} bytes of {form}")


def header_bytes(form: str, body: bytes) -> int:
    """Bytes ahead of the sound. MP3 (but for an ID3 tag), AAC and PCM have none."""
    if form == "wav":
        return body.index(b"data") + 8
    if form == "flac":  # RFC 9639, section 8: blocks, the last of which has its top bit set
        place, last = 4, False
        while not last:
            last = bool(body[place] & 0x80)
            place += 4 + int.from_bytes(body[place + 1 : place + 4])
        return place
    if form == "opus":  # RFC 7845, section 4: the pages of the two headers have position 0
        place = 0
        while body[place : place + 4] == b"OggS" and not any(body[place + 6 : place + 14]):
            place = _page_end(body, place)
        return place
    if form == "mp3" and body[:3] == b"ID3":
        size = 0
        for seven_bits in body[6:10]:
            size = size << 7 | seven_bits
        return 10 + size
    return 0


def _page_end(body: bytes, place: int) -> int:
    count = body[place + _OGG_PAGE - 1]
    table = body[place + _OGG_PAGE : place + _OGG_PAGE + count]
    return place + _OGG_PAGE + count + sum(table)


def least_ahead(arrivals: Sequence[Arrival]) -> float:
    """Of a PCM stream that plays from its first byte on: the least sound in seconds that was
    received and not yet played just before a chunk came. Below zero the listener heard a gap."""
    first = arrivals[0]
    received, least = first.size, float("inf")
    for arrival in arrivals[1:]:
        least = min(least, received / PCM_BYTES_PER_SECOND - (arrival.seconds - first.seconds))
        received += arrival.size
    return least if len(arrivals) > 1 else received / PCM_BYTES_PER_SECOND
