"""The checks behind `soundalike doctor`: what this machine has for the main job, and what it lacks.

Nothing is changed and the network is not touched. Whatever loads a native library runs in a child
process (see `probes`), so a library that crashes or hangs becomes a finding.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from soundalike.doctor.findings import Finding
from soundalike.doctor.storage import disk, folder, weights
from soundalike.probes import ProbeError, ask
from soundalike.store.folder import ModelStore

_USUAL = {
    "speech": ("pyttsx3", "pyttsx3 espeakng-loader"),
    "transcription": ("whisper", "faster-whisper ctranslate2 onnx onnxruntime"),
}
"""The engine of each direction that is installed with soundalike, and its packages."""


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
        lambda: list(weights(store, model, needed=needs_weights)),
        lambda: (
            [_devices(lambda: probe("plan", str(store.folder / model), json.dumps(options)))]
            if needs_weights
            else []
        ),
        lambda: [_codecs(lambda: probe("encoders"))],
        lambda: [folder(store, model, needed=needs_weights)],
        lambda: [disk(store, model)],
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
