"""From the command to a server that answers."""

from collections.abc import Iterator

from bench.context import Context
from bench.rows import Row, Target

STUB_TARGET = Target("median", 0.4)
REAL_TARGET = Target("median", 2.5)


def measure(context: Context) -> Iterator[Row]:
    """Until the banner with the address is printed, which the server does once it listens and its
    engines are open. A first start of each is not counted: it may have to compile the server's
    modules, and to read the weights from the disk."""
    times = context.times(5, 2)
    _seconds(context, "--engine", "stub")
    stub = [_seconds(context, "--engine", "stub") for _ in range(times)]
    yield Row("stub engine", "s", tuple(stub), target=STUB_TARGET)
    _seconds(context, "--models", str(context.store))
    real = [_seconds(context, "--models", str(context.store)) for _ in range(times)]
    yield Row("real engines, weights present", "s", tuple(real), target=REAL_TARGET)


def _seconds(context: Context, *flags: str) -> float:
    with context.serving(*flags) as server:
        return server.started_in
