"""Opens the weights of a Whisper in CTranslate2's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.engines.base import EngineConfig
from soundalike.engines.whisper.machine import this_machine
from soundalike.engines.whisper.plan import Plan, Wishes, planned
from soundalike.errors import ServerError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

WEIGHTS = "model.bin"
REQUIRED_FILES = (WEIGHTS, "config.json", "tokenizer.json")


def plan_for(config: EngineConfig) -> Plan:
    """How the weights in `config.weights` are run on this machine.

    Options: `device` (auto, cpu, cuda), `compute_type` (auto, or CTranslate2's name of one),
    `slots` (clips at once) and `threads` (of each slot); 0 leaves it to the machine.
    """
    wishes = Wishes(
        device=str(config.options.get("device") or "auto"),
        compute_type=str(config.options.get("compute_type") or "auto"),
        slots=int(config.options.get("slots") or 0),
        threads=int(config.options.get("threads") or 0),
    )
    weights = config.weights / WEIGHTS if config.weights else None
    size = weights.stat().st_size if weights and weights.is_file() else 0
    return planned(this_machine(), wishes, size)


def load_model(weights: Path | None, plan: Plan) -> WhisperModel:
    """The model in a folder.

    Raises:
        ServerError: the weights are missing or damaged, or the device cannot run them.
    """
    folder = _checked(weights)
    try:
        return _on_onnxruntime(folder, plan) or _on_ctranslate2(folder, plan)
    except Exception as error:  # the tokenizer's errors are bare ones
        raise ServerError(f"The Whisper weights in {folder} cannot be loaded: {error}") from error


def _on_onnxruntime(folder: Path, plan: Plan) -> WhisperModel | None:
    if not plan.on_onnxruntime:
        return None
    from soundalike.engines.whisper.network import NetworkModel, UnknownLayoutError

    try:
        return NetworkModel(folder, plan.slots * plan.threads)
    except UnknownLayoutError:
        return None  # CTranslate2 reads older ones as well


def _on_ctranslate2(folder: Path, plan: Plan) -> WhisperModel:
    from faster_whisper import WhisperModel

    return WhisperModel(
        str(folder),
        device=plan.device,
        compute_type=plan.compute_type,
        cpu_threads=plan.threads,
        num_workers=plan.slots,
    )


def _checked(folder: Path | None) -> Path:
    """faster-whisper would look on the network for what is not in the folder."""
    if folder is None:
        raise ServerError("The Whisper engine was given no folder of weights.")
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise ServerError(f"The Whisper weights in {folder} lack {', '.join(missing)}.")
    return folder
