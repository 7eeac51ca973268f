"""What is chosen for a machine, and what is said of weights that cannot be opened."""

import subprocess
import sys
from pathlib import Path

import pytest

from soundalike.engines.base import EngineConfig
from soundalike.engines.whisper.loading import (
    REQUIRED_FILES,
    chosen_compute_type,
    chosen_device,
    chosen_threads,
    load_model,
)
from soundalike.errors import ServerError


@pytest.mark.parametrize(
    ("requested", "gpus", "device"),
    [("auto", 0, "cpu"), ("auto", 2, "cuda"), ("cpu", 2, "cpu"), ("cuda", 0, "cuda")],
)
def test_device(requested: str, gpus: int, device: str) -> None:
    assert chosen_device(requested, gpus) == device


@pytest.mark.parametrize(
    ("requested", "device", "supported", "compute_type"),
    [
        ("auto", "cpu", {"int8", "int8_float32", "float32"}, "int8"),
        ("auto", "cpu", {"float32"}, "float32"),
        ("auto", "cuda", {"float16", "int8", "float32"}, "float16"),
        ("auto", "cuda", {"int8", "float32"}, "float32"),
        ("int8_float16", "cuda", {"float32"}, "int8_float16"),
    ],
)
def test_compute_type(requested: str, device: str, supported: set[str], compute_type: str) -> None:
    assert chosen_compute_type(requested, device, supported) == compute_type


@pytest.mark.parametrize(
    ("requested", "slots", "cores", "threads"),
    [(0, 1, 8, 8), (0, 2, 8, 4), (0, 4, 2, 1), (3, 2, 2, 3)],
)
def test_threads_of_a_slot(requested: int, slots: int, cores: int, threads: int) -> None:
    assert chosen_threads(requested, slots, cores) == threads


def test_no_folder() -> None:
    with pytest.raises(ServerError, match="no folder"):
        load_model(EngineConfig("whisper"))


def test_a_folder_without_weights_is_not_looked_up_on_the_network(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"lack model\.bin, config\.json, tokenizer\.json"):
        load_model(EngineConfig("whisper", tmp_path))


def test_damaged_weights(tmp_path: Path) -> None:
    for name in REQUIRED_FILES:
        (tmp_path / name).write_bytes(b"not this")
    with pytest.raises(ServerError, match="cannot be loaded"):
        load_model(EngineConfig("whisper", tmp_path))


def test_importing_the_package_brings_no_native_library_in() -> None:
    code = (
        "import sys, soundalike.engines.whisper\n"
        "print({'numpy', 'ctranslate2', 'faster_whisper', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
