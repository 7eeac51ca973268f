"""The process whose children decode, as its host holds it. Linux only."""

import os
import socket
import subprocess
import sys
import threading

from soundalike.audio.orders import Order
from soundalike.audio.told import KILLED
from soundalike.errors import ServerError

_PASSED = {"GLIBC_TUNABLES", "LANG", "OPENBLAS_NUM_THREADS", "PATH"}
_PASSED_BEGINNINGS = ("LC_", "LD_", "MALLOC_", "PYTHON")
"""What finding and running Python takes. The rest of an environment holds its owner's secrets."""


class Zygote:
    """Starts the process when it is needed, and again when it has ended. For any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Have it ready ahead of the first order, which else waits for it."""
        with self._changing:
            if self._process is None and not self._closed:
                self._begin()

    def send(self, order: Order, files: tuple[int, ...]) -> "subprocess.Popen[bytes]":
        """Have an order carried out; returns the process that took it, see `end`.

        Raises:
            ServerError: there is no process, and none can be had.
        """
        for _ in range(2):
            with self._changing:
                if self._closed:
                    raise ServerError(KILLED)
                if self._orders is None:
                    self._begin()
                assert self._orders
                assert self._process
                try:
                    socket.send_fds(self._orders, [order.encode()], files)
                    return self._process
                except OSError:  # it has died; the next one takes the order
                    self._end()
        raise ServerError(KILLED)

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """End the process if it is still that one, and not its successor."""
        with self._changing:
            if self._process is process:
                self._end()

    def close(self) -> None:
        """End it for good."""
        with self._changing:
            self._closed = True
            self._end()

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                # -P: as for the host itself
                [sys.executable, "-P", "-m", "soundalike.audio.decoder", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
            )
        self._orders = ours

    def _end(self) -> None:
        if self._orders:
            self._orders.close()
            self._orders = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


def _environment() -> dict[str, str]:
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_BEGINNINGS)
    }
    # It forks, and so must have a single thread.
    return passed | {"OPENBLAS_NUM_THREADS": "1"}
