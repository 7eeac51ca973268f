"""Forms with files: fields in memory; files, and what is as large, spooled to disk while they
arrive."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from starlette.requests import Request

from soundalike.api.allowance import WIDEST, Allowance
from soundalike.api.multipart import MalformedFormError, MultipartReader, PartContent, PartHead
from soundalike.errors import (
    ApiError,
    ContentTooLargeError,
    InvalidRequestError,
    OverloadedError,
    ServerError,
)

PIECE = 128 * 1024
"""Bytes that are gathered before they are written."""

MAX_FILES = 16
"""Files in a form, and fields that are spooled. Every endpoint takes one file, and others are
dropped."""

MAX_FIELD = 64 * 2**10
"""Bytes of a field that is not spooled: a prompt of ten thousand words."""

MAX_TEXT = 256 * 2**10
"""Bytes of all of them, their names included."""

SPOOLED = frozenset({"known_speaker_references[]", "known_speaker_references"})
"""Fields that may be large: four samples of ten seconds of stereo sound are 10 MB in base64."""

MAX_SPOOLED = 16 * 2**20
"""Bytes of all of those."""

PATIENCE = 20
"""How many times the limit is read past before the connection is given up."""

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
    """A multipart body. Fields keep the names and the order in which they were sent; of files
    with the same name the last counts, as of fields that are no arrays."""

    fields: list[tuple[str, bytes | Path]] = field(default_factory=list)
    files: dict[str, Upload] = field(default_factory=dict)

    def one(self, name: str) -> str | None:
        """The last value sent under a name."""
        return next((_text(value) for key, value in reversed(self.fields) if key == name), None)

    def values(self) -> dict[str, list[str]]:
        """All values by name; arrays keep the brackets of theirs."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name, []).append(_text(value))
        return found


def _text(value: bytes | Path) -> str:
    if isinstance(value, Path):  # base64: nothing beyond ASCII belongs there
        return value.read_bytes().decode("ascii", "replace")
    return value.decode("utf-8", "replace")


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
        ServerError: a file cannot be written.
        OverloadedError: it has much text, and there are too many of that kind.
        ContentTooLargeError: it is larger than `limit`.
        ClientDisconnect: the client went away before it had sent everything.
    """
    with Allowance() as allowance, ExitStack() as spooled:
        parts = _Parts(spool, file_fields, spooled, allowance)
        reader = MultipartReader(request.headers.get("content-type", ""), parts.open)
        failure: ApiError | None = None
        async for piece in _pieces(_limited(request, limit)):
            try:
                if failure is None:
                    # A disk can be slow: the event loop must not wait for it.
                    await asyncio.to_thread(reader.write, piece)
                del piece  # the next one may be long in coming
            except OSError as error:  # said once everything was read, as any refusal
                failure = ServerError(f"an upload cannot be written: {error.strerror}")
            except OverloadedError as error:
                failure = error
        if failure is not None:
            raise failure
        if not reader.complete:
            raise InvalidRequestError(UNPARSED)
        yield parts.form


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces that are worth a thread's while."""
    piece = bytearray()
    async for chunk in chunks:
        piece += chunk
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body, as long as it keeps to the limit; the rest is read past and dropped.

    A client that asks first (RFC 9110, `Expect: 100-continue`) is refused before it sends
    anything. Any other can hear the refusal only after it has sent everything: a connection that
    is closed in its face reaches it as a network error.
    """
    size = int(request.headers.get("content-length") or 0)
    asks_first = request.headers.get("expect", "").lower() == "100-continue"
    read = 0
    if size <= limit or not asks_first:
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


class _Parts:
    """Puts a form together from its parts."""

    def __init__(
        self, spool: Path, file_fields: frozenset[str], spooled: ExitStack, allowance: Allowance
    ) -> None:
        self.form = Form()
        self._spool = spool
        self._file_fields = file_fields
        self._spooled = spooled
        self._allowance = allowance
        self._text_left = MAX_TEXT
        self._spooled_left = MAX_SPOOLED
        self._files_left = MAX_FILES

    def open(self, head: PartHead) -> PartContent:
        if head.filename is not None or head.name in self._file_fields:
            return _File(head, self._file(), self.form)
        if head.name in SPOOLED:
            return _SpooledField(head.name, self._file(), self)
        self.take_text(len(head.name.encode()))
        return _Field(head.name, self)

    def take_text(self, size: int) -> None:
        self._text_left -= size
        if self._text_left < 0:
            raise MalformedFormError
        self._allowance.take(size * WIDEST)

    def take_spooled(self, size: int) -> None:
        self._spooled_left -= size
        if self._spooled_left < 0:
            raise MalformedFormError

    def add_field(self, name: str, value: bytes | Path) -> None:
        self.form.fields.append((name, value))

    def _file(self) -> IO[bytes]:
        """A new file, which goes, complete or not, when `spooled` is closed."""
        self._files_left -= 1
        if self._files_left < 0:
            raise MalformedFormError
        file = NamedTemporaryFile(dir=self._spool, delete=False)  # noqa: SIM115
        self._spooled.callback(Path(file.name).unlink, missing_ok=True)
        self._spooled.callback(file.close)
        return file


class _Field:
    def __init__(self, name: str, parts: _Parts) -> None:
        self._name = name
        self._parts = parts
        self._value = bytearray()

    def write(self, data: bytes) -> None:
        if len(self._value) + len(data) > MAX_FIELD:
            raise MalformedFormError
        self._parts.take_text(len(data))
        self._value += data

    def close(self) -> None:
        self._parts.add_field(self._name, bytes(self._value))


class _SpooledField:
    def __init__(self, name: str, file: IO[bytes], parts: _Parts) -> None:
        self._name = name
        self._file = file
        self._parts = parts

    def write(self, data: bytes) -> None:
        self._parts.take_spooled(len(data))
        self._file.write(data)

    def close(self) -> None:
        self._file.close()
        self._parts.add_field(self._name, Path(self._file.name))


class _File:
    def __init__(self, head: PartHead, file: IO[bytes], form: Form) -> None:
        self._head = head
        self._file = file
        self._form = form

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        size = self._file.tell()
        self._file.close()
        self._form.files[self._head.name] = Upload(
            Path(self._file.name), self._head.filename, self._head.content_type, size
        )
