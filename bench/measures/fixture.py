"""The fixture for tests: how soon it is there, what it costs each request, how many it bears."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bench.client import Client
from bench.context import Context
from bench.measures.clients import crowd
from bench.process import environment
from bench.rows import Row, Target, milliseconds
from soundalike.testing import Server, serve

FRESH = """
import time
began = time.perf_counter()
from soundalike.testing import serve
with serve():
    print(time.perf_counter() - began)
"""

FRESH_TARGET = Target("median", 1.0)
"""Seconds; a session of tests pays it once, in each worker."""

START_TARGET = Target("median", 100)
SCOPE_TARGET = Target("median", 1)
SPEECH_TARGET = Target("median", 5)
UPLOAD_TARGET = Target("median", 10)
"""Milliseconds. An upload is decoded once more, for the journal and for what stubs match on."""

ADDED = "less the same without the fixture"

CROWDS = (1, 4)
"""Clients at once."""


def measure(context: Context) -> Iterator[Row]:
    _fresh()  # which may have to compile the modules
    fresh = [_fresh() for _ in range(context.times(5, 2))]
    yield Row("start in a new process, with imports", "s", tuple(fresh), target=FRESH_TARGET)
    yield from _starts(context.times(10, 3))
    with serve() as server:
        yield _scopes(server, context.times(200, 50))
    yield from _requests(context)


def _fresh() -> float:
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return float(done.stdout)


def _starts(times: int) -> Iterator[Row]:
    starts, ends = [], []
    for _ in range(times):
        began = time.perf_counter()
        with serve():
            started = time.perf_counter()
        ends.append(time.perf_counter() - started)
        starts.append(started - began)
    yield Row(
        "start of another in the same process", "ms", milliseconds(starts), target=START_TARGET
    )
    yield Row("end", "ms", milliseconds(ends), target=START_TARGET)


def _scopes(server: Server, times: int) -> Row:
    """What each test pays."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        scope = server.scope()
        scope.report()
        scope.close()
        spent.append(time.perf_counter() - began)
    return Row("a scope, looked into and ended", "ms", milliseconds(spent), target=SCOPE_TARGET)


def _requests(context: Context) -> Iterator[Row]:
    """The same requests of a server that is a fixture and of one that is none, by turns."""
    with ExitStack() as stack:
        roots = {
            fixture: stack.enter_context(
                context.serving("--engine", "stub", "--fixture", fixture)
            ).root
            for fixture in ("on", "off")
        }
        clients = {name: stack.enter_context(Client(root)) for name, root in roots.items()}
        clip = clients["off"].speak("Hello.", "wav").body
        times = context.times(50, 15)
        spoken = _added(clients, lambda client: client.speak("Hello.", "pcm"), times)
        yield Row("added to speech", "ms", spoken, target=SPEECH_TARGET, note=ADDED)
        heard = _added(clients, lambda client: client.transcribe(clip), times)
        yield Row("added to a transcription", "ms", heard, target=UPLOAD_TARGET, note=ADDED)
        seconds = context.times(4, 2)
        for number in CROWDS:
            rates = {
                name: crowd(root, [clip], number, seconds).rate for name, root in roots.items()
            }
            name = f"transcriptions, {number} client{'s' * (number > 1)}"
            yield Row(name, "requests/s", (rates["on"],), (rates["off"],))


def _added(
    clients: dict[str, Client], ask: Callable[[Client], object], times: int
) -> tuple[float, ...]:
    """Milliseconds by which each request takes longer where the server is a fixture."""
    spent: dict[str, list[float]] = {fixture: [] for fixture in clients}
    for client in clients.values():
        ask(client)
    for _ in range(times):
        for fixture, client in clients.items():
            began = time.perf_counter()
            ask(client)
            spent[fixture].append(time.perf_counter() - began)
    return milliseconds([on - off for on, off in zip(spent["on"], spent["off"], strict=True)])
