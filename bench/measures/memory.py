"""The memory of the processes, and whether an idle model gives its back."""

import time
from collections.abc import Iterator

from bench.client import Client
from bench.context import Context
from bench.material import wav
from bench.memory import MEGABYTE, Watch, resident
from bench.rows import Row, Target

API = Target("max", 90)
WHISPER = Target("max", 400)
"""Megabytes, at any time of the run."""

GIVEN_BACK = Target("ratio", 0.1)
"""What may remain of the hosts' memory once they have been idle."""

IDLE = 3.0
"""Seconds after which the models of the second server are unloaded."""

PATIENCE = 30.0
"""Seconds in which they must be gone."""


def measure(context: Context) -> Iterator[Row]:
    clip = wav(context.material.clips(3, 1)[0].samples)
    context.client.transcribe(clip)
    context.watch.look()
    for process, target in (("API", API), ("whisper host", WHISPER), ("speech host", None)):
        yield _over_time(context.watch, process, target)
    yield _given_back(context, clip)


def _over_time(watch: Watch, process: str, target: Target | None) -> Row:
    """A process in every sample of the run, and the most in each part of it."""
    held = tuple(size / MEGABYTE for size in watch.sizes(process))
    most = ", ".join(f"{name} {size / MEGABYTE:.0f}" for name, size in watch.peaks(process))
    return Row(f"{process} over the run", "MB", held, target=target, note=f"most: {most}")


def _given_back(context: Context, clip: bytes) -> Row:
    flags = ("--models", str(context.store), "--idle-unload", str(IDLE))
    with context.serving(*flags) as server, Client(server.root) as client:
        client.transcribe(clip)
        loaded = _hosts(server.pid)
        began = time.perf_counter()
        while _hosts(server.pid) and time.perf_counter() - began < PATIENCE:
            time.sleep(0.1)
        left = _hosts(server.pid)
    name = f"hosts after {IDLE:.0f} s of idleness"
    return Row(name, "MB", (left / MEGABYTE,), (loaded / MEGABYTE,), GIVEN_BACK)


def _hosts(pid: int) -> int:
    return sum(size for process, size in resident(pid).items() if process != "API")
