"""The decoding process: `python -P -m soundalike.audio.decoder SOCKET`. Linux only.

It has imported what decoding takes, and forks for each upload. The child confines itself, decodes
one file into another one, tells how it went, and ends. This process itself never touches a byte of
an upload.

An order is one message on the socket (a file descriptor, `SOCK_SEQPACKET`): an `Order` and its
three files. On the last of them is told, one JSON object a line: `started`; `read`, the bytes of
packets counted so far; `heard`, the seconds of sound so far, each minute of it; then `done`, with
what was asked for, or `refused` (a reason and a number), or `failed`. This process adds `ended`,
the child's exit status (negative: the signal that ended it), and closes the stream. Whoever closes
the other end of a stream ends its child.
"""

import gc
import os
import selectors
import signal
import socket
import sys
from collections import deque
from contextlib import suppress

from soundalike.audio.decode import inspected
from soundalike.audio.decoder_child import line, serve
from soundalike.audio.orders import FILES, MAX_ORDER
from soundalike.audio.practice import can_filter, practise, silence

SPARES = 2
"""Children made ahead. One does for uploads that come one by one; the next of a series would wait
for it to be made."""

QUIET = 1.0
"""Seconds without news before another spare is made while there is one: until then whoever sent the
last upload may be waiting for its answer, and needs the processor more."""


class Decoder:
    """Takes orders until the socket that they come from is closed.

    Some children are always made ahead. They have touched the memory that decoding takes, which
    costs a fresh one more time than the fork itself.

    Args:
        filtered: whether children give up all system calls but a few.
    """

    def __init__(self, orders: socket.socket, *, filtered: bool) -> None:
        self._orders = orders
        self._filtered = filtered
        self._children: dict[int, socket.socket] = {}
        self._spares: deque[tuple[int, socket.socket]] = deque()
        self._selector = selectors.DefaultSelector()
        self._bell, self._rung = socket.socketpair()
        """What the end of a child rings."""

    def run(self) -> None:
        for end in (self._bell, self._rung):
            end.settimeout(0)
        signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._orders, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        making = True
        while True:
            # Orders that have come go ahead of making children for later ones.
            patience = QUIET if self._spares else 0
            events = self._selector.select(patience if making else None)
            if not events:
                making = self._make_spare()
            for key, _ in events:
                making = True
                if key.fileobj is self._bell:
                    with suppress(BlockingIOError):
                        self._bell.recv(4096)
                elif key.fileobj is not self._orders:
                    # Nothing is sent this way: whoever asked has gone.
                    self._selector.unregister(key.fileobj)
                    os.kill(key.data, signal.SIGKILL)
                elif not self._take_order():
                    return  # children end with their parent
            self._bury()

    def _take_order(self) -> bool:
        data, files, _, _ = socket.recv_fds(self._orders, MAX_ORDER, FILES)
        if not data:
            return False
        telling = socket.socket(fileno=files[2])
        child = None
        while self._spares and not child:
            child = self._handed(self._spares.popleft(), data, files)
        if child := child or self._handed(self._fork(practised=False), data, files):
            self._children[child] = telling
            self._selector.register(telling, selectors.EVENT_READ, child)
        else:
            telling.close()  # which tells whoever asked
        for file in files[:2]:
            os.close(file)
        return True

    def _handed(
        self, child: tuple[int, socket.socket] | None, data: bytes, files: list[int]
    ) -> int | None:
        """The child's process id, if it could take the order."""
        if child is None:
            return None
        pid, its_order = child
        with its_order, suppress(OSError):
            socket.send_fds(its_order, [data], files)
            return pid
        return None

    def _make_spare(self) -> bool:
        """Make one child ahead; whether more are lacking, and can be had."""
        if len(self._spares) == SPARES or not (spare := self._fork(practised=True)):
            return False
        self._spares.append(spare)
        return len(self._spares) < SPARES

    def _fork(self, *, practised: bool) -> tuple[int, socket.socket] | None:
        """A child that waits for its order, and the socket on which it does."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            return None
        if not pid:
            try:
                ours.close()
                self._forget()
                if practised:
                    practise()
                serve(theirs, parent=parent, filtered=self._filtered)
            finally:
                os._exit(1)
        theirs.close()
        return pid, ours

    def _forget(self) -> None:
        """In a child: what belongs to its parent, and to other uploads."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        spares = (its_order for _, its_order in self._spares)
        for held in (self._orders, self._bell, self._rung, *self._children.values(), *spares):
            held.close()

    def _bury(self) -> None:
        with suppress(ChildProcessError):
            while (child := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = child
                if (telling := self._children.pop(pid, None)) is None:
                    continue  # a spare one: who takes an order next finds out
                with telling:
                    with suppress(KeyError):
                        self._selector.unregister(telling)
                    ended = line(ended=os.waitstatus_to_exitcode(status))
                    with suppress(OSError):  # who does not read, or has gone, need not know
                        telling.send(ended, socket.MSG_DONTWAIT)


def main() -> None:
    # As for its host: what is told to the whole process group is for the server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What is imported late is imported now: a child can open nothing.
    inspected(silence(), max_seconds=60)
    gc.collect()
    gc.freeze()
    filtered = can_filter()
    if not filtered:
        sys.stderr.write("WARNING: decoding is not confined to its system calls here\n")
    Decoder(socket.socket(fileno=int(sys.argv[1])), filtered=filtered).run()


if __name__ == "__main__":
    main()
