"""What the tests of confined decoding share: uploads, decoders, and a look at their processes."""

import io
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from soundalike.audio.allowance import Allowance
from soundalike.audio.confined import ConfinedDecoder

LONG = 60.0
"""Seconds to wait for what takes a moment."""


@pytest.fixture(scope="module")
def shared() -> Iterator[ConfinedDecoder]:
    """A decoder for all tests of a module that leave it as they found it."""
    decoder = ConfinedDecoder()
    yield decoder
    decoder.close()


@pytest.fixture
def new_decoder() -> Iterator[Callable[..., ConfinedDecoder]]:
    """Makes decoders, which are closed at the end."""
    with ExitStack() as made:

        def new(**options: Any) -> ConfinedDecoder:
            decoder = ConfinedDecoder(**options)
            made.callback(decoder.close)
            return decoder

        yield new


@pytest.fixture
def own(new_decoder: Callable[..., ConfinedDecoder]) -> ConfinedDecoder:
    """A decoder that a test may damage, with its process."""
    decoder = new_decoder()
    decoder.start()
    return decoder


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """Makes WAV files of a tone."""

    def make(seconds: float, rate: int = 16_000) -> Path:
        path = tmp_path / f"{seconds}s.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            times = np.arange(round(seconds * rate)) / rate
            file.writeframes((np.sin(2764.6 * times) * 2**13).astype("<i2").tobytes())
        return path

    return make


@pytest.fixture
def hours_of_silence(tmp_path: Path) -> Path:
    """5.5 of them in ADTS: one frame of 1024 samples at 8 kHz, over and over."""
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8192), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    data = file.getvalue()
    frames = []
    while data:
        size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        frames.append(data[:size])
        data = data[size:]
    path = tmp_path / "hours.aac"
    path.write_bytes(frames[4] * int(5.5 * 3600 * 8000 / 1024))
    return path


@pytest.fixture
def slow_flac(tmp_path: Path) -> Callable[[int], Path]:
    """Makes files of one frame of silence at 4 Hz, which 16 kHz makes four thousand times as
    large."""

    def make(block: int) -> Path:
        path = tmp_path / f"slow-{block}.flac"
        options = {"frame_size": str(block)}
        with av.open(str(path), "w") as output:
            stream = output.add_stream("flac", rate=4, layout="mono", options=options)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, block), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 4, 0
            output.mux([*stream.encode(frame), *stream.encode(None)])
        return path

    return make


class Decoding:
    """A decoding under way on another thread."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.failure: BaseException | None = None

        def run() -> None:
            try:
                work()
            except BaseException as failure:
                self.failure = failure

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def ended(self) -> BaseException | None:
        """What it raised."""
        self.thread.join(LONG)
        assert not self.thread.is_alive()
        return self.failure


@pytest.fixture(scope="session")
def decoding() -> type[Decoding]:
    """Begins with a decoding on another thread."""
    return Decoding


def _wait_until(condition: Callable[[], object], failure: str) -> None:
    for _ in range(int(LONG * 50)):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError(failure)


@pytest.fixture(scope="session")
def in_line() -> Callable[[Allowance], None]:
    """Waits until somebody waits for some of an allowance."""
    return lambda allowance: _wait_until(lambda: allowance.waiting, "nobody waits")


class Processes:
    """Finds processes below that of a decoder or a host, by its id."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil

    def below(self, pid: int) -> list[Any]:
        """Its children and theirs; none once it is gone."""
        assert pid
        with suppress(self._psutil.NoSuchProcess):
            found: list[Any] = self._psutil.Process(pid).children(recursive=True)
            return found
        return []

    def family(self, pid: int) -> list[Any]:
        """Itself and what is below it."""
        return [self._psutil.Process(pid), *self.below(pid)]

    def confined(self, pid: int) -> list[Any]:
        """Those that may start no others any more: they decode, or only try the limits out."""
        return [one for one in self.below(pid) if self._is_confined(one)]

    def busy(self, pid: int) -> Any:
        """The one that decodes, once it does: it has used time of the processor."""
        found: list[Any] = []

        def look() -> bool:
            for one in self.confined(pid):
                with suppress(self._psutil.NoSuchProcess):
                    if one.cpu_times().user > 0.1:
                        found.append(one)
            return bool(found)

        _wait_until(look, "nothing is decoded")
        return found[0]

    def spare(self, pid: int) -> list[Any]:
        """The children that wait for an order, once there are two."""
        _wait_until(
            lambda: len(self.below(pid)) == 2 and not self.confined(pid),
            "too few children are made ahead",
        )
        return self.below(pid)

    def replenished(self, pid: int) -> list[Any]:
        """Itself and its children, once one has its order and there are two others."""
        _wait_until(lambda: len(self.below(pid)) == 3, "no child is made in its place")
        return self.family(pid)

    def assert_gone(self, processes: list[Any]) -> None:
        """They end within a minute."""
        _, alive = self._psutil.wait_procs(processes, timeout=LONG)
        zombie = self._psutil.STATUS_ZOMBIE
        assert [one for one in alive if one.status() != zombie] == []

    def _is_confined(self, process: Any) -> bool:
        try:
            return bool(process.rlimit(self._psutil.RLIMIT_NPROC)[0] == 0)
        except self._psutil.Error:
            return False


@pytest.fixture(scope="session")
def processes() -> Processes:
    return Processes(pytest.importorskip("psutil"))
