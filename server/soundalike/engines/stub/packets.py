"""How text is laid out as bytes before it becomes sound.

A packet is a header of two bytes (a flag with the character set, and the length of the body), the
body, and the CRC-32 of both, big-endian. The body is spelled in whichever known character set
makes it shortest, so that a Russian or a Greek letter lasts as long as a Latin one.
"""

import zlib
from dataclasses import dataclass

from soundalike.errors import InvalidRequestError

HEADER_BYTES = 2
_CHECK_BYTES = 4
OVERHEAD_BYTES = HEADER_BYTES + _CHECK_BYTES
LONGEST_BODY = 255

# The order is the wire format: a packet names its character set by its place here.
_CHARSETS = ("utf-8", "cp1252", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp874")
_OPENS = 0x80


@dataclass(frozen=True, slots=True)
class Packet:
    """A piece of spoken text. One that does not open an utterance continues the packet before
    it, without a space between them."""

    text: str
    opens: bool


def spell(text: str) -> tuple[int, bytes]:
    """The number of the character set that takes the fewest bytes, and the bytes.

    Raises:
        InvalidRequestError: the text has a code point that no encoding has (a lone surrogate).
    """
    spellings: list[tuple[int, bytes]] = []
    for number, charset in enumerate(_CHARSETS):
        try:
            spellings.append((number, text.encode(charset)))
        except UnicodeEncodeError:
            continue
    if not spellings:
        raise InvalidRequestError("The text holds a surrogate code point.", param="input")
    return min(spellings, key=lambda spelling: len(spelling[1]))


def pack(packet: Packet) -> bytes:
    """The bytes of a packet whose body has at most `LONGEST_BODY` bytes."""
    number, body = spell(packet.text)
    framed = bytes((number | (_OPENS if packet.opens else 0), len(body))) + body
    return framed + zlib.crc32(framed).to_bytes(_CHECK_BYTES, "big")


def packet_length(header: bytes) -> int | None:
    """The bytes of the whole packet that begins with `header`; None if nothing begins so."""
    flags, length = header
    if flags & ~_OPENS >= len(_CHARSETS) or length == 0:
        return None
    return HEADER_BYTES + length + _CHECK_BYTES


def unpack(packed: bytes) -> Packet | None:
    """The packet again, or None where its check does not hold or its bytes are no text."""
    framed, check = packed[:-_CHECK_BYTES], packed[-_CHECK_BYTES:]
    if zlib.crc32(framed).to_bytes(_CHECK_BYTES, "big") != check:
        return None
    charset = _CHARSETS[framed[0] & ~_OPENS]
    try:
        return Packet(framed[HEADER_BYTES:].decode(charset), opens=bool(framed[0] & _OPENS))
    except UnicodeDecodeError:  # whoever made it up knew the check
        return None
