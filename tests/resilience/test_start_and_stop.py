"""How a server starts, or says in one line why it cannot, and how it ends."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import click
import httpx2 as httpx
import psutil
import pytest

from soundalike.cli.descriptors import affordable
from soundalike.cli.serve import _room_for_uploads

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="needs /proc")

LONG = "steps=100000 pause=0.05 samples=2400"


def command(*arguments: str, room: int | None = None, **environment: str) -> Any:
    """A command of soundalike, run to its end.

    Args:
        room: bytes that a file may have, as on a disk that is full.
    """

    def limit() -> None:
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    return subprocess.run(
        [sys.executable, "-m", "soundalike", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        preexec_fn=limit,
    )


def family(running: Any) -> list[psutil.Process]:
    return psutil.Process(running.server.process.pid).children(recursive=True)


def nothing_is_left_of(running: Any, processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []
    assert [path for path in running.temporary.rglob("*") if path.is_file()] == []


def test_running_work_is_finished_after_sigterm_and_none_is_taken_any_more(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject() as running, running.stream("steps=40 pause=0.05") as answer:
        processes = family(running)
        running.server.process.terminate()
        wait_until(lambda: _refused(running))
        wait_until(lambda: "1 request under way may end" in "".join(running.server.output))
        assert len(answer.read()) == 40 * 4800
        assert running.server.process.wait(20) == 0
        nothing_is_left_of(running, processes)


def _refused(running: Any) -> bool:
    try:
        running.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_work_that_outlasts_the_grace_is_ended_with_an_error(
    subject: Callable[..., AbstractContextManager[Any]], last_event: Any
) -> None:
    with subject("--grace", "1") as running, ThreadPoolExecutor(2) as pool:
        processes = family(running)
        events = {"stream_format": "sse", "model": "gpt-4o-mini-tts"}
        streaming = pool.submit(running.speak, f"name=a {LONG}", **events)
        running.wait_told("begin a")
        # Not before: the lane that takes it never comes back from its first step.
        silent = pool.submit(running.speak, "name=b steps=0 spin")
        running.wait_told("begin b")
        running.server.process.terminate()
        assert "shutting down" in last_event(streaming.result().content)["error"]["message"]
        assert silent.result().status_code == 503
        assert int(silent.result().headers["retry-after"]) >= 1
        assert running.server.process.wait(20) == 0
        nothing_is_left_of(running, processes)


def test_a_second_signal_ends_everything_at_once(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject("--grace", "3600") as running, running.stream(LONG) as answer:
        processes = family(running)
        running.server.process.terminate()
        wait_until(lambda: _refused(running))
        running.server.process.send_signal(signal.SIGTERM)
        assert running.server.process.wait(20) == 0
        with pytest.raises(httpx.TransportError):
            answer.read()
        nothing_is_left_of(running, processes)


def test_sigterm_while_an_engine_loads_ends_the_server_with_exit_code_0(
    faulty_package: Path, tmp_path: Path, wait_until: Any
) -> None:
    (tmp_path / "plan").write_text("hang")
    log = tmp_path / "log"
    process = subprocess.Popen(
        [*(sys.executable, "-m", "soundalike", "serve", "--engine", "faulty", "--port", "0")],
        env={
            **os.environ,
            "PYTHONPATH": str(faulty_package),
            "SOUNDALIKE_FAULTY_PLAN": str(tmp_path / "plan"),
            "SOUNDALIKE_FAULTY_LOG": str(log),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: log.exists() and "speech in" in log.read_text())
    hosts = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert psutil.wait_procs(hosts, timeout=20)[1] == []


def test_an_engine_that_cannot_be_opened_at_start_is_one_clear_line(
    faulty_package: Path, tmp_path: Path
) -> None:
    (tmp_path / "plan").write_text("fail")
    done = command(
        *("serve", "--engine", "faulty", "--port", "0"),
        PYTHONPATH=str(faulty_package),
        SOUNDALIKE_FAULTY_PLAN=str(tmp_path / "plan"),
        SOUNDALIKE_FAULTY_LOG=str(tmp_path / "log"),
    )
    assert done.returncode == 1
    assert done.stderr == "Error: the weights cannot be read\n"


def test_no_room_for_temporary_files_is_one_clear_line() -> None:
    done = command("serve", "--engine", "stub", "--port", "0", room=0)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: uploads need room for temporary files")
    assert done.stderr.count("\n") == 1


def test_a_full_disk_in_a_request_is_an_error_of_it_alone(
    subject: Callable[..., AbstractContextManager[Any]], error_of: Any, wait_until: Any
) -> None:
    with subject() as running:
        pid = running.server.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
        answer = running.transcribe(bytes(1_000_000))
        assert answer.status_code == 500
        assert error_of(answer)["type"] == "server_error"
        said = "an upload cannot be written: File too large"
        wait_until(lambda: said in "".join(running.server.output))
        assert "Traceback" not in "".join(running.server.output)
        assert running.held().temporary == ()
        assert running.speak("steps=1").status_code == 200


def test_a_store_that_cannot_be_written_is_an_error_of_that_request_alone(
    subject: Callable[..., AbstractContextManager[Any]],
    tmp_path: Path,
    error_of: Any,
    wait_until: Any,
) -> None:
    (tmp_path / ".voices").write_text("in the way")
    with subject("--models", str(tmp_path)) as running:
        answer = running.client.post(
            "/v1/audio/voice_consents",
            data={"name": "a", "language": "en-US"},
            files={"recording": ("a.wav", b"RIFF", "audio/wav")},
        )
        assert answer.status_code == 500
        assert error_of(answer)["type"] == "server_error"
        wait_until(lambda: "a recording cannot be stored" in "".join(running.server.output))
        assert "Traceback" not in "".join(running.server.output)


def test_a_pull_onto_a_full_disk_is_one_clear_line_and_leaves_no_model(
    model_store: Path, tmp_path: Path
) -> None:
    del model_store  # skips where the weights cannot be had
    pull = ("pull", "whisper-base", "--offline", "--models", str(tmp_path))
    done = command(*pull, room=20_000_000)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: cannot write whisper-base")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "whisper-base").exists()


def test_two_processes_may_fill_one_store_at_the_same_time(
    model_store: Path, tmp_path: Path
) -> None:
    del model_store
    pull = ("pull", "whisper-base", "--offline", "--models", str(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(command, *pull) for _ in range(2)]
    assert [one.result().returncode for one in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["whisper-base"]


def test_weights_that_are_not_what_they_should_be_are_told_with_the_way_out(
    model_store: Path, tmp_path: Path
) -> None:
    """Of the right size, so that only their hash tells."""
    folder = tmp_path / "whisper-base"
    shutil.copytree(model_store / "whisper-base", folder)
    for hidden in folder.glob(".*"):
        hidden.unlink()  # what soundalike knows of having put them there
    with (folder / "model.bin").open("r+b") as weights:
        weights.seek(50_000_000)
        weights.write(b"not these bytes")
    done = command("serve", "--port", "0", "--offline", "--models", str(tmp_path))
    assert done.returncode == 1
    told, remedy = done.stderr.splitlines()
    assert "is not the catalog's whisper-base" in told
    pull = f"soundalike pull whisper-base --models {tmp_path}"
    assert remedy == f"  -> mv {folder} {folder}.old && {pull}"


def test_hosts_leave_a_signal_to_the_whole_group_to_the_server(serve: Any) -> None:
    with serve("--engine", "stub") as server:
        hosts = psutil.Process(server.process.pid).children()
        # and what decodes for them, but for its children, of which the first only tries things
        hosts += [decoder for host in hosts for decoder in host.children()]
        for host in hosts:
            host.send_signal(signal.SIGTERM)
        spoken = httpx.post(
            f"{server.base_url}/audio/speech",
            headers={"authorization": "Bearer sk-test"},
            json={"model": "tts-1", "voice": "alloy", "input": "Still here."},
        )
        assert spoken.status_code == 200
        assert [host.is_running() for host in hosts] == [True] * len(hosts)


def test_uploads_that_a_killed_server_left_go_with_the_next_start(
    subject: Callable[..., AbstractContextManager[Any]], serve: Any, wait_until: Any
) -> None:
    head = (
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 2000000\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    )
    with subject("--fixture", "off", engine="stub") as killed, killed.connect() as client:
        client.sendall(head + bytes(1_000_000))
        wait_until(lambda: [*killed.temporary.glob("soundalike-*/uploads/*")])
        killed.server.process.kill()
        killed.server.process.wait(20)
        (left,) = killed.temporary.iterdir()
        with serve("--engine", "stub", TMPDIR=str(killed.temporary)):
            assert not left.exists()
        assert [*killed.temporary.iterdir()] == []


def half_an_upload(running: Any, client: Any) -> None:
    client.sendall(
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
        b"Authorization: Bearer sk-test\r\nContent-Length: 2000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + bytes(1_000_000)
    )


def test_an_upload_that_outlasts_the_grace_is_cut_off_and_leaves_no_file(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject("--grace", "0.5") as running, running.connect() as client:
        processes = family(running)
        half_an_upload(running, client)
        wait_until(lambda: running.held().temporary, "nothing was spooled")
        running.server.process.terminate()
        assert running.server.process.wait(20) == 0
        nothing_is_left_of(running, processes)


def test_what_is_queued_is_told_so_at_the_end_of_the_grace(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject("--grace", "0.5") as running, ThreadPoolExecutor(65) as pool:
        processes = family(running)
        held = [pool.submit(running.speak, f"name=held {LONG}") for _ in range(64)]
        running.wait_told("begin held", 64)
        queued = pool.submit(running.speak, "name=queued")
        wait_until(lambda: _waiting(running))
        running.server.process.terminate()
        assert queued.result().status_code == 503
        for one in held:
            one.exception()  # broken off
        assert running.server.process.wait(20) == 0
        assert running.told("begin queued") == 0
        nothing_is_left_of(running, processes)


def _waiting(running: Any) -> bool:
    line = 'soundalike_jobs_queued{deployment="faulty",kind="speech"} 1.0'
    return line in running.client.get("/metrics").text


@pytest.mark.parametrize("hard", [4096, 400])
def test_as_many_connections_are_taken_as_there_are_descriptors_for(
    hard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = (256, hard)

    def set_limit(_: int, new: tuple[int, int]) -> None:
        nonlocal limits
        limits = new

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    taken = affordable(400)
    assert (taken == 400) is (hard == 4096)
    assert 1 <= taken <= 400
    assert limits[0] > 800 if hard == 4096 else limits == (400, 400)


def test_too_few_descriptors_are_told_in_one_line() -> None:
    few = 600
    command = ["sh", "-c", f'ulimit -n {few}; exec "$0" "$@"', sys.executable, "-m", "soundalike"]
    process = subprocess.Popen(
        [*command, "serve", "--engine", "stub", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "--max-connections is" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_sigterm_during_a_pull_ends_it_and_leaves_no_model(
    model_store: Path, tmp_path: Path, wait_until: Any
) -> None:
    del model_store
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "soundalike", "serve", "--port", "0", "--offline"),
            *("--models", str(tmp_path)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: any(tmp_path.glob(".partial-*/*")) or process.poll() is not None)
    process.terminate()
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert not (tmp_path / "whisper-base").exists()


def test_sigterm_is_heeded_before_the_command_is_loaded() -> None:
    """As process 1 of a container it would else be lost, and the server killed after a while."""
    code = (
        "import os, sys; from soundalike.cli import main\n"
        "class Ended:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'soundalike.cli.serve': os.kill(os.getpid(), 15)\n"
        "sys.meta_path.insert(0, Ended())\n"
        "main(['serve', '--no-such-option'])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_temporary_space_that_ends_while_the_server_starts_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("soundalike.cli.serve.own_folder", full)
    with ExitStack() as stack, pytest.raises(click.ClickException) as refused:
        _room_for_uploads(stack)
    refused.value.show()
    said = capsys.readouterr().err
    assert said.startswith("Error: uploads need room for temporary files: No space left on device")
    assert said.count("\n") == 1
