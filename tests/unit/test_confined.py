"""Decoding in processes that hold nothing else: what they may not do, and that they end."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from soundalike.audio import confined, told
from soundalike.audio.allowance import SHORT, Allowance, Places, Room
from soundalike.audio.confined import AVAILABLE, ConfinedDecoder
from soundalike.audio.decode import decode, inspect
from soundalike.audio.orders import Limits, Order
from soundalike.audio.refusals import LONGEST_SECONDS, Bounds, Refusal
from soundalike.audio.told import PACE, PATIENCE, READING, outcome
from soundalike.audio.uploads import InlineDecoder, upload_decoder
from soundalike.engines.underway import AbandonedError, Underway
from soundalike.errors import (
    InvalidRequestError,
    OverloadedError,
    ServerError,
    UndecodableAudioError,
)

psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="processes are confined on Linux only")

LONG = 60.0
"""Seconds to wait for what takes a moment."""


@pytest.fixture(scope="module")
def shared() -> Iterator[ConfinedDecoder]:
    decoder = ConfinedDecoder()
    yield decoder
    decoder.close()


@pytest.fixture
def own() -> Iterator[ConfinedDecoder]:
    """A decoder that a test may damage."""
    decoder = ConfinedDecoder()
    decoder.start()
    yield decoder
    decoder.close()


def wav(folder: Path, seconds: float, rate: int = 16_000) -> Path:
    path = folder / "upload.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        times = np.arange(round(seconds * rate)) / rate
        file.writeframes((np.sin(2764.6 * times) * 2**13).astype("<i2").tobytes())
    return path


def hours_of_silence(folder: Path, hours: float) -> Path:
    """In ADTS: one frame of 1024 samples at 8 kHz, over and over."""
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
    path = folder / "hours.aac"
    path.write_bytes(frames[4] * int(hours * 3600 * 8000 / 1024))
    return path


def family(decoder: ConfinedDecoder) -> list[Any]:
    """The decoding process and its children."""
    assert decoder.pid
    process = psutil.Process(decoder.pid)
    return [process, *process.children(recursive=True)]


def assert_gone(processes: list[Any]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=LONG)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


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
        self.thread.join(LONG)
        assert not self.thread.is_alive()
        return self.failure


def busy(decoder: ConfinedDecoder) -> Any:
    """The child that decodes, once it does: the one that has used time of the processor."""
    for _ in range(int(LONG * 20)):
        for child in family(decoder)[1:]:
            try:
                # Not the one that only tries the limits out when the decoder starts.
                if child.rlimit(psutil.RLIMIT_NPROC)[0] == 0 and child.cpu_times().user > 0.1:
                    return child
            except psutil.NoSuchProcess:
                continue
        threading.Event().wait(0.05)
    raise AssertionError("nothing is decoded")


def test_the_result_is_that_of_decoding_here(shared: ConfinedDecoder, tmp_path: Path) -> None:
    path = wav(tmp_path, 2.5, 44_100)
    for rate in (16_000, 24_000):
        sound = shared.decode(path, rate)
        assert sound.dtype == np.float32
        assert np.array_equal(sound, decode(path, rate))
    sound *= 0.5  # it is the caller's own
    assert shared.inspect(path) == inspect(path)


def test_refusals_are_those_of_decoding_here(shared: ConfinedDecoder, tmp_path: Path) -> None:
    path = wav(tmp_path, 2.0)
    with pytest.raises(InvalidRequestError) as confined_refusal:
        shared.decode(path, max_seconds=1.5)
    with pytest.raises(InvalidRequestError) as refusal:
        decode(path, max_seconds=1.5)
    assert confined_refusal.value.fields() == refusal.value.fields()
    path.write_bytes(b"no audio")
    for task in (shared.decode, shared.inspect):
        with pytest.raises(UndecodableAudioError, match="could not be decoded"):
            task(path)


def test_a_missing_file_is_not_the_clients_mistake(shared: ConfinedDecoder, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shared.decode(tmp_path / "never-spooled")


def test_uploads_are_decoded_side_by_side(own: ConfinedDecoder, tmp_path: Path) -> None:
    long = Decoding(lambda: own.decode(hours_of_silence(tmp_path, 5.5)))
    busy(own)
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000
    assert long.thread.is_alive()
    processes = family(own)
    own.close()
    assert isinstance(long.ended(), ServerError)
    assert_gone(processes)
    with pytest.raises(ServerError):
        own.decode(wav(tmp_path, 1.0))


def slow_flac(folder: Path, block: int) -> Path:
    """One frame of silence at 4 Hz, which 16 kHz makes four thousand times as large."""
    path = folder / "slow.flac"
    options = {"frame_size": str(block)}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("flac", rate=4, layout="mono", options=options)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, block), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 4, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def test_memory_is_limited(tmp_path: Path) -> None:
    path = slow_flac(tmp_path, 512)
    decoder = ConfinedDecoder(memory=16 * 2**20)
    try:
        with pytest.raises(UndecodableAudioError):
            decoder.decode(path)
        assert len(decoder.decode(wav(tmp_path, 1.0))) == 16_000
    finally:
        decoder.close()


def test_memory_suffices_for_what_is_odd_and_not_for_a_bomb(
    shared: ConfinedDecoder, tmp_path: Path
) -> None:
    assert len(shared.decode(slow_flac(tmp_path, 512))) == pytest.approx(512 * 4000, rel=0.01)
    bomb = slow_flac(tmp_path, 65_535)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(InvalidRequestError, match=r"16383\.75 seconds is longer than the 8"):
        shared.decode(bomb)


def test_processor_time_is_limited(
    own: ConfinedDecoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(confined, "Limits", lambda memory, _, output: Limits(memory, 1, output))
    with pytest.raises(UndecodableAudioError):
        own.decode(hours_of_silence(tmp_path, 5.5))
    assert f"ended {-signal.SIGXCPU}" in caplog.text


def test_time_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(told, "PACE", 1e9)
    decoder = ConfinedDecoder(patience=2.0)
    monkeypatch.setattr(confined, "Limits", lambda memory, _, output: Limits(memory, 60, output))
    decoder.start()
    try:
        decoder.decode(wav(tmp_path, 1.0))
        with pytest.raises(UndecodableAudioError):
            decoder.decode(hours_of_silence(tmp_path, 5.5))
        assert "took too long" in caplog.text
        psutil.wait_procs([one for one in family(decoder) if decodes(one)], timeout=LONG)
        assert not any(decodes(one) for one in family(decoder))
    finally:
        decoder.close()


def decodes(process: Any) -> bool:
    try:
        return bool(process.rlimit(psutil.RLIMIT_NPROC)[0] == 0)
    except psutil.Error:
        return False


CONFINED = """
import os, resource, signal, socket, sys, threading
from soundalike.audio.confinement import confine
from soundalike.audio.orders import Limits
file = os.open(sys.argv[1], os.O_RDWR)
os.fork  # looked up while files can still be opened
confine(Limits(memory=2**26, cpu_seconds=1, output=1000), parent=os.getppid())
try:
    {attempt}
