"""Decoding in processes that hold nothing else: it gives what it gives elsewhere, within limits."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.audio import confined, told
from soundalike.audio.confined import AVAILABLE, ConfinedDecoder
from soundalike.audio.decode import decode, inspect
from soundalike.audio.orders import Limits, Order
from soundalike.audio.refusals import LONGEST_SECONDS, Bounds, Refusal
from soundalike.audio.told import PACE, PATIENCE, READING
from soundalike.audio.uploads import InlineDecoder, upload_decoder
from soundalike.errors import InvalidRequestError, ServerError, UndecodableAudioError

psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="processes are confined on Linux only")

LONG = 60.0
"""Seconds to wait for what takes a moment."""


def test_hosts_confine_and_threads_do_not() -> None:
    assert isinstance(upload_decoder(confined=True), ConfinedDecoder)
    assert isinstance(upload_decoder(confined=False), InlineDecoder)


def test_the_result_is_that_of_decoding_here(shared: ConfinedDecoder, wav: Any) -> None:
    path = wav(2.5, 44_100)
    for rate in (16_000, 24_000):
        sound = shared.decode(path, rate)
        assert sound.dtype == np.float32
        assert np.array_equal(sound, decode(path, rate))
    sound *= 0.5  # it is the caller's own
    assert shared.inspect(path) == inspect(path)


def test_refusals_are_those_of_decoding_here(shared: ConfinedDecoder, wav: Any) -> None:
    path = wav(2.0)
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


def test_memory_is_limited(new_decoder: Any, slow_flac: Any, wav: Any) -> None:
    decoder = new_decoder(memory=16 * 2**20)
    with pytest.raises(UndecodableAudioError):
        decoder.decode(slow_flac(512))
    assert len(decoder.decode(wav(1.0))) == 16_000


def test_memory_suffices_for_what_is_odd_and_not_for_a_bomb(
    shared: ConfinedDecoder, slow_flac: Any, wav: Any
) -> None:
    assert len(shared.decode(slow_flac(512))) == pytest.approx(512 * 4000, rel=0.01)
    assert len(shared.decode(wav(600, 10))) == pytest.approx(600 * 16_000, rel=0.01)
    bomb = slow_flac(65_535)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(InvalidRequestError, match=r"16383\.75 seconds is longer than the 8"):
        shared.decode(bomb)


def test_processor_time_is_limited(
    own: ConfinedDecoder,
    hours_of_silence: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(confined, "Limits", lambda memory, _, output: Limits(memory, 1, output))
    with pytest.raises(UndecodableAudioError):
        own.decode(hours_of_silence)
    assert f"ended {-signal.SIGXCPU}" in caplog.text


def test_time_is_limited(
    new_decoder: Any,
    wav: Any,
    hours_of_silence: Path,
    processes: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(told, "PACE", 1e9)
    monkeypatch.setattr(confined, "Limits", lambda memory, _, output: Limits(memory, 60, output))
    decoder = new_decoder(patience=2.0)
    decoder.start()
    decoder.decode(wav(1.0))
    with pytest.raises(UndecodableAudioError):
        decoder.decode(hours_of_silence)
    assert "took too long" in caplog.text
    psutil.wait_procs(processes.confined(decoder.pid), timeout=LONG)
    assert processes.confined(decoder.pid) == []


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
        timeout=LONG,
    )
    assert done.stdout == outcome, done.stderr
    assert file.exists()


def test_a_confined_process_that_does_not_stop_is_stopped(tmp_path: Path) -> None:
    code = CONFINED.format(attempt="while True: pass")
    command = [sys.executable, "-c", code, str(Path(__file__))]
    done = subprocess.run(command, capture_output=True, timeout=LONG)
    assert done.returncode == -signal.SIGXCPU


def test_decoders_are_confined_to_their_system_calls_here(
    new_decoder: Any, wav: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where they cannot be, they say so and go on: it must not be for what they import late."""
    assert new_decoder().decode(wav(1.0)).size
    assert capfd.readouterr().err == ""


def test_the_child_that_decodes_an_upload_is_confined(
    own: ConfinedDecoder, hours_of_silence: Path, decoding: Any, processes: Any
) -> None:
    """What the kernel says of it: that a process can be confined does not yet say that this one
    is."""
    work = decoding(lambda: own.decode(hours_of_silence))
    child = Path(f"/proc/{processes.busy(own.pid).pid}")
    status = dict(line.split(":", 1) for line in (child / "status").read_text().splitlines())
    rows = (re.split(r"\s{2,}", line) for line in (child / "limits").read_text().splitlines())
    limits = {name: (soft, hard) for name, soft, hard, *_ in rows}
    first_to_go = (child / "oom_score_adj").read_text()
    own.close()
    assert isinstance(work.ended(), ServerError)
    said = {name: status[name].strip() for name in ("NoNewPrivs", "Seccomp", "Threads")}
    assert said == {"NoNewPrivs": "1", "Seccomp": "2", "Threads": "1"}  # 2: by a filter
    for name in ("Max open files", "Max processes", "Max core file size"):
        assert limits[name] == ("0", "0"), name
    for name in ("Max address space", "Max cpu time", "Max file size"):
        assert "unlimited" not in limits[name], name
    assert first_to_go.strip() == "1000"


def test_decoders_get_none_of_the_operators_secrets(
    new_decoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "PYTHONHASHSEED": "0"}
    for name, value in {"AWS_SECRET_ACCESS_KEY": "x", "SOUNDALIKE_API_KEYS": "x", **kept}.items():
        monkeypatch.setenv(name, value)
    decoder = new_decoder()
    decoder.start()
    while not (environment := psutil.Process(decoder.pid).environ()):
        pass  # in the midst of its start, a program has none yet
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
