"""The parts of a multipart body as they arrive (RFC 7578, RFC 2046 section 5.1).

What the SDKs send differs: names without quotes, parts without a file name or a content type,
quoted boundaries, requests without a length. All of these are read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

MAX_PARTS = 1000

MAX_CONTENT_TYPE = 1024
"""Characters of a request's content type. A boundary has up to 70 (RFC 2046)."""

MAX_PARAMETERS = 32
"""Semicolons in a header. To take one apart costs a microsecond for each, and a body may have a
thousand headers of four thousand."""

_UTF8_FILENAME = re.compile(rb"filename\*\s*=\s*\"?utf-8'[^']*'([^;\"\s]+)", re.IGNORECASE)


class MalformedFormError(ValueError):
    """The body is not a multipart form, or one that is beyond all measure."""


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself.

    `filename` is as it was sent, or in UTF-8 where it was sent so as well (`filename*`, RFC 5987,
    beside which .NET writes a `filename` that is of no use).
    """

    name: str
    filename: str | None
    content_type: str | None


class PartContent(Protocol):
    """Takes the content of one part."""

    def write(self, data: bytes) -> object: ...

    def close(self) -> object:
        """The part is complete."""


class MultipartReader:
    """Reads a body piece by piece.

    Args:
        content_type: the request's header, which names the boundary.
        open_part: gives the taker of a part's content; may raise `MalformedFormError`, as may the
            taker.
    """

    def __init__(self, content_type: str, open_part: Callable[[PartHead], PartContent]) -> None:
        self.complete = False
        """The closing boundary has come, and nothing was wrong before it."""
        self._open_part = open_part
        self._parts = -1
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._content: PartContent | None = None
        self._parser: MultipartParser | None = None
        if len(content_type) > MAX_CONTENT_TYPE or content_type.count(";") > MAX_PARAMETERS:
            return
        kind, options = parse_options_header(content_type)
        if kind == b"multipart/form-data" and (boundary := options.get(b"boundary")):
            self._begin(boundary)

    def write(self, data: bytes) -> None:
        """The next piece. After the first fault all others are passed over: the client hears of
        it once it has sent everything."""
        if self._parser is not None:
            try:
                self._parser.write(data)
            except (FormParserError, MalformedFormError):
                self._parser = None
                self.complete = False

    def _begin(self, boundary: bytes) -> None:
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value_part,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            return
        # The parser knows no preamble: what comes before the first boundary is read as the
        # content of a part that nobody takes.
        self._parser.write(b"--" + boundary + b"\r\n\r\n\r\n")

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedFormError
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_part(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        if self._parts:
            self._content = self._open_part(part_head(self._headers))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._content is not None:
            self._content.write(data[start:end])

    def _part_end(self) -> None:
        if self._content is not None:
            self._content.close()
            self._content = None

    def _end(self) -> None:
        self.complete = True


def part_head(headers: dict[bytes, bytes]) -> PartHead:
    """From a part's headers, their names in lower case.

    Raises:
        MalformedFormError: the part has no name, or a header beyond all measure.
    """
    disposition = headers.get(b"content-disposition", b"")
    if disposition.count(b";") > MAX_PARAMETERS:
        raise MalformedFormError
    _, options = parse_options_header(disposition)
    if b"name" not in options:
        raise MalformedFormError
    filename = _text(options.get(b"filename"))
    if extended := _UTF8_FILENAME.search(disposition):
        filename = unquote(extended[1].decode("latin-1"))
    return PartHead(
        name=options[b"name"].decode("utf-8", "replace"),
        filename=filename,
        content_type=_text(headers.get(b"content-type")),
    )


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")
