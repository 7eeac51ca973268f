"""What is found of the store: weights, whole or not, and the room for them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from soundalike.doctor.findings import Finding, Status
from soundalike.store.catalog import WheelSource
from soundalike.store.errors import ModelMissingError, NoFolderError, StoreError
from soundalike.store.folder import ModelStore, StoredModel
from soundalike.store.reading import exists
from soundalike.store.record import verify
from soundalike.store.wheels import are_installed

_SPARE_BYTES = 500_000_000
"""Free disk below which a warning is given: uploads are spooled to disk."""

_NO_WEIGHTS = Finding("weights", "ok", "none needed by this transcription engine")


def weights(store: ModelStore, model: str, *, needed: bool) -> Iterator[Finding]:
    """The model that is asked for, then every other folder in the store."""
    if not needed:
        yield _NO_WEIGHTS
    elif found := absent_weights(store, model):
        yield found
    for stored in sorted(store.models(), key=lambda stored: stored.id != model):
        yield _present_weights(store, stored, essential=needed and stored.id == model)
    for other in store.unusable():
        if not (needed and other.id == model):
            remedy = f"complete {other.path}, or move it away"
            yield Finding("weights", "warning", f"{other.id}: {other.flaw}", remedy)


def absent_weights(store: ModelStore, model: str) -> Finding | None:
    """What is to be said of a model that is not usable as it lies in the store, and what `serve`
    will do. None where it is usable, and where there is no store, of which another finding tells.
    """
    try:
        store.path(model)
    except NoFolderError:
        return None
    except ModelMissingError as error:
        return _unfit_weights(store, model, error)
    except StoreError as error:
        return Finding("weights", "missing", error.found, error.remedy, essential=True)
    return None


def _unfit_weights(store: ModelStore, model: str, error: StoreError) -> Finding:
    """What `serve` does with a model of the catalog that is absent or damaged."""
    can_write = os.access(_nearest_existing(store.folder), os.W_OK)
    if model not in store.known or not store.may_fill(model) or not can_write:
        return Finding("weights", "missing", error.found, error.remedy, essential=True)
    wheels = (source for source in store.known[model].sources if isinstance(source, WheelSource))
    if not any(are_installed(source) for source in wheels):
        text = f"{error.found}; serve fetches it over the network, unless --offline"
        return Finding("weights", "missing", text, error.remedy, essential=True)
    text = f"{error.found}; serve takes it from the installed wheels"
    if exists(store.folder / model):
        return Finding("weights", "warning", text, error.remedy, essential=True)
    return Finding("weights", "ok", text, essential=True)


def _present_weights(store: ModelStore, model: StoredModel, *, essential: bool) -> Finding:
    if model.entry is None:
        text = f"{model.id} is whole; its hashes are not known, as it is not the catalog's"
        return Finding("weights", "ok", text, essential=essential)
    try:
        if problems := verify(model.entry, model.path):
            raise ModelMissingError(f"{model.id}: {'; '.join(problems)}", store.remedy(model.id))
    except StoreError as error:
        if essential and isinstance(error, ModelMissingError):
            return _unfit_weights(store, model.id, error)
        status: Status = "missing" if essential else "warning"
        return Finding("weights", status, error.found, error.remedy, essential=essential)
    size = f"{len(model.entry.files)} files, {model.entry.bytes / 1e6:.0f} MB"
    text = f"{model.id}: {size}, every sha256 right"
    return Finding("weights", "ok", text, essential=essential)


def folder(store: ModelStore, model: str, *, needed: bool) -> Finding:
    """The store itself, whether weights are needed or not."""
    try:
        store.check_folder(model)
    except NoFolderError as error:
        status: Status = "missing" if needed else "warning"
        return Finding("store", status, error.found, error.remedy, essential=needed)
    except StoreError as error:
        return Finding("store", "missing", error.found, error.remedy)
    there = _nearest_existing(store.folder)
    elsewhere = "set SOUNDALIKE_MODELS to a folder that you can read and write"
    if not os.access(there, os.R_OK | os.X_OK):
        return Finding("store", "missing", f"{there} cannot be read", elsewhere)
    if not os.access(there, os.W_OK):
        text = f"{there} cannot be written: what it holds is served, nothing can be pulled"
        return Finding("store", "warning", text, elsewhere)
    state = "can be written" if there == store.folder.absolute() else "is made by the first pull"
    return Finding("store", "ok", f"{store.folder} {state}")


def disk(store: ModelStore, model: str) -> Finding:
    """The room beside the store, for uploads, and for the model where it is not there yet."""
    free = shutil.disk_usage(_nearest_existing(store.folder)).free
    entry = store.known.get(model)
    present = any(found.id == model for found in store.models())
    needed = entry.bytes if entry and not present else 0
    text = f"{free / 1e6:.0f} MB free beside the store"
    if free >= needed + _SPARE_BYTES:
        return Finding("disk", "ok", text)
    wanted = f"{(needed + _SPARE_BYTES) / 1e6:.0f} MB are wanted"
    remedy = "free some space, or set SOUNDALIKE_MODELS to a folder on another disk"
    return Finding("disk", "warning", f"{text}, {wanted}", remedy)


def _nearest_existing(path: Path) -> Path:
    """The path, or the nearest folder above it of which this user can tell that it is there."""
    folders = (path.absolute(), *path.absolute().parents)
    return next(folder for folder in folders if os.access(folder, os.F_OK))
