"""What was verified, noted in the model's folder, so that a start need not hash it all again."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.store.reading import file_size, reading

if TYPE_CHECKING:  # who only needs a hash needs no catalog
    from soundalike.store.catalog import CatalogEntry, ModelFile

RECORD = ".soundalike.json"


def wrong_sizes(entry: CatalogEntry, folder: Path) -> list[str]:
    """Which files of `entry` are missing in `folder` or have another size, one line each. Reads no
    file.

    Raises:
        UnreadableError: the folder may not be entered.
    """
    found = (_wrong_size(file, folder / file.path) for file in entry.files)
    return [problem for problem in found if problem]


def verify(entry: CatalogEntry, folder: Path) -> list[str]:
    """What is wrong with the files of `entry` in `folder`, one line each; hashes all of them.

    Raises:
        UnreadableError: one of them cannot be read.
    """
    found = (_problem(file, folder / file.path) for file in entry.files)
    return [problem for problem in found if problem]


def _wrong_size(file: ModelFile, path: Path) -> str | None:
    size = file_size(path)
    if size is None:
        return f"{file.path} is missing"
    if size != file.bytes:
        return f"{file.path} has {size} bytes instead of {file.bytes}"
    return None


def _problem(file: ModelFile, path: Path) -> str | None:
    if problem := _wrong_size(file, path):
        return problem
    with reading(path):
        sha256 = sha256_of(path)
    if sha256 != file.sha256:
        return f"{file.path} has sha256 {sha256} instead of {file.sha256}"
    return None


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_recorded(folder: Path) -> bool:
    """Whether soundalike itself has verified this folder once, in whatever state it is now."""
    return file_size(folder / RECORD) is not None


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing, as a fresh mount point does."""
    with reading(folder):
        return not any(folder.iterdir())


def is_verified(entry: CatalogEntry, folder: Path) -> bool:
    """Whether the folder was verified against `entry` and not changed since, as far as sizes and
    modification times tell, and can be read."""
    try:
        recorded = json.loads((folder / RECORD).read_text("utf-8"))
        is_same = bool(recorded == _state(entry, folder))
    except (OSError, ValueError):
        return False
    return is_same and all(os.access(folder / file.path, os.R_OK) for file in entry.files)


def write_record(entry: CatalogEntry, folder: Path) -> None:
    """Notes that the files of `entry` in `folder` have just been verified."""
    (folder / RECORD).write_text(json.dumps(_state(entry, folder), indent=1) + "\n", "utf-8")


def _state(entry: CatalogEntry, folder: Path) -> dict[str, dict[str, str | int]]:
    state: dict[str, dict[str, str | int]] = {}
    for file in entry.files:
        found = (folder / file.path).stat()
        state[file.path] = {
            "bytes": found.st_size,
            "mtime_ns": found.st_mtime_ns,
            "sha256": file.sha256,
        }
    return state
