"""Multipart bodies: fields in memory, files spooled to disk while they arrive (RFC 7578).

What the SDKs send differs: names without quotes, files without a name or a content type, requests
without a length. All of these are read.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from soundalike.errors import ContentTooLargeError, InvalidRequestError

MAX_FIELD = 2**20
"""Bytes of one field that is not a file."""

MAX_PARTS = 1000

UNPARSED = "Could not parse multipart form"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent: where it lies now, and what the client said of it."""

    path: Path
    name: str | None
    content_type: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body. Fields keep the names and the order in which they were sent."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, Upload] = field(default_factory=dict)

    def one(self, name: str) -> str | None:
        """The last value sent under a name."""
        return next((value for key, value in reversed(self.fields) if key == name), None)

    def values(self) -> dict[str, list[str]]:
        """All values by name; arrays keep the brackets of theirs."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name, []).append(value)
        return found


@asynccontextmanager
async def received_form(
    request: Request, *, spool: Path, limit: int, file_fields: frozenset[str] = frozenset({"file"})
) -> AsyncGenerator[Form]:
    """Read the whole body; its files last as long as the context.

    Args:
        spool: the folder that files are written to.
        limit: bytes that the whole body may have.
        file_fields: fields that are files even where the client gave no file name.

    Raises:
        InvalidRequestError: the body is not a multipart form.
        ContentTooLargeError: it is larger than `limit`.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequestError(UNPARSED)
    reader = _Reader(boundary, spool, file_fields)
    try:
        async for chunk in _limited(request, limit):
            reader.write(chunk)
        yield reader.finish()
    finally:
        reader.remove_files()


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body, as long as it keeps to the limit; the rest is read past and dropped.

    A client can hear the refusal only after it has sent everything: a connection that is closed
    in its face reaches it as a network error.
    """
    size = int(request.headers.get("content-length") or 0)
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        size = max(size, read)
        if size <= limit:
            yield chunk
        elif read > PATIENCE * limit:
            break
    if size > limit:
        raise ContentTooLargeError(
            f"413: Maximum content size limit ({limit}) exceeded ({size} bytes read)", billed=True
        )


PATIENCE = 20
"""How many times the limit is read past before the connection is given up."""


class _Reader:
    """Callbacks of the parser: collects one part after another."""

    def __init__(self, boundary: bytes, spool: Path, file_fields: frozenset[str]) -> None:
        self._spool = spool
        self._file_fields = file_fields
        self._form = Form()
        self._paths: list[Path] = []
        self._parts = 0
        self._ended = False
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value = bytearray()
        self._file: IO[bytes] | None = None
        self._upload: Upload | None = None
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

    def write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise InvalidRequestError(UNPARSED) from error

    def finish(self) -> Form:
        if not self._ended:
            raise InvalidRequestError(UNPARSED)
        return self._form

    def remove_files(self) -> None:
        if self._file:
            self._file.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidRequestError(UNPARSED)
        self._headers = {}
        self._value.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_part(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise InvalidRequestError(UNPARSED)
        self._name = options[b"name"].decode("utf-8", "replace")
        if b"filename" in options or self._name in self._file_fields:
            self._open_file(options.get(b"filename"), self._headers.get(b"content-type"))

    def _open_file(self, name: bytes | None, content_type: bytes | None) -> None:
        self._file = NamedTemporaryFile(dir=self._spool, delete=False)  # noqa: SIM115
        self._paths.append(Path(self._file.name))
        self._upload = Upload(
            self._paths[-1],
            name.decode("utf-8", "replace") if name is not None else None,
            content_type.decode("latin-1") if content_type is not None else None,
            0,
        )

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file:
            self._file.write(data[start:end])
        elif len(self._value) + end - start > MAX_FIELD:
            raise InvalidRequestError(UNPARSED)
        else:
            self._value += data[start:end]

    def _part_end(self) -> None:
        if self._file and self._upload:
            upload = self._upload
            size = self._file.tell()
            self._file.close()
            self._file = self._upload = None
            self._form.files[self._name] = Upload(
                upload.path, upload.name, upload.content_type, size
            )
        else:
            self._form.fields.append((self._name, self._value.decode("utf-8", "replace")))

    def _end(self) -> None:
        self._ended = True
