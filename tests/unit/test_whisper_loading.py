"""Weights that cannot be opened, and what is said of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from soundalike.engines.base import EngineConfig
from soundalike.engines.whisper.loading import REQUIRED_FILES, WEIGHTS, load_model, plan_for
from soundalike.engines.whisper.plan import Plan
from soundalike.errors import ServerError

PLAN = Plan("cpu", "int8", 1, 1)


def test_wishes_come_from_the_options(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    config = EngineConfig(
        "whisper",
        tmp_path,
        {"device": "cpu", "compute_type": "float32", "slots": 3, "threads": 5},
    )
    assert plan_for(config) == Plan("cpu", "float32", 3, 5)


def test_without_wishes_the_machine_decides() -> None:
    plan = plan_for(EngineConfig("whisper"))
    assert plan.slots >= 1
    assert plan.threads >= 1


def test_no_folder() -> None:
    with pytest.raises(ServerError, match="no folder"):
        load_model(None, PLAN)


def test_a_folder_without_weights_is_not_looked_up_on_the_network(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"lack model\.bin, config\.json, tokenizer\.json"):
        load_model(tmp_path, PLAN)


def test_damaged_weights(tmp_path: Path) -> None:
    for name in REQUIRED_FILES:
        (tmp_path / name).write_bytes(b"not this")
    with pytest.raises(ServerError, match="cannot be loaded"):
        load_model(tmp_path, PLAN)


def test_importing_the_package_brings_no_native_library_in() -> None:
    code = (
        "import sys, soundalike.engines.whisper\n"
        "print({'numpy', 'ctranslate2', 'faster_whisper', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
