"""Forms with files: fields in memory, files spooled to disk while they arrive."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

from starlette.requests import Request

from soundalike.api.multipart import MalformedFormError, MultipartReader, PartContent, PartHead
from soundalike.errors import ContentTooLargeError, InvalidRequestError, ServerError

PIECE = 256 * 1024
"""Bytes that are gathered before they are written."""

MAX_FILES = 16
"""Files in a form. Every endpoint takes one, and others are dropped."""

MAX_TEXT = 16 * 2**20
"""Bytes of all fields that are not files. Speaker references are such fields: four samples of ten
seconds of stereo sound are 10 MB in base64."""

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
        ServerError: a file cannot be written.
        ContentTooLargeError: it is larger than `limit`.
        ClientDisconnect: the client went away before it had sent everything.
    """
    with ExitStack() as spooled:
        parts = _Parts(spool, file_fields, spooled)
        reader = MultipartReader(request.headers.get("content-type", ""), parts.open)
        failure: OSError | None = None
        async for piece in _pieces(_limited(request, limit)):
            try:
                if failure is None:
                    # A disk can be slow: the event loop must not wait for it.
                    await asyncio.to_thread(reader.write, piece)
            except OSError as error:  # said once everything was read, as any refusal
                failure = error
        if failure is not None:
            raise ServerError(f"an upload cannot be written: {failure.strerror}") from failure
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

    def __init__(self, spool: Path, file_fields: frozenset[str], spooled: ExitStack) -> None:
        self.form = Form()
        self._spool = spool
        self._file_fields = file_fields
        self._spooled = spooled
        self._text_left = MAX_TEXT
        self._files_left = MAX_FILES

    def open(self, head: PartHead) -> PartContent:
        if head.filename is not None or head.name in self._file_fields:
            self._files_left -= 1
            if self._files_left < 0:
                raise MalformedFormError
            return _File(head, self._spool, self._spooled, self.form)
        return _Field(head.name, self)

    def take_text(self, size: int) -> None:
        self._text_left -= size
        if self._text_left < 0:
            raise MalformedFormError

    def add_field(self, name: str, value: str) -> None:
        self.form.fields.append((name, value))


class _Field:
    def __init__(self, name: str, parts: _Parts) -> None:
        self._name = name
        self._parts = parts
        self._value = bytearray()

    def write(self, data: bytes) -> None:
        self._parts.take_text(len(data))
        self._value += data

    def close(self) -> None:
        self._parts.add_field(self._name, self._value.decode("utf-8", "replace"))


class _File:
    """Its file on disk goes, complete or not, when `spooled` is closed."""

    def __init__(self, head: PartHead, spool: Path, spooled: ExitStack, form: Form) -> None:
        self._head = head
        self._form = form
        self._file = NamedTemporaryFile(dir=spool, delete=False)  # noqa: SIM115
        self._path = Path(self._file.name)
        spooled.callback(self._path.unlink, missing_ok=True)
        spooled.callback(self._file.close)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        size = self._file.tell()
        self._file.close()
        self._form.files[self._head.name] = Upload(
            self._path, self._head.filename, self._head.content_type, size
        )
