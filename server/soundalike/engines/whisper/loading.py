"""Opens the weights of a Whisper in CTranslate2's format."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

import ctranslate2

from soundalike.engines.base import EngineConfig
from soundalike.errors import ServerError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")


def chosen_device(requested: str, gpus: int) -> str:
    """`auto` is a GPU where there is one."""
    if requested != "auto":
        return requested
    return "cuda" if gpus else "cpu"


def chosen_compute_type(requested: str, device: str, supported: AbstractSet[str]) -> str:
    """`auto` is the fastest that costs no words: int8 on a CPU, float16 on a GPU, and float32
    where the processor has no such thing."""
    if requested != "auto":
        return requested
    fastest = "float16" if device == "cuda" else "int8"
    return fastest if fastest in supported else "float32"


def chosen_threads(requested: int, slots: int, cores: int) -> int:
    """Threads of each slot; 0 shares the cores out among the slots."""
    return requested or max(1, cores // slots)


def load_model(config: EngineConfig) -> WhisperModel:
    """The model in `config.weights`.

    Options: `device` (auto, cpu, cuda), `compute_type` (auto, or CTranslate2's name of one),
    `threads` (of each slot; 0 shares the cores out), `slots` (transcriptions at once).

    Raises:
        ServerError: the weights are missing or damaged, or the device cannot run them.
    """
    from faster_whisper import WhisperModel

    folder = _checked(config.weights)
    device = chosen_device(str(config.options.get("device") or "auto"), gpus())
    slots = max(1, int(config.options.get("slots") or 1))
    try:
        return WhisperModel(
            str(folder),
            device=device,
            compute_type=chosen_compute_type(
                str(config.options.get("compute_type") or "auto"),
                device,
                ctranslate2.get_supported_compute_types(device),
            ),
            cpu_threads=chosen_threads(
                int(config.options.get("threads") or 0), slots, os.cpu_count() or 1
            ),
            num_workers=slots,
        )
    except Exception as error:  # the tokenizer's errors are bare ones
        raise ServerError(f"The Whisper weights in {folder} cannot be loaded: {error}") from error


def gpus() -> int:
    return int(ctranslate2.get_cuda_device_count())


def _checked(folder: Path | None) -> Path:
    """faster-whisper would look on the network for what is not in the folder."""
    if folder is None:
        raise ServerError("The Whisper engine was given no folder of weights.")
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise ServerError(f"The Whisper weights in {folder} lack {', '.join(missing)}.")
    return folder
