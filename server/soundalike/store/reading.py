"""Looks at the files of a store. What cannot be read is told as such, never taken for missing.

`Path.exists` and its kin raise where a folder may not be entered, and from Python 3.14 on say no.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from soundalike.store.errors import UnreadableError

_LET_IN = "let the user who runs soundalike read it, and enter every folder above it"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what fails meanwhile into an `UnreadableError` about `path`."""
    try:
        yield
    except OSError as error:
        remedy = _LET_IN if isinstance(error, PermissionError) else None
        raise UnreadableError(f"cannot read {path}: {error.strerror or error}", remedy) from error


def exists(path: Path) -> bool:
    """Whether there is anything of that name.

    Raises:
        UnreadableError: it cannot be told, here and in the functions below.
    """
    return _status(path) is not None


def is_folder(path: Path) -> bool:
    status = _status(path)
    return status is not None and S_ISDIR(status.st_mode)


def file_size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    status = _status(path)
    return status.st_size if status and S_ISREG(status.st_mode) else None


def _status(path: Path) -> os.stat_result | None:
    with reading(path):
        try:
            return path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
