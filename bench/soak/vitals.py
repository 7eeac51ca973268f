"""What a server takes of the machine, second by second."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bench.memory import MEGABYTE
from soundalike.temporary import LOCK

PERIOD = 1.0
"""Seconds between samples."""

HOST = "soundalike.runtime.host"
"""The module that every engine host runs, which its command line names."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was taken `seconds` after watching began. `hosts` are the processes that the server
    started, with those that they started; memory is resident, in megabytes. `processes` also counts
    those that lost their parent."""

    seconds: float
    server_memory: float
    hosts_memory: float
    server_handles: int
    hosts_handles: int
    server_threads: int
    hosts_threads: int
    processes: int
    files: int


FIGURES = {
    "server_memory": "server, MB",
    "hosts_memory": "hosts, MB",
    "server_handles": "server, handles",
    "hosts_handles": "hosts, handles",
    "server_threads": "server, threads",
    "hosts_threads": "hosts, threads",
    "processes": "processes",
    "files": "temporary files",
}
"""What each figure of a sample is called."""


class Vitals:
    """Samples of one server.

    Args:
        pid: of its process.
        temporary: the folder of its temporary files, which nobody else uses.
    """

    def __init__(self, pid: int, temporary: Path) -> None:
        self._server = psutil.Process(pid)
        self._temporary = temporary
        self._began = time.monotonic()
        self.samples: list[Sample] = []
        self._seen: set[psutil.Process] = {self._server}

    @property
    def now(self) -> float:
        """Seconds since watching began."""
        return time.monotonic() - self._began

    def look(self) -> None:
        """Take a sample, unless the server is gone."""
        with suppress(psutil.NoSuchProcess):
            children = self._server.children(recursive=True)
            self._seen |= set(children)
            self._seen = {process for process in self._seen if _runs(process)}
            orphans = self._seen - {self._server, *children}
            memory, handles, threads = _taken([self._server])
            hosts_memory, hosts_handles, hosts_threads = _taken(children)
            self.samples.append(
                Sample(
                    seconds=round(self.now, 2),
                    server_memory=memory,
                    hosts_memory=hosts_memory,
                    server_handles=handles,
                    hosts_handles=hosts_handles,
                    server_threads=threads,
                    hosts_threads=hosts_threads,
                    processes=1 + len(children) + len(orphans),
                    files=sum(
                        path.is_file() and path.name != LOCK for path in self._temporary.rglob("*")
                    ),
                )
            )

    def hosts(self) -> list[psutil.Process]:
        """The engine hosts that are running."""
        found = []
        for child in self._server.children():
            with suppress(psutil.NoSuchProcess):
                if HOST in child.cmdline():
                    found.append(child)
        return found

    def left(self) -> list[str]:
        """What is still there of a server that has ended: processes and temporary files."""
        return [
            *(f"process {process.pid}" for process in self._seen if _runs(process)),
            *(f"file {path.relative_to(self._temporary)}" for path in self._temporary.rglob("*")),
        ]

    def as_json(self) -> list[dict[str, float]]:
        return [asdict(sample) for sample in self.samples]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _taken(processes: list[psutil.Process]) -> tuple[float, int, int]:
    """Megabytes, handles and threads of processes, of which some may just end."""
    memory, handles, threads = 0.0, 0, 0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied), process.oneshot():
            memory += process.memory_info().rss / MEGABYTE
            handles += process.num_fds()
            threads += process.num_threads()
    return round(memory, 2), handles, threads


@contextmanager
def watched(pid: int, temporary: Path) -> Iterator[Vitals]:
    """Look at a server every second until the end of the block."""
    vitals, done = Vitals(pid, temporary), threading.Event()

    def look_on() -> None:
        while not done.wait(PERIOD):
            vitals.look()

    vitals.look()
    looking = threading.Thread(target=look_on, name="vitals")
    looking.start()
    try:
        yield vitals
    finally:
        done.set()
        looking.join()
