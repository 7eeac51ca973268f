"""Official SDKs, pointed at a running server by its base URL alone."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx2
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


@pytest.fixture(scope="session")
def guarded_server(serve: Any) -> Iterator[Any]:
    """A server on the stub engine that knows some keys, and lets each make 60 requests a minute."""
    keys = "sk-test,sk-patient,sk-hasty"
    flags = ("--engine", "stub", "--rate-limit-requests", "60")
    with serve(*flags, SOUNDALIKE_API_KEYS=keys) as server:
        yield server


def _kill_hosts(server: Any) -> None:
    found = subprocess.run(
        ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    for host in found.stdout.split():
        os.kill(int(host), signal.SIGKILL)


@pytest.fixture(scope="session")
def kill_hosts() -> Callable[[Any], None]:
    """Kills the processes in which a server's engines run."""
    if shutil.which("pgrep") is None:
        pytest.skip("needs pgrep")
    return _kill_hosts


@pytest.fixture(scope="session")
def failing_engines(
    kill_hosts: Callable[[Any], None],
) -> Callable[..., AbstractContextManager[None]]:
    """Has a server's engines die again and again, until so many requests were answered with 500.
    Only work of a second or more is sure to be hit. Those that load are left alone: they would be
    given up for a while."""

    @contextmanager
    def failing(server: Any, times: int) -> Iterator[None]:
        before = len(server.output)
        over = threading.Event()

        def kill() -> None:
            while not over.wait(0.25) and _failures(server.output[before:]) < times:
                if _loaded(server):
                    kill_hosts(server)

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            yield
        finally:
            over.set()
            killing.join()

    return failing


def _loaded(server: Any) -> bool:
    told = httpx2.get(f"{server.base_url.removesuffix('/v1')}/readyz").json()
    return all(engine["state"] != "loading" for engine in told["engines"])


def _failures(lines: list[str]) -> int:
    return sum(re.search(r" 500 (\S+ )?in ", line) is not None for line in lines)


class NodeSdk(Protocol):
    def __call__(
        self, base_url: str, call: str, options: dict[str, Any] | None = None, **parameters: Any
    ) -> dict[str, Any]: ...


@pytest.fixture(scope="session")
def node_sdk() -> NodeSdk:
    """Runs one call of `node/sdk.mjs`, with options of the client; what it printed, as JSON."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    assert (NODE / "node_modules" / "openai").is_dir(), "run `make test`, which installs it"

    def run(
        base_url: str, call: str, options: dict[str, Any] | None = None, **parameters: Any
    ) -> dict[str, Any]:
        done = subprocess.run(
            ["node", "sdk.mjs", call, json.dumps(parameters), json.dumps(options or {})],
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
