"""The pytest plugin: fixtures, and the marker `soundalike` that sets them up.

Loaded by every pytest of an environment that soundalike is installed in, so that it imports nothing
of the server before a test asks for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import openai

    from soundalike.testing.scope import Soundalike
    from soundalike.testing.serving import EngineChoice, Server

__tracebackhide__ = True

MARKER = "soundalike(engine='stub', strict=False, seed=None, check=True)"
ABOUT = (
    "how the fixture `soundalike` of a test is set up: its engine (`stub` or `real`), whether "
    "requests that no stub answers are refused, the seed of names and times, and whether it is "
    "checked at the end. Of several markers, the nearest wins, option by option."
)
OPTIONS = {"engine": "stub", "strict": False, "seed": None, "check": True}

START_TIMEOUT = 60.0
"""Seconds in which a server must start; the real engines load weights first."""

_raised = pytest.StashKey[bool]()
"""Whether the test itself raised, by which it failed, was skipped or was expected to fail."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: {ABOUT}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails, say beside its own error what soundalike saw."""
    report = yield
    if call.when != "teardown" and call.excinfo is not None:
        item.stash[_raised] = True
        handle = getattr(item, "funcargs", {}).get("soundalike")
        if report.failed and handle is not None:
            report.sections.append(("soundalike", handle.report()))
    return report


@pytest.fixture(scope="session")
def _soundalike_servers() -> Iterator[Callable[[EngineChoice], Server]]:
    """The session's server on each engine, started when it is first asked for."""
    from soundalike.testing.serving import serve

    with ExitStack() as stack:

        @cache
        def server(engine: EngineChoice) -> Server:
            return stack.enter_context(serve(engine=engine, start_timeout=START_TIMEOUT))

        yield server


@pytest.fixture(scope="session")
def soundalike_server(_soundalike_servers: Callable[[EngineChoice], Server]) -> Server:
    """A server on the stub engine, in this process, for the whole session."""
    return _soundalike_servers("stub")


@pytest.fixture
def soundalike(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _soundalike_servers: Callable[[EngineChoice], Server],
) -> Iterator[Soundalike]:
    """A scope for this test alone, which `OPENAI_BASE_URL` points to; checked at the end."""
    options = _options(request.node)
    request.node.stash[_raised] = False  # of a run before, where it is run again
    server, name = _soundalike_servers(options["engine"]), _scope_name(request.node.nodeid)
    server.scope(name).close()  # which a late request of such a run has made anew
    scope = server.scope(name)
    scope.strict = options["strict"]
    scope.seed(options["seed"])
    # By the test's own monkeypatch, so that what both of them change comes back in order.
    for name, value in scope.environment.items():
        monkeypatch.setenv(name, value)
    try:
        yield scope
        if options["check"] and not request.node.stash.get(_raised, False):
            _check(scope)
    finally:
        scope.close()


@pytest.fixture
def soundalike_url(soundalike: Soundalike) -> str:
    """The base URL of the test's scope, with its `/v1`."""
    return soundalike.url


@pytest.fixture
def soundalike_client(soundalike: Soundalike) -> Iterator[openai.OpenAI]:
    """The official client, on the test's scope."""
    import openai

    key = soundalike.environment["OPENAI_API_KEY"]
    with openai.OpenAI(base_url=soundalike.url, api_key=key) as client:
        yield client


@pytest.fixture
def soundalike_async_client(soundalike: Soundalike) -> openai.AsyncOpenAI:
    """The official asynchronous client, on the test's scope. It keeps no connection open, so that
    nothing is left to be closed when the test's event loop has ended."""
    import openai

    return openai.AsyncOpenAI(
        base_url=soundalike.url,
        api_key=soundalike.environment["OPENAI_API_KEY"],
        default_headers={"connection": "close"},
    )


def _options(node: pytest.Item) -> dict[str, Any]:
    """Those of all markers together."""
    options: dict[str, Any] = dict(OPTIONS)
    for marker in reversed(list(node.iter_markers("soundalike"))):
        if marker.args or not marker.kwargs.keys() <= options.keys():
            pytest.fail(f"the marker is {MARKER}, got {marker}", pytrace=False)
        options |= marker.kwargs
    if options["engine"] not in ("stub", "real"):
        pytest.fail(f"engine is 'stub' or 'real', got {options['engine']!r}", pytrace=False)
    return options


def _scope_name(nodeid: str) -> str:
    """The same for a test in every run, so that what follows from a seed is so too."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", nodeid.rpartition("::")[2])[:60]
    return f"{readable}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"


def _check(scope: Soundalike) -> None:
    try:
        scope.check()
    except AssertionError as error:
        report = str(error)
    else:
        return
    pytest.fail(report, pytrace=False)
