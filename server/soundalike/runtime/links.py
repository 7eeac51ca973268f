"""The two ways to reach an engine host: a child process, or threads of this one."""

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from soundalike.runtime.frames import Frame, receive_frame

log = logging.getLogger(__name__)

Receive = Callable[[Frame | None], None]
"""Takes each frame from a host on the event loop, and None when the host is gone."""

MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(96 * 2**20),
}
"""How glibc's allocator gives memory back (mallopt(3)). By itself it keeps what each of a host's
threads ever used; with lower limits the same pages are asked for again and again
(docs/performance.md)."""

_PASSED = re.compile(
    # where programmes and their files are
    r"PATH|PATHEXT|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TMPDIR|TEMP|TMP|XDG_\w+"
    r"|LD_LIBRARY_PATH|DYLD_\w+|PYTHON\w*|VIRTUAL_ENV|CONDA_PREFIX|COVERAGE_\w+"
    r"|PYDANTIC_DISABLE_PLUGINS"
    # the same on Windows
    r"|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|USERNAME|USERPROFILE|APPDATA|LOCALAPPDATA"
    r"|PROGRAMDATA|PROGRAMFILES\w*|NUMBER_OF_PROCESSORS|PROCESSOR_\w+"
    # of what computes, and of glibc
    r"|CUDA_\w+|NVIDIA_\w+|OMP_\w+|GOMP_\w+|KMP_\w+|MKL_\w+|OPENBLAS_\w+|CT2_\w+|ORT_\w+"
    r"|HF_HOME|HF_HUB_\w+"
    r"|MALLOC_\w+|GLIBC_TUNABLES"
    # of what speaks
    r"|ESPEAK_DATA_PATH|ALSA_\w+|PULSE_\w+"
    # our own, and those of engines that others add
    r"|SOUNDALIKE_\w+",
    re.IGNORECASE,
)
"""Variables that a host may know. It reads strangers' files, and the rest of the environment of a
server may be anything: addresses of databases with passwords in them, keys to a cloud."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|HEADERS", re.IGNORECASE)
"""What the names of those among them have in them whose values are nobody else's business."""

GRACE = 2.0
"""Seconds in which a host process may end by itself before it is killed."""


class Link(Protocol):
    """A live connection to one host."""

    @property
    def pid(self) -> int | None:
        """Of the host's process, where it has one of its own."""
        ...

    def send(self, frame: Frame) -> None:
        """Pass a frame on; without effect on a host that is gone."""
        ...

    def kill(self) -> None:
        """End the host without its help. Only where it has a process of its own."""
        ...

    async def close(self) -> None:
        """End the host and wait until it has ended. `receive` is not called any more."""
        ...


OpenLink = Callable[[Receive], Awaitable[Link]]
"""Makes a link to a new host, which says nothing before it is handed over; raises OSError."""


class ProcessLink:
    """A host in a child process, over its stdin and stdout."""

    def __init__(self, process: asyncio.subprocess.Process, receive: Receive) -> None:
        self._process = process
        self._receive = receive
        self._reading = asyncio.create_task(self._read(), name=f"host {process.pid}")

    @classmethod
    async def open(cls, receive: Receive) -> "ProcessLink":
        with _interrupts_blocked():
            process = await asyncio.create_subprocess_exec(
                # -P: a folder in which the server happens to be started adds no modules.
                *(sys.executable, "-P", "-m", "soundalike.runtime.host"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**MALLOC, **_passed_on(os.environ)},
            )
        return cls(process, receive)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def send(self, frame: Frame) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frame.encode())

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        self._receive = _nobody
        assert self._process.stdin is not None
        self._process.stdin.close()
        # What it still says is read on: asyncio calls a process ended once its pipes are.
        await asyncio.wait({self._reading}, timeout=GRACE)
        if not self._reading.done():
            self.kill()
        await self._reading

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while frame := await receive_frame(stdout):
                self._receive(frame)
        except Exception:
            log.exception("a host is ended that cannot be understood")
            self.kill()
            while await stdout.read(2**16):
                pass
        await self._process.wait()
        self._receive(None)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """For a process that is started meanwhile, and takes this over: Ctrl-C in a terminal reaches
    the whole process group, and Python would print where it was until the host ignores it. Here it
    is only put off."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        # Hosts may be started at the same time: whoever blocked it unblocks it.
        if signal.SIGINT not in before:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """What a host is told of the server's environment."""
    return {
        name: value
        for name, value in environment.items()
        if _PASSED.fullmatch(name) and not _SECRET.search(name)
    }


def _nobody(frame: Frame | None) -> None:
    """Takes what a host says after its link was closed."""


class ThreadLink:
    """A host in threads of this process."""

    pid = None

    def __init__(self, receive: Receive) -> None:
        self._loop = asyncio.get_running_loop()
        self._receive: Receive | None = receive
        # A server whose hosts are processes has no need of all that belongs to one.
        from soundalike.runtime.work import EngineHost

        self._host = EngineHost(self._emit)

    @classmethod
    async def open(cls, receive: Receive) -> "ThreadLink":
        return cls(receive)

    def send(self, frame: Frame) -> None:
        self._host.handle(frame)

    def kill(self) -> None:
        """Does nothing: a thread cannot be ended."""

    async def close(self) -> None:
        self._receive = None
        await asyncio.to_thread(self._host.close)

    def _emit(self, frame: Frame) -> None:
        self._loop.call_soon_threadsafe(self._deliver, frame)

    def _deliver(self, frame: Frame) -> None:
        if self._receive:
            self._receive(frame)
