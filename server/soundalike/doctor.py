"""The checks behind `soundalike doctor`: what this machine has for the main job, and what it lacks.

Nothing is changed and the network is not touched. Whatever loads a native library runs in a child
process (see `probes`), so a library that crashes or hangs becomes a finding.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from soundalike.probes import ProbeError, ask
from soundalike.store.catalog import WheelSource
from soundalike.store.errors import ModelMissingError, NoFolderError, StoreError
from soundalike.store.folder import ModelStore, StoredModel
from soundalike.store.reading import exists
from soundalike.store.record import verify
from soundalike.store.wheels import are_installed

Status = Literal["ok", "warning", "missing"]

_SPARE_BYTES = 500_000_000
"""Free disk below which a warning is given: uploads are spooled to disk."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` is a command, or a step, that mends what is not ok.

    An `essential` finding that is `missing`, or unfit, means that the main job cannot run.
    """

    topic: str
    status: Status
    text: str
    remedy: str | None = None
    essential: bool = False


_USUAL = {
    "speech": ("pyttsx3", "pyttsx3 espeakng-loader"),
    "transcription": ("whisper", "faster-whisper ctranslate2"),
}
"""The engine of each direction that is installed with soundalike, and its packages."""

_NO_WEIGHTS = Finding("weights", "ok", "none needed by this transcription engine")


def main_job_runs(findings: Sequence[Finding]) -> bool:
    """Whether speech and transcription can work as things stand."""
    return not any(found.essential and found.status == "missing" for found in findings)


def diagnose(
    store: ModelStore,
    *,
    speech_engine: str,
    transcription_engine: str,
    model: str,
    options: Mapping[str, str | int],
    probe_timeout: float = 60.0,
) -> list[Finding]:
    """Looks at everything that the main job needs, in the order in which it is best read.

    Args:
        model: the id of the Whisper that answers for OpenAI's model ids.
        options: those that a Whisper is opened with.
        probe_timeout: seconds after which a library is taken to hang.
    """
    needs_weights = transcription_engine == "whisper"

    def probe(name: str, *arguments: str) -> Any:
        return ask(name, *arguments, timeout=probe_timeout)

    checks: list[Callable[[], list[Finding]]] = [
        lambda: [_speech(speech_engine, lambda: probe("speech", speech_engine))],
        lambda: [
            _transcription(
                transcription_engine, lambda: probe("transcription", transcription_engine)
            )
        ],
        lambda: list(_weights(store, model, needed=needs_weights)),
        lambda: (
            [_devices(lambda: probe("plan", str(store.folder / model), json.dumps(options)))]
            if needs_weights
            else []
        ),
        lambda: [_codecs(lambda: probe("encoders"))],
        lambda: [_folder(store, model, needed=needs_weights)],
        lambda: [_disk(store, model)],
    ]
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return [finding for found in pool.map(lambda check: check(), checks) for finding in found]


def _speech(engine: str, ask_engine: Callable[[], dict[str, int]]) -> Finding:
    try:
        offered = ask_engine()
    except ProbeError as error:
        return _broken("speech", engine, f"does not start: {error}")
    text = f"{engine}: {offered['voices']} voices, {offered['languages']} languages"
    return Finding("speech engine", "ok", text, essential=True)


def _transcription(engine: str, ask_engine: Callable[[], dict[str, str]]) -> Finding:
    try:
        versions = ask_engine()
    except ProbeError as error:
        return _broken("transcription", engine, f"does not load: {error}")
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = f"{engine}: {libraries}" if libraries else engine
    return Finding("transcription engine", "ok", text, essential=True)


def _broken(direction: Literal["speech", "transcription"], engine: str, fault: str) -> Finding:
    usual, packages = _USUAL[direction]
    found, _, remedy = fault.partition("; to mend it: ")
    if not remedy and engine == usual:
        remedy = f"pip install --force-reinstall {packages}"
    elif not remedy:
        remedy = f"choose an installed engine: soundalike serve --{direction}-engine {usual}"
    return Finding(f"{direction} engine", "missing", f"{engine} {found}", remedy, essential=True)


def _weights(store: ModelStore, model: str, *, needed: bool) -> Iterator[Finding]:
    """The model that is asked for, then every other folder in the store."""
    if not needed:
        yield _NO_WEIGHTS
    elif found := absent_weights(store, model):
        yield found
    for stored in sorted(store.models(), key=lambda stored: stored.id != model):
        yield _present_weights(store, stored, essential=needed and stored.id == model)
    for folder in store.unusable():
        if not (needed and folder.id == model):
            remedy = f"complete {folder.path}, or move it away"
            yield Finding("weights", "warning", f"{folder.id}: {folder.flaw}", remedy)


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


def _devices(ask_plan: Callable[[], dict[str, Any]]) -> Finding:
    try:
        found = ask_plan()
    except ProbeError as error:
        return Finding("devices", "warning", f"it could not be told how Whisper runs: {error}")
    device, compute_type, usable = found["device"], found["compute_type"], found["number_types"]
    if device == "cuda" and not found["gpus"]:
        text = "there is no CUDA device that CTranslate2 can use"
        return Finding("devices", "missing", text, "choose --device cpu, or auto", essential=True)
    if compute_type not in ("default", *usable):
        text = f"CTranslate2 cannot compute in {compute_type} on {device}"
        remedy = f"choose --compute-type auto, or one of {', '.join(usable)}"
        return Finding("devices", "missing", text, remedy, essential=True)
    there_is = f"{_counted(found['cores'], 'CPU core')}, {_counted(found['gpus'], 'CUDA device')}"
    slots = f"{_counted(found['slots'], 'slot')} of {_counted(found['threads'], 'thread')}"
    text = f"{there_is}; Whisper runs in {slots}, {compute_type} on {device}"
    return Finding("devices", "ok", text)


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _codecs(ask_av: Callable[[], dict[str, bool]]) -> Finding:
    remedy = "pip install --force-reinstall av"
    try:
        encoders = ask_av()
    except ProbeError as error:
        text = f"PyAV does not load: {error}"
        return Finding("codecs", "missing", text, remedy, essential=True)
    lacking = [name for name, present in encoders.items() if not present]
    if lacking:
        text = f"PyAV lacks the encoders {', '.join(lacking)}"
        return Finding("codecs", "missing", text, remedy, essential=True)
    return Finding("codecs", "ok", f"PyAV encodes with {', '.join(encoders)}", essential=True)


def _folder(store: ModelStore, model: str, *, needed: bool) -> Finding:
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


def _disk(store: ModelStore, model: str) -> Finding:
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
