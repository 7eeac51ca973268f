"""Several clients at once, and a short clip behind a long file."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bench.client import Client
from bench.context import Context
from bench.material import wav
from bench.process import NotReadyError
from bench.rival import rival
from bench.rows import Place, Row, Target

CROWDS = (1, 2, 4, 8, 16)
CROWD = 8
"""How many clients the rival is measured with, and so what the target is about."""

CLIP = 3
LONG = 600
"""Seconds."""

FASTER = Target("ratio", 6, at_least=True)
FAIR = Target("median", 0.5, at_least=True)
UNHELD = Target("ratio", 3)
"""The issue says that a long file does not hold a clip up; three times as long as alone is how we
read it, since both share the cores."""


class Turnout(NamedTuple):
    """What a crowd got: how many clips each client, in how many seconds."""

    counts: tuple[int, ...]
    seconds: float

    @property
    def rate(self) -> float:
        """Clips per second."""
        return sum(self.counts) / self.seconds

    @property
    def fairness(self) -> float:
        """What the client with the fewest clips got, to the one with the most."""
        return min(self.counts) / max(self.counts)


def measure(context: Context) -> Iterator[Row]:
    clips = [wav(clip.samples) for clip in context.material.clips(CLIP, 8)]
    seconds = context.times(12, 4)
    turnouts: dict[int, Turnout] = {}
    for number in (1, CROWD) if context.quick else CROWDS:
        turnout = turnouts[number] = crowd(context.server.root, clips, number, seconds)
        place = Place("throughput", "soundalike", number)
        name = f"{number} client{'s' * (number > 1)}"
        yield Row(name, "clips/s", (turnout.rate,), place=place)
        if number > 1:
            target = FAIR if number == CROWD else None
            yield Row(f"{name}, fewest/most clips", "x", (turnout.fairness,), target=target)
    if not context.quick:
        yield _against_rival(context, clips, turnouts[CROWD], seconds)
        yield _against_rival(context, clips, turnouts[CROWD], seconds, "int8")
    yield from _behind_long_file(context, clips)


def crowd(root: str, clips: list[bytes], clients: int, seconds: float) -> Turnout:
    """Clients that each send clip after clip until time is up, and wait for their last answer."""
    together = threading.Barrier(clients, timeout=60)

    def send(first: int) -> tuple[int, float, float]:
        with Client(root) as client:
            client.get("/openapi.json")  # connects; either server has it
            together.wait()
            began, sent = time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                client.transcribe(clips[(first + sent) % len(clips)])
                sent += 1
            return sent, began, time.perf_counter()

    with ThreadPoolExecutor(clients) as pool:
        done = list(pool.map(send, range(clients)))
    wall = max(end for _, _, end in done) - min(began for _, began, _ in done)
    return Turnout(tuple(sent for sent, _, _ in done), wall)


def _against_rival(
    context: Context,
    clips: list[bytes],
    ours: Turnout,
    seconds: float,
    compute_type: str = "default",
) -> Row:
    """Against its defaults, which is what its users get; and against it with our number type."""
    own = compute_type == "default"
    target = FASTER if own else None
    name = f"{CROWD} clients against faster-whisper-server{'' if own else f' as {compute_type}'}"
    if not context.rival_python.is_file():
        return Row(name, "clips/s", (), target=target, note="faster-whisper-server: not installed")
    try:
        with rival(context.rival_python, context.weights, context.folder, compute_type) as server:
            with Client(server.root) as client:
                client.transcribe(clips[0])  # it loads its model with the first request
            theirs = crowd(server.root, clips, CROWD, seconds)
    except NotReadyError as error:
        last = str(error).strip().splitlines()[-1]
        return Row(name, "clips/s", (), target=target, note=f"faster-whisper-server: {last}")
    place = Place("throughput", "faster-whisper-server", CROWD) if own else None
    return Row(name, "clips/s", (ours.rate,), (theirs.rate,), target, baseline_place=place)


def _behind_long_file(context: Context, clips: list[bytes]) -> Iterator[Row]:
    """The latency of a clip while a long file is being worked on, to that of the clip alone."""
    times = context.times(8, 3)
    audio = wav(context.material.long(LONG).samples)
    alone = [context.client.transcribe(clips[number % len(clips)])[0] for number in range(times)]
    done, begun = threading.Event(), threading.Event()

    def occupy() -> None:
        try:
            with Client(context.server.root) as client, client.deltas(audio) as deltas:
                for _ in deltas:
                    begun.set()
                    if done.is_set():
                        return
        finally:
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        occupying = pool.submit(occupy)
        begun.wait()
        behind = [
            context.client.transcribe(clips[number % len(clips)])[0]
            for number in range(times)
            if not occupying.done()
        ]
        held = not occupying.done()
        done.set()
        occupying.result()
    note = f"while {LONG} s are transcribed" + ("" if held else ", which ended too early")
    yield Row(
        f"{CLIP} s clip behind a long file", "s", tuple(behind), tuple(alone), UNHELD, note=note
    )
