"""The main programme of a host process: frames in on stdin, frames out on stdout.

Ends when stdin does, so that it never outlives the server, however that ends.
"""

import gc
import logging
import os
import signal
import sys
import threading

from soundalike.logs import log_like_the_server
from soundalike.runtime.frames import Frame, read_frame
from soundalike.runtime.work import EngineHost

log = logging.getLogger("soundalike.runtime.host")  # not __main__, as which it runs


def main() -> None:
    """Serve frames until there are no more.

    What escapes would leave a process that lives by its lanes and hears nothing: it ends instead.
    """
    try:
        _serve()
    except BaseException:
        log.critical("the host ends", exc_info=True)
        os._exit(1)
    os._exit(0)  # at once: no step under way is worth waiting for


def _serve() -> None:
    # A host plans its threads itself; those that numpy would start only cost time and memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Loading makes much that stays and hardly any garbage, so none is looked for until it is done.
    gc.disable()
    # The server decides when a host ends; Ctrl-C in a terminal, and what stops a service, reach the
    # whole process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What a library prints must not get between the frames.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    log_like_the_server()
    writing = threading.Lock()

    def emit(frame: Frame) -> None:
        if not gc.isenabled():  # the first frame says how the opening went
            gc.freeze()
            gc.enable()
        data = memoryview(frame.encode())
        try:
            with writing:
                while data:
                    data = data[out.write(data) :]
        except OSError:
            os._exit(0)  # nobody listens any more

    host = EngineHost(emit, confined=True)
    while frame := read_frame(sys.stdin.buffer):
        host.handle(frame)
    host.leave()


if __name__ == "__main__":
    main()
