"""The child of the decoding process that carries out one order, see `soundalike.audio.decoder`."""

import gc
import json
import os
import socket
from dataclasses import asdict
from typing import Any, BinaryIO, Literal

from soundalike.audio.confinement import confine
from soundalike.audio.container import Tell
from soundalike.audio.decode import decoded, inspected
from soundalike.audio.orders import FILES, MAX_ORDER, Order
from soundalike.audio.refusals import Refusal

_BUFFER = 2**18

_STEPS = {"read": 2**18, "heard": 60.0}
"""Bytes of packets counted, and seconds of sound, between two times that they are told."""


def serve(its_order: socket.socket, *, parent: int, filtered: bool) -> None:
    """Wait for one order in a process that is made for it, carry it out, and end that."""
    data, files, _, _ = socket.recv_fds(its_order, MAX_ORDER, FILES)
    if not data:
        os._exit(0)
    its_order.close()
    upload, output, stream = files
    code = 1
    try:
        gc.disable()
        os.dup2(0, 2)  # /dev/null: nothing that a file brings about may write to the log
        order = Order.parse(data)
        with open(upload, "rb") as file, open(output, "wb", _BUFFER) as sink:  # noqa: PTH123
            confine(order.limits, parent=parent, filtered=filtered)
            os.write(stream, line(started=True))
            os.write(stream, line(done=_carried_out(order, file, sink, stream)))
        code = 0
    except Refusal as refusal:
        os.write(stream, line(refused=(refusal.reason, refusal.number)))
    except Exception as failure:
        os.write(stream, line(failed=f"{type(failure).__name__}: {failure}"[:500]))
    finally:
        os._exit(code)


def _carried_out(order: Order, file: BinaryIO, sink: BinaryIO, stream: int) -> Any:
    longest, tell = order.max_seconds, _telling(stream)
    if order.task == "inspect":
        return asdict(inspected(file, max_seconds=longest, tell=tell))
    for block in decoded(file, order.rate, max_seconds=longest, tell=tell):
        sink.write(block.data)
    sink.flush()
    return None


def _telling(stream: int) -> Tell:
    """Tells how far an order is, each time that it has come a step further."""
    told = dict.fromkeys(_STEPS, 0.0)

    def tell(what: Literal["read", "heard"], amount: float) -> None:
        if amount >= told[what] + _STEPS[what]:
            told[what] = amount
            os.write(stream, line(**{what: amount}))

    return tell


def line(**news: Any) -> bytes:
    """What is told on a stream."""
    return json.dumps(news).encode() + b"\n"
