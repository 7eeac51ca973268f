"""The PyPI package `faster-whisper-server`, in a virtual environment of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.process import Server, running

READY = r"Uvicorn running on (http://[^\s/]+)"


@contextmanager
def rival(python: Path, weights: Path, folder: Path, compute_type: str) -> Iterator[Server]:
    """Its server on our weights.

    Args:
        python: of the environment in which it is installed.
        folder: where its configuration goes.
        compute_type: `default` is float32 on a CPU, which is what it runs by itself.

    Raises:
        NotReadyError: it is not installed there, or did not come up.
    """
    options = {"device": "cpu", "compute_type": compute_type}
    config = folder / "rival.yaml"  # JSON is YAML too
    model = {"name": "whisper-1", "path": str(weights), "model_options": options}
    config.write_text(json.dumps({"models": [model]}))
    command = [str(python), "-m", "faster_whisper_server", "--config", str(config)]
    with running([*command, "--host", "127.0.0.1", "--port", "0"], READY) as server:
        yield server