except (MemoryError, OSError, RuntimeError, ValueError) as error:
    os.write(1, type(error).__name__.encode())
else:
    os.write(1, b"done")
os._exit(0)
"""


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("os.lseek(file, 0, 0); os.read(file, 10)", "done"),
        ("bytearray(2**20)", "done"),
        ("bytearray(2**27)", "MemoryError"),
        ("os.write(file, bytes(1000))", "done"),
        ("os.pwrite(file, bytes(10), 1000)", "PermissionError"),
        ("os.lseek(file, 1000, 0); os.write(file, bytes(10))", "OSError"),
        ("os.open(sys.argv[1], os.O_RDONLY)", "PermissionError"),
        ("os.unlink(sys.argv[1])", "PermissionError"),
        ("os.listdir('/')", "PermissionError"),
        ("socket.socket()", "PermissionError"),
        ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "PermissionError"),
        ("os.fork()", "PermissionError"),
        ("os.execv('/bin/true', ['true'])", "PermissionError"),
        ("threading.Thread(target=print).start()", "RuntimeError"),
        ("os.kill(os.getppid(), 0)", "PermissionError"),
        ("resource.setrlimit(resource.RLIMIT_CPU, (9, 9))", "ValueError"),
    ],
)
def test_a_confined_process_can_do_what_decoding_takes_and_no_more(
    tmp_path: Path, attempt: str, outcome: str
) -> None:
    file = tmp_path / "held"
    file.write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-c", CONFINED.format(attempt=attempt), str(file)],
        capture_output=True,
        text=True,
    )
    assert done.stdout == outcome, done.stderr
    assert file.exists()


def test_a_confined_process_that_does_not_stop_is_stopped(tmp_path: Path) -> None:
    code = CONFINED.format(attempt="while True: pass")
    done = subprocess.run([sys.executable, "-c", code, str(Path(__file__))], capture_output=True)
    assert done.returncode == -signal.SIGXCPU


def test_a_killed_decoding_fails_alone(own: ConfinedDecoder, tmp_path: Path) -> None:
    path = hours_of_silence(tmp_path, 5.5)
    killed = Decoding(lambda: own.decode(path))
    first = busy(own)
    first.kill()
    assert isinstance(killed.ended(), ServerError)
    pid = own.pid
    waiting = family(own)[1:]  # the one that waits for its turn, too
    for child in waiting:
        child.kill()
    assert_gone(waiting)  # a signal takes its time, in which it might be given the next one
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000
    assert own.pid == pid


def test_a_decoding_that_nobody_wants_any_more_is_ended(
    own: ConfinedDecoder, tmp_path: Path
) -> None:
    path = hours_of_silence(tmp_path, 5.5)
    job = Underway()

    def work() -> None:
        with job.stepping():
            own.decode(path)

    decoding = Decoding(work)
    child = busy(own)
    os.kill(child.pid, signal.SIGSTOP)  # it does not end by itself
    job.abandon()
    assert isinstance(decoding.ended(), AbandonedError)
    assert_gone([child])
    assert own.decode(wav(tmp_path, 1.0)).size


def test_a_killed_decoder_fails_what_it_does_and_is_started_again(
    own: ConfinedDecoder, tmp_path: Path
) -> None:
    path = hours_of_silence(tmp_path, 5.5)
    killed = Decoding(lambda: own.decode(path))
    busy(own)
    processes = family(own)
    processes[0].kill()
    assert isinstance(killed.ended(), ServerError)
    assert_gone(processes)
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000
    assert own.pid != processes[0].pid


def test_a_decoder_that_hangs_is_replaced(tmp_path: Path) -> None:
    decoder = ConfinedDecoder(patience=1.0)
    decoder.start()
    try:
        hanging = family(decoder)
        hanging[0].suspend()
        with pytest.raises(ServerError):
            decoder.decode(wav(tmp_path, 1.0))
        assert_gone(hanging)
        decoder._patience = LONG
        assert len(decoder.decode(wav(tmp_path, 1.0))) == 16_000
    finally:
        decoder.close()


def test_two_that_time_out_at_once_leave_the_next_decoder_alone(tmp_path: Path) -> None:
    decoder = ConfinedDecoder(patience=1.0)
    decoder.start()
    try:
        hanging = family(decoder)
        hanging[0].suspend()
        waiting = [Decoding(lambda: decoder.decode(wav(tmp_path, 1.0))) for _ in range(2)]
        assert [type(one.ended()) for one in waiting] == [ServerError] * 2
        assert_gone(hanging)
        decoder._patience = LONG
        assert len(decoder.decode(wav(tmp_path, 1.0))) == 16_000
    finally:
        decoder.close()


def test_only_the_process_that_hung_is_ended(own: ConfinedDecoder, tmp_path: Path) -> None:
    hung = own._zygote._process
    assert hung
    own._zygote.end(hung)
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000
    successor = own.pid
    own._zygote.end(hung)  # by the next upload that had waited for it
    assert own.pid == successor
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000


def spare(decoder: ConfinedDecoder) -> list[Any]:
    """The children that wait for an order, once there are two."""
    for _ in range(int(LONG * 20)):
        if len(children := family(decoder)[1:]) == 2 and not any(map(decodes, children)):
            return children
        threading.Event().wait(0.05)
    raise AssertionError("too few children are made ahead")


def test_children_are_made_ahead_and_again(own: ConfinedDecoder, tmp_path: Path) -> None:
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000  # it has begun to fork
    first = spare(own)
    long = Decoding(lambda: own.decode(hours_of_silence(tmp_path, 5.5)))
    taken = busy(own)
    assert taken.pid in [child.pid for child in first]
    for _ in range(int(LONG * 20)):  # while it decodes, and not when it has ended
        if len(family(own)) == 4:
            break
        threading.Event().wait(0.05)
    assert len(family(own)) == 4
    assert long.thread.is_alive()
    own.close()
    long.ended()


def test_a_child_whose_parent_died_before_it_confined_itself_ends(
    own: ConfinedDecoder, tmp_path: Path
) -> None:
    assert len(own.decode(wav(tmp_path, 1.0))) == 16_000
    waiting = spare(own)
    for child in waiting:
        child.suspend()
    orphaned = Decoding(lambda: own.decode(hours_of_silence(tmp_path, 5.5)))
    processes = family(own)
    for _ in range(int(LONG * 20)):
        if len(processes) == 4:  # one has its order, and another one is made
            break
        threading.Event().wait(0.05)
        processes = family(own)
    assert len(processes) == 4
    processes[0].kill()
    psutil.wait_procs(processes[:1], timeout=LONG)
    for child in waiting:
        child.resume()
    assert isinstance(orphaned.ended(), ServerError)
    assert_gone(processes)


def test_decoders_get_none_of_the_operators_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "PYTHONHASHSEED": "0"}
    for name, value in {"AWS_SECRET_ACCESS_KEY": "x", "SOUNDALIKE_API_KEYS": "x", **kept}.items():
        monkeypatch.setenv(name, value)
    decoder = ConfinedDecoder()
    decoder.start()
    try:
        environment = psutil.Process(decoder.pid).environ()
    finally:
        decoder.close()
    assert environment.items() >= kept.items()
    assert {name for name in environment if not name.startswith(("LC_", "LD_", "PYTHON"))} <= {
        *("GLIBC_TUNABLES", "LANG", "MALLOC_ARENA_MAX", "OPENBLAS_NUM_THREADS", "PATH"),
    }


@pytest.mark.parametrize(
    ("size", "max_seconds"), [(13_000, LONGEST_SECONDS), (25 * 2**20, LONGEST_SECONDS), (99, 60.0)]
)
def test_what_a_file_may_cost_follows_from_its_size(
    own: ConfinedDecoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    max_seconds: float,
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"x" * 99)
    with path.open("r+b") as file:
        file.truncate(size)
    orders: list[Order] = []
    patience: list[float] = []

    def send(order: Order, files: object) -> None:
        orders.append(order)

    def ends(stream: object, **given: Any) -> None:
        patience.append(given["patience"])
        raise Refusal("undecodable")

    monkeypatch.setattr(own._zygote, "send", send)
    monkeypatch.setattr(confined, "outcome", ends)
    with pytest.raises(UndecodableAudioError):
        own.decode(path, max_seconds=max_seconds)
    (order,) = orders
    longest = Bounds(size, max_seconds).seconds
    assert order.max_seconds == longest
    assert longest <= order.limits.output / 4 / order.rate <= longest + 1
    earned = longest / PACE + size / READING
    assert earned <= order.limits.cpu_seconds - PATIENCE < earned + 1
    assert patience == [PATIENCE]
    assert PATIENCE < 10


def test_only_so_many_are_decoded_at_once(own: ConfinedDecoder, tmp_path: Path) -> None:
    own._places = Places(1)
    first = Decoding(lambda: own.decode(hours_of_silence(tmp_path, 5.5)))
    busy(own)
    in_line = threading.Event()

    class Watched(Underway):
        def come_forward(self) -> None:
            in_line.set()
            super().come_forward()

    job = Watched()

    def work() -> None:
        with job.stepping():
            own.decode(wav(tmp_path, 1.0))

    second = Decoding(work)
    assert in_line.wait(LONG)
    assert sum(map(decodes, family(own)[1:])) == 1
    job.abandon()
    assert isinstance(second.ended(), AbandonedError)
    assert own._places.short.left == 0
    own.close()
    first.ended()
    assert own._places.short.left == 1


def test_samples_take_up_room_until_they_are_gone(tmp_path: Path) -> None:
    room = Room(short=2 * SHORT, long=4 * SHORT)
    decoder = ConfinedDecoder(room=room)
    try:
        short = decoder.decode(wav(tmp_path, 1.0))
        assert room.short.left == 2 * SHORT - short.nbytes
        long = decoder.decode(wav(tmp_path, 700.0, 1000))
        assert room.short.left == 2 * SHORT - short.nbytes
        assert room.long.left == 4 * SHORT - long.nbytes
        part = long[5:10]
        del long, short
        assert (room.short.left, room.long.left) == (2 * SHORT, 4 * SHORT - 700 * 64_000)
        del part
        assert room.long.left == 4 * SHORT
        (tmp_path / "upload.wav").write_bytes(b"no audio")
        with pytest.raises(UndecodableAudioError):
            decoder.decode(tmp_path / "upload.wav")
        assert room.short.left == 2 * SHORT
    finally:
        decoder.close()


def in_line(allowance: Allowance) -> None:
    """Until somebody waits for some of an allowance."""
    for _ in range(int(LONG * 100)):
        if allowance.waiting:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("task", ["decode", "inspect"])
def test_a_job_begins_when_its_upload_need_not_wait_any_more(
    own: ConfinedDecoder, tmp_path: Path, task: str
) -> None:
    path = wav(tmp_path, 1.0)
    own._room, own._places = Room(short=SHORT), Places(1)
    room, place = own._room.short.reserve(SHORT), own._places.short.reserve(1)
    begun = threading.Event()
    job = Underway(begun.set)

    def work() -> None:
        with job.stepping():
            getattr(own, task)(path)

    decoding = Decoding(work)
    if task == "decode":
        in_line(own._room.short)
        assert not begun.is_set()
    room.end()
    in_line(own._places.short)
    assert not begun.is_set()
    place.end()
    assert decoding.ended() is None
    assert begun.is_set()


def test_a_job_begins_at_once_where_uploads_do_not_wait(tmp_path: Path) -> None:
    path = wav(tmp_path, 1.0)
    for task in (InlineDecoder().decode, InlineDecoder().inspect):
        job = Underway()
        with job.stepping():
            task(path)
        assert job.begun


def test_a_long_upload_is_told_to_come_back_where_as_many_wait_as_may(tmp_path: Path) -> None:
    room = Room(short=2 * SHORT, long=2 * SHORT)
    room.long = Allowance(2 * SHORT, longest=1)
    decoder = ConfinedDecoder(room=room)
    others = room.long.reserve(SHORT)
    try:
        path = wav(tmp_path, 700.0, 1000)
        waiting = Decoding(lambda: decoder.decode(path))
        in_line(room.long)
        with pytest.raises(OverloadedError, match="try again later") as told_to:
            decoder.decode(path)
        assert told_to.value.retry_after == 1
        assert room.short.left == 2 * SHORT
        others.end()
        assert waiting.ended() is None
        assert len(decoder.decode(path)) == 700 * 16_000
    finally:
        decoder.close()


def test_a_long_upload_waits_for_room_and_a_short_one_does_not(tmp_path: Path) -> None:
    room = Room(short=2 * SHORT, long=2 * SHORT)
    decoder = ConfinedDecoder(room=room)
    others = room.long.reserve(SHORT)
    long: list[int] = []
    try:
        path = wav(tmp_path, 700.0, 1000)
        waiting = Decoding(lambda: long.append(len(decoder.decode(path))))
        in_line(room.long)
        short = tmp_path / "short"
        short.mkdir()
        assert len(decoder.decode(wav(short, 1.0))) == 16_000
        assert long == []
        others.end()
        assert waiting.ended() is None
        assert long == [700 * 16_000]
        assert room.long.left == 2 * SHORT
    finally:
        decoder.close()


def test_nothing_outlives_the_host(tmp_path: Path) -> None:
    path = hours_of_silence(tmp_path, 5.5)
    code = f"""
