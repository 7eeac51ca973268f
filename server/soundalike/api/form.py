"""Forms with files: fields in memory; files, and what is as large, spooled to disk while they
arrive."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from starlette.requests import Request

from soundalike.api.form_parts import FormParts
from soundalike.api.limited_body import limited_pieces
from soundalike.api.memory import RequestMemory
from soundalike.api.multipart import MultipartReader, PartContent, PartHead
from soundalike.errors import ApiError, InvalidRequestError, OverloadedError, ServerError

SPOOLED = frozenset({"known_speaker_references[]", "known_speaker_references"})
"""Fields that may be large: four samples of ten seconds of stereo sound are 10 MB in base64."""

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

    def add_field(self, name: str, value: bytes | Path) -> None:
        self.fields.append((name, value))

    def add_file(self, head: PartHead, path: Path, size: int) -> None:
        self.files[head.name] = Upload(path, head.filename, head.content_type, size)


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
    with RequestMemory() as memory, ExitStack() as spooled:
        form = Form()
        open_part = _opener(form, FormParts(spool, spooled, memory), file_fields)
        reader = MultipartReader(request.headers.get("content-type", ""), open_part)
        await _read(request, limit, reader)
        if not reader.complete:
            raise InvalidRequestError(UNPARSED)
        yield form


def _opener(
    form: Form, parts: FormParts, file_fields: frozenset[str]
) -> Callable[[PartHead], PartContent]:
    """Decides what a part is."""

    def opened(head: PartHead) -> PartContent:
        if head.filename is not None or head.name in file_fields:
            return parts.file(partial(form.add_file, head))
        if head.name in SPOOLED:
            return parts.spooled_field(partial(form.add_field, head.name))
        return parts.field(head.name, partial(form.add_field, head.name))

    return opened


async def _read(request: Request, limit: int, reader: MultipartReader) -> None:
    """Have the reader read the whole body. What fails meanwhile is said, as any refusal, once
    everything was read."""
    failure: ApiError | None = None
    async for piece in limited_pieces(request, limit):
        try:
            if failure is None:
                # A disk can be slow: the event loop must not wait for it.
                await asyncio.to_thread(reader.write, piece)
            del piece  # the next one may be long in coming
        except OSError as error:
            failure = ServerError(f"an upload cannot be written: {error.strerror}")
        except OverloadedError as error:
            failure = error
    if failure is not None:
        raise failure
