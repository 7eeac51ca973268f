"""The memory of a server's processes, now and over time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

MEGABYTE = 10**6
PERIOD = 0.5
"""Seconds between samples."""

MARKS = {"whisper host": "ctranslate2", "speech host": "espeak"}
"""What only that process has mapped into its memory."""


class Sample(NamedTuple):
    """Resident bytes of each process, `seconds` after watching began."""

    seconds: float
    resident: dict[str, int]


_known: dict[psutil.Process, str] = {}
"""Hosts whose kind was found: to read a process's mappings is too dear for every sample."""


def resident(pid: int) -> dict[str, int]:
    """Resident bytes of a server and its hosts, by what they are."""
    found: dict[str, int] = {}
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        found["API"] = server.memory_info().rss
        for child in server.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                kind = _kind(child)
                found[kind] = found.get(kind, 0) + child.memory_info().rss
    return found


def _kind(process: psutil.Process) -> str:
    if process in _known:
        return _known[process]
    mapped: set[str] = set()
    with suppress(psutil.AccessDenied, AttributeError):  # no such thing on macOS
        mapped = {mapping.path for mapping in process.memory_maps()}
    for kind, mark in MARKS.items():
        if any(mark in path for path in mapped):
            _known[process] = kind
            return kind
    return "other host"


def peak(pid: int) -> int | None:
    """The most bytes that were resident in a process since `forget_peak`; Linux alone tells."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def forget_peak(pid: int) -> None:
    """Let the peak of a process start from what is resident now (man 5 proc, clear_refs)."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


class Watch:
    """Samples of a server's memory, and when something else began to be measured."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = time.perf_counter()
        self.samples: list[Sample] = []
        self.marks: list[tuple[float, str]] = []

    def look(self) -> None:
        self.samples.append(Sample(time.perf_counter() - self._began, resident(self._pid)))

    def mark(self, name: str) -> None:
        self.marks.append((time.perf_counter() - self._began, name))
        self.look()

    def sizes(self, process: str) -> list[int]:
        """The bytes that a process had in each sample in which it was there."""
        return [sample.resident[process] for sample in self.samples if process in sample.resident]

    def peaks(self, process: str) -> list[tuple[str, int]]:
        """The most bytes that a process had from each mark to the next, where it was there."""
        ends = [*(seconds for seconds, _ in self.marks[1:]), float("inf")]
        found = []
        for (begin, name), end in zip(self.marks, ends, strict=True):
            held = [
                sample.resident[process]
                for sample in self.samples
                if begin <= sample.seconds < end and process in sample.resident
            ]
            if held:
                found.append((name, max(held)))
        return found


@contextmanager
def watched(pid: int) -> Iterator[Watch]:
    """Look at a server's memory until the end of the block."""
    watch, done = Watch(pid), threading.Event()

    def look_on() -> None:
        while not done.wait(PERIOD):
            watch.look()

    watch.mark("ready")
    looking = threading.Thread(target=look_on, name="memory")
    looking.start()
    try:
        yield watch
    finally:
        done.set()
        looking.join()
