"""Faster or slower speech at the same pitch."""

from collections.abc import Iterator
from fractions import Fraction

import av.error
from av import AudioFrame
from av.filter import Graph

from soundalike.audio.frames import frames, pcm
from soundalike.audio.pcm import Pcm

_SLOWEST = 0.25
_FASTEST = 4.0


def stretch(chunks: Iterator[Pcm], rate: int, factor: float) -> Iterator[Pcm]:
    """The chunks, each second of them lasting 1 / `factor` seconds, as they come.

    Args:
        rate: of the chunks, in Hz; the result has the same.
        factor: 0.25 to 4.0; 2.0 is twice as fast. At 1.0 the chunks pass untouched.

    Raises:
        ValueError: a factor outside that range.
    """
    if not _SLOWEST <= factor <= _FASTEST:
        raise ValueError(f"cannot stretch by {factor}: the range is {_SLOWEST} to {_FASTEST}")
    return chunks if factor == 1.0 else _stretched(chunks, rate, factor)


def _stretched(chunks: Iterator[Pcm], rate: int, factor: float) -> Iterator[Pcm]:
    graph = _graph(rate, factor)
    for frame in frames(_cut(chunks, rate // 5), rate):
        graph.push(frame)
        yield from _ready(graph)
    graph.push(None)
    yield from _ready(graph)


def _cut(chunks: Iterator[Pcm], size: int) -> Iterator[Pcm]:
    # atempo keeps what it makes of one frame until the next has come. A sentence in a single frame
    # would wait for the one after it; in pieces of 200 ms, only the last of them does.
    for chunk in chunks:
        for start in range(0, chunk.size, size):
            yield chunk[start : start + size]


def _graph(rate: int, factor: float) -> Graph:
    # One atempo goes down to 0.5 only, and above 2.0 it leaves samples out instead of blending
    # them; two in a row cover the rest.
    count = 1 if 0.5 <= factor <= 2.0 else 2
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=rate, format="s16", layout="mono", time_base=Fraction(1, rate)
    )
    steps = [graph.add("atempo", f"{factor ** (1 / count):f}") for _ in range(count)]
    graph.link_nodes(source, *steps, graph.add("abuffersink")).configure()
    return graph


def _ready(graph: Graph) -> Iterator[Pcm]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):  # more input is wanted, or all is out
            return
        assert isinstance(frame, AudioFrame)
        yield pcm(frame)
