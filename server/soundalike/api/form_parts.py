"""Where the parts of a form are kept while they arrive: in memory or on disk, within limits."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from soundalike.api.memory import WIDEST, RequestMemory
from soundalike.api.multipart import MalformedFormError, PartContent

MAX_FILES = 16
"""Files in a form, and fields that are spooled. Every endpoint takes one file, and others are
dropped."""

MAX_FIELD = 64 * 2**10
"""Bytes of a field that is not spooled: a prompt of ten thousand words."""

MAX_TEXT = 256 * 2**10
"""Bytes of all of them, their names included."""

MAX_SPOOLED = 16 * 2**20
"""Bytes of all fields that are spooled."""


class FormParts:
    """Takes the parts of one form. Those that break a limit raise `MalformedFormError`.

    Args:
        folder: for what is spooled.
        spooled: removes it again, complete or not, when it is closed.
        memory: of the request; what it has not raises `OverloadedError`.
    """

    def __init__(self, folder: Path, spooled: ExitStack, memory: RequestMemory) -> None:
        self._folder = folder
        self._spooled = spooled
        self._memory = memory
        self._text_left = MAX_TEXT
        self._spooled_left = MAX_SPOOLED
        self._files_left = MAX_FILES

    def field(self, name: str, on_complete: Callable[[bytes], object]) -> PartContent:
        """A field in memory."""
        self._take_text(len(name.encode()))
        return _Field(self._take_text, on_complete)

    def spooled_field(self, on_complete: Callable[[Path], object]) -> PartContent:
        """A field that may be large."""
        return _File(self._new_file(), self._take_spooled, lambda path, _: on_complete(path))

    def file(self, on_complete: Callable[[Path, int], object]) -> PartContent:
        """A file, of which its size in bytes is told, too. The body bounds it."""
        return _File(self._new_file(), lambda _: None, on_complete)

    def _take_text(self, size: int) -> None:
        self._text_left -= size
        if self._text_left < 0:
            raise MalformedFormError
        self._memory.take(size * WIDEST)

    def _take_spooled(self, size: int) -> None:
        self._spooled_left -= size
        if self._spooled_left < 0:
            raise MalformedFormError

    def _new_file(self) -> IO[bytes]:
        self._files_left -= 1
        if self._files_left < 0:
            raise MalformedFormError
        file = NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115
        self._spooled.callback(Path(file.name).unlink, missing_ok=True)
        self._spooled.callback(file.close)
        return file


class _Field:
    def __init__(self, take: Callable[[int], None], on_complete: Callable[[bytes], object]) -> None:
        self._take = take
        self._on_complete = on_complete
        self._value = bytearray()

    def write(self, data: bytes) -> None:
        if len(self._value) + len(data) > MAX_FIELD:
            raise MalformedFormError
        self._take(len(data))
        self._value += data

    def close(self) -> None:
        self._on_complete(bytes(self._value))


class _File:
    def __init__(
        self,
        file: IO[bytes],
        take: Callable[[int], None],
        on_complete: Callable[[Path, int], object],
    ) -> None:
        self._file = file
        self._take = take
        self._on_complete = on_complete

    def write(self, data: bytes) -> None:
        self._take(len(data))
        self._file.write(data)

    def close(self) -> None:
        size = self._file.tell()
        self._file.close()
        self._on_complete(Path(self._file.name), size)
