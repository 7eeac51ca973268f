"""The benchmarks, by name, in the order in which they run: each takes a context and yields rows."""

from collections.abc import Callable, Iterator

from bench.context import Context
from bench.measures import clients, fixture, long_file, memory, overhead, short_clips, speech, start
from bench.rows import Row

Benchmark = Callable[[Context], Iterator[Row]]

BENCHMARKS: dict[str, Benchmark] = {
    "start": start.measure,
    "overhead": overhead.measure,
    "fixture": fixture.measure,
    "short": short_clips.measure,
    "clients": clients.measure,
    "long": long_file.measure,
    "speech": speech.measure,
    "memory": memory.measure,
}
"""`start`, `overhead` and `fixture` have servers of their own and run before the shared one is up;
`memory` tells what the others used."""
