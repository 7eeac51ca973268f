"""What was verified, noted in the model's folder, so that a start need not hash it all again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who only needs a hash needs no catalog
    from soundalike.store.catalog import CatalogEntry

RECORD = ".soundalike.json"


def has_expected_sizes(entry: CatalogEntry, folder: Path) -> bool:
    """Whether every file of `entry` lies in `folder` with its size. Reads no file."""
    return all(_size(folder / file.path) == file.bytes for file in entry.files)


def verify(entry: CatalogEntry, folder: Path) -> list[str]:
    """What is wrong with the files of `entry` in `folder`, one line each; hashes all of them."""
    problems = []
    for file in entry.files:
        path = folder / file.path
        size = _size(path)
        if size is None:
            problems.append(f"{file.path} is missing")
        elif size != file.bytes:
            problems.append(f"{file.path} has {size} bytes instead of {file.bytes}")
        elif (found := sha256_of(path)) != file.sha256:
            problems.append(f"{file.path} has sha256 {found} instead of {file.sha256}")
    return problems


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_recorded(folder: Path) -> bool:
    """Whether soundalike itself has verified this folder once, in whatever state it is now."""
    return (folder / RECORD).is_file()


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing, as a fresh mount point does."""
    return not any(folder.iterdir())


def is_verified(entry: CatalogEntry, folder: Path) -> bool:
    """Whether the folder was verified against `entry` and not changed since, as far as sizes and
    modification times tell."""
    try:
        recorded = json.loads((folder / RECORD).read_text("utf-8"))
        return bool(recorded == _state(entry, folder))
    except (OSError, ValueError):
        return False


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


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
