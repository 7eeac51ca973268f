"""Questions that only a native library can answer, each asked in a process of its own.

A library that crashes or hangs on loading does so there. Run as `python -m soundalike.probes`
with the name of a probe and its arguments; the answer is the last line of standard output.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ENCODERS = {"mp3": "libmp3lame", "opus": "libopus", "aac": "aac", "flac": "flac"}
_WHISPER_LIBRARIES = {
    "faster-whisper": "faster_whisper",
    "ctranslate2": "ctranslate2",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
}


class ProbeError(Exception):
    """A probe failed, crashed or took too long; the text says which, in one line."""


def ask(probe: str, *arguments: str, timeout: float) -> Any:
    """The answer of a probe, from a child process that may take `timeout` seconds.

    Raises:
        ProbeError: there is no answer.
    """
    # -P keeps a file of the working directory from posing as one of the libraries.
    command = [sys.executable, "-P", "-m", __name__, probe, *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {timeout:g} s") from None
    lines = (done.stdout if done.returncode == 0 else done.stderr).decode(errors="replace").strip()
    last = lines.splitlines()[-1] if lines else ""
    if done.returncode < 0:
        raise ProbeError(f"the process was killed by signal {-done.returncode}")
    if done.returncode > 0:
        raise ProbeError(last or f"the process ended with status {done.returncode}")
    try:
        return json.loads(last)
    except ValueError:  # it ended the process by itself, or spoke at its end
        raise ProbeError("the process ended without an answer") from None


def speech(engine: str) -> dict[str, int]:
    """Opens a speech engine and counts what it offers."""
    from soundalike.engines.base import EngineConfig
    from soundalike.engines.registry import speech_engine

    opened = speech_engine(engine)(EngineConfig(engine))
    try:
        return {"voices": len(opened.voices()), "languages": len(opened.languages())}
    finally:
        opened.close()


def transcription(engine: str) -> dict[str, str]:
    """Loads the code of a transcription engine, not its weights; the versions of its libraries."""
    from soundalike.engines.registry import transcription_engine

    transcription_engine(engine)
    libraries = _WHISPER_LIBRARIES if engine == "whisper" else {}
    for module in libraries.values():
        import_module(module)
    return {name: version(name) for name in libraries}


def plan(weights: str, options: str) -> dict[str, Any]:
    """What there is for Whisper, how it would run on that, and the number types of that device.

    Args:
        weights: the folder of its weights, which need not exist.
        options: those of an `EngineConfig`, as JSON.
    """
    from soundalike.engines.base import EngineConfig
    from soundalike.engines.whisper.loading import plan_for
    from soundalike.engines.whisper.machine import this_machine

    machine = this_machine()
    config = EngineConfig("whisper", Path(weights), json.loads(options))
    planned = plan_for(config)
    return {
        "cores": machine.cores,
        "gpus": machine.gpus,
        **asdict(planned),
        "number_types": sorted(machine.number_types.get(planned.device, ())),
    }


def encoders() -> dict[str, bool]:
    """Whether PyAV can encode each of the compressed formats, by the name of its encoder."""
    codec = import_module("av.codec")

    def is_present(name: str) -> bool:
        try:
            codec.Codec(name, "w")
        except ValueError:  # UnknownCodecError
            return False
        return True

    return {name: is_present(name) for name in _ENCODERS.values()}


_PROBES: dict[str, Callable[..., Any]] = {
    probe.__name__: probe for probe in (speech, transcription, plan, encoders)
}


def main(probe: str, *arguments: str) -> None:
    try:
        answer = json.dumps(_PROBES[probe](*arguments))
    except Exception as error:
        if type(error).__module__.startswith("soundalike."):  # its text is written for people
            sys.exit(str(error))
        raise
    sys.stdout.write(f"{answer}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