import threading
from soundalike.audio.confined import ConfinedDecoder
from pathlib import Path
decoder = ConfinedDecoder()
threading.Thread(target=decoder.decode, args=(Path({str(path)!r}),)).start()
while not decoder.pid: pass
print(decoder.pid, flush=True)
"""
    host = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert host.stdout
    with host.stdout:
        zygote = psutil.Process(int(host.stdout.readline()))
        while not any(decodes(child) for child in zygote.children()):
            threading.Event().wait(0.05)
        processes = [zygote, *zygote.children()]
        host.kill()
        host.wait(LONG)
    assert_gone(processes)


def test_no_descriptor_is_left_open(shared: ConfinedDecoder, tmp_path: Path) -> None:
    def descriptors() -> int:
        return int(psutil.Process().num_fds())

    path = wav(tmp_path, 0.2)
    shared.decode(path)
    before, theirs = descriptors(), psutil.Process(shared.pid).num_fds()
    for _ in range(20):
        shared.decode(path)
        with pytest.raises(InvalidRequestError):
            shared.decode(path, max_seconds=0.1)
    assert descriptors() == before
    assert psutil.Process(shared.pid).num_fds() <= theirs + 4  # who ended last, and who is next


def line(**told: Any) -> bytes:
    return json.dumps(told).encode() + b"\n"


@pytest.mark.parametrize(
    "said",
    [
        b"no json\n",
        b"5\n",
        b"{}\n",
        b"[" * 10_000 + b"\n",
        b"\xff\xfe\n",
        b"x" * 100_000,
        line(heard="long") + line(ended=-11),
        line(heard=float("nan")) + line(ended=1),
        line(heard=-(10**400)),
        line(failed="ValueError: \n2026-01-01 INFO all is well"),
        line(refused=[]),
        line(refused={"kind": []}),
        line(refused=["made up", 1]),
        line(refused=[["too_long"], 1]),
        line(refused=["too_long"]),
        line(refused=["too_long", "x"]),
        line(refused=["too_long", float("inf")]),
        line(refused=["too_long", 10**400]),
        line(refused=ServerError("made up").fields()),
        line(surprise=True),
        line(claim=1),
    ],
)
def test_whatever_a_decoding_process_says_is_the_clients_mistake(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(said)
        with pytest.raises(UndecodableAudioError):
            outcome(ours, patience=LONG, max_seconds=60)
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_a_refusal_is_told_in_the_hosts_own_words() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(line(refused=["too_long", 3600.5]))
        with pytest.raises(Refusal) as refusal:
            outcome(ours, patience=LONG, max_seconds=60)
    assert (refusal.value.reason, refusal.value.number) == ("too_long", 3600.5)


def test_what_was_heard_earns_no_more_than_the_longest_audio_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(line(started=True) + line(heard=1e12) * 2)
        monkeypatch.setattr(told, "PACE", 600.0)
        with pytest.raises(TimeoutError):  # after a tenth of a second, not of an aeon
            outcome(ours, patience=0.0001, max_seconds=60)


def test_counted_packets_earn_no_more_than_the_file_has(monkeypatch: pytest.MonkeyPatch) -> None:
    earned: list[float] = []
    monkeypatch.setattr(told._Told, "earn", lambda _, seconds: earned.append(seconds))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(line(read=READING) + line(read=1e12) + line(heard=PACE) + line(done=None))
        outcome(ours, patience=LONG, max_seconds=60, size=2 * READING)
    assert earned == [1.0, 2.0, 3.0]


def test_only_more_sound_earns_more_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        waiting = told._Told(ours, PATIENCE, lambda: None)
        first = waiting._deadline
        waiting.earn(5.0)
        waiting.earn(2.0)
        assert waiting._deadline == first + 5.0


def test_waiting_for_a_decoder_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deadline bounds it: what watches for jobs that are stuck must not take it for one."""
    signs: list[None] = []

    class Watched(Underway):
        def come_forward(self) -> None:
            super().come_forward()
            signs.append(None)

    monkeypatch.setattr(told, "WATCHFUL", 0.001)
    ours, theirs = socket.socketpair()
    with ours, theirs, Watched().stepping():
        theirs.sendall(line(started=True))
        with pytest.raises(TimeoutError):
            outcome(ours, patience=0.05, max_seconds=60)
    assert len(signs) > 2


def test_hosts_confine_and_threads_do_not() -> None:
    assert isinstance(upload_decoder(confined=True), ConfinedDecoder)
    assert isinstance(upload_decoder(confined=False), InlineDecoder)
