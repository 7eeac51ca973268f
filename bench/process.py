"""Servers under test: processes of their own, as a user starts them."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 120.0
"""Seconds until a server must be ready."""

NICE_END = 20.0
"""Seconds in which it must have ended when it is told to."""


class NotReadyError(Exception):
    """A server ended, or took too long, before it said that it was ready."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens.

    Attributes:
        root: its URL without a path.
        pid: of the process that was started; what it started itself are children of that.
        started_in: seconds from the start of the process until it said that it was ready.
        printed: the lines that it printed so far.
        stop: has it end, as the end of the block does, and tells its exit code.
    """

    root: str
    pid: int
    started_in: float
    printed: Sequence[str]
    stop: Callable[[], int]


def soundalike(*flags: str) -> list[str]:
    """The command line of a server of this checkout on a free port."""
    return [sys.executable, "-m", "soundalike", "serve", "--port", "0", "--offline", *flags]


def environment() -> dict[str, str]:
    """For processes that are measured: this one's, but Python may keep what it has compiled, as it
    does by itself. Else each process would compile the server anew."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def running(
    command: Sequence[str],
    ready: str = r"Base URL\D*(http://[^\s/]+)",
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server until the end of the block.

    Args:
        ready: matches what it prints when it is ready; the first group is its address.
        variables: of its environment, beside those of `environment()`.

    Raises:
        NotReadyError: it did not come up; the text is what it printed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**environment(), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", **(variables or {})},
    )
    printed: list[str] = []
    found: list[tuple[str, float]] = []
    told = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            if not found and (match := re.search(ready, line)):
                found.append((match[1], time.perf_counter() - began))
                told.set()
        told.set()

    reading = threading.Thread(target=read, name="output of a server")
    reading.start()
    try:
        told.wait(PATIENCE)
        if not found:
            raise NotReadyError("".join(printed) or f"nothing was printed in {PATIENCE:.0f} s")
        address, seconds = found[0]
        yield Server(address, process.pid, seconds, printed, lambda: _ended(process))
    finally:
        _ended(process)
        reading.join()
        assert process.stdout is not None
        process.stdout.close()


def _ended(process: subprocess.Popen[str]) -> int:
    """The exit code of a process that is told to end, or made to if it does not."""
    process.terminate()
    try:
        return process.wait(NICE_END)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
