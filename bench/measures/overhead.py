"""What the API costs over its engine, and what a large upload costs everybody else."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bench.client import Client
from bench.context import Context
from bench.material import wav
from bench.memory import MEGABYTE, forget_peak, peak, resident
from bench.process import Server
from bench.rows import Row, Target, milliseconds
from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.audio.uploads import upload_decoder
from soundalike.engines.base import EngineConfig, SpeechJob, TranscriptionJob
from soundalike.runtime.work import open_speech, open_transcription

SMALL = Target("median", 5)
"""Milliseconds."""

GROWTH = Target("max", 20)
"""Megabytes."""

ANSWERING = Target("p95", 20)
"""Milliseconds; the issue says that an upload blocks nobody, and this is how we read it."""

UPLOAD = 25 * 2**20 - 4096
"""Bytes: as much as the API takes."""

WORD = "Hello"


def measure(context: Context) -> Iterator[Row]:
    with (
        context.serving("--engine", "stub", "--fixture", "off") as server,
        Client(server.root) as client,
    ):
        times = context.times(50, 15)
        models = [client.get("/v1/models") for _ in range(times)]
        yield Row("GET /v1/models", "ms", milliseconds(models), target=SMALL)
        audio = client.speak(WORD, "wav").body
        file = context.folder / "overhead.wav"
        file.write_bytes(audio)
        yield from _transcription(client, file, times)
        yield _speech(client, times)
        yield from _upload(server, client, context.times(3, 2))


def _transcription(client: Client, file: Path, times: int) -> Iterator[Row]:
    """A request less the engine's own time: that of the same job on the same engine, decoding
    included, as a host does it. And what of that time it costs to decode in a process apart.

    The stub engine, since Whisper's own time varies by more than the whole overhead.
    """
    uploads = upload_decoder(confined=True)
    uploads.start()
    _, work, engine = open_transcription(EngineConfig("stub"), uploads)
    _, work_inline, inline = open_transcription(EngineConfig("stub"))
    audio = file.read_bytes()
    own, own_inline, whole = [], [], []
    for _ in range(times):
        own.append(_duration(work(TranscriptionJob(file))))
        own_inline.append(_duration(work_inline(TranscriptionJob(file))))
        whole.append(client.transcribe(audio)[0])
    engine.close()
    inline.close()
    uploads.close()
    yield _over("transcription less its engine", whole, own)
    yield _over("of the engine, decoding in a process apart", own, own_inline, target=None)


def _speech(client: Client, times: int) -> Row:
    """A request, to its last byte, less the engine's own time, encoding included."""
    _, work, engine = open_speech(EngineConfig("stub"))
    own, whole = [], []
    for _ in range(times):
        own.append(_duration(work(SpeechJob(WORD, "alloy", "pcm"))))
        whole.append(client.speak(WORD, "pcm").total)
    engine.close()
    return _over("speech less its engine", whole, own)


def _duration(steps: Iterable[object]) -> float:
    """Seconds until a job has made all its steps."""
    began = time.perf_counter()
    deque(steps, maxlen=0)
    return time.perf_counter() - began


def _over(name: str, whole: list[float], own: list[float], target: Target | None = SMALL) -> Row:
    """Each request less the engine's median; their noise would add up if they were paired."""
    engine = statistics.median(own)
    note = f"engine: {1000 * engine:.1f} ms"
    over = milliseconds([value - engine for value in whole])
    return Row(name, "ms", over, target=target, note=note)


def _upload(server: Server, client: Client, times: int) -> Iterator[Row]:
    """The largest upload: growth of the API process, and what another client notices."""
    silence = np.zeros((UPLOAD - 44) // 2, np.float32)
    audio, growth, waits = wav(silence), [], list[float]()
    for _ in range(times):
        before = resident(server.pid)["API"]
        forget_peak(server.pid)
        with Asking(server.root, waits):
            client.transcribe(audio)
        most = peak(server.pid) or resident(server.pid)["API"]
        growth.append((most - before) / MEGABYTE)
    name = f"{len(audio) / 2**20:.0f} MiB upload"
    seconds = len(silence) / RECOGNITION_RATE
    note = f"{seconds:.0f} s of silence, stub engine"
    yield Row(f"{name}: memory of the API process grows by", "MB", tuple(growth), target=GROWTH)
    alone = [client.get("/healthz") for _ in range(len(waits))]
    yield Row(
        f"{name}: /healthz meanwhile",
        "ms",
        milliseconds(waits),
        milliseconds(alone),
        ANSWERING,
        note=note,
    )


class Asking:
    """Another client that asks for `/healthz` every few milliseconds until the end of the block;
    the seconds of each answer are added to `waits`."""

    def __init__(self, root: str, waits: list[float]) -> None:
        self._root = root
        self._waits = waits
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="healthz")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        with Client(self._root) as client:
            while not self._done.wait(0.003):
                self._waits.append(client.get("/healthz"))
