"""Official SDKs, pointed at a running server by its base URL alone."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import jiwer
import openai
import pytest

NODE = Path(__file__).parent / "node"


@pytest.fixture
def client(real_server: Any) -> Iterator[openai.OpenAI]:
    """The Python SDK on the real engines."""
    with openai.OpenAI(base_url=real_server.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture
def stub_client(stub_server: Any) -> Iterator[openai.OpenAI]:
    """The Python SDK on the stub engine."""
    with openai.OpenAI(base_url=stub_server.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


class NodeSdk(Protocol):
    def __call__(self, base_url: str, call: str, **parameters: Any) -> dict[str, Any]: ...


@pytest.fixture(scope="session")
def node_sdk() -> NodeSdk:
    """Runs one call of `node/sdk.mjs`; what it printed, as JSON."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    assert (NODE / "node_modules" / "openai").is_dir(), "run `make test`, which installs it"

    def run(base_url: str, call: str, **parameters: Any) -> dict[str, Any]:
        done = subprocess.run(
            ["node", "sdk.mjs", call, json.dumps(parameters)],
            cwd=NODE,
            env={**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-test"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


class WordErrorRate(Protocol):
    def __call__(self, said: str, heard: str) -> float: ...


@pytest.fixture(scope="session")
def word_error_rate() -> WordErrorRate:
    """Wrong words in `heard` as a share of the words in `said`, whatever the spelling of case,
    punctuation and hyphens."""

    def plain(text: str) -> str:
        return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())

    def rate(said: str, heard: str) -> float:
        return float(jiwer.wer(plain(said), plain(heard)))

    return rate
