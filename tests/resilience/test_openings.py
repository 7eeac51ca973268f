"""Engines that are being opened: who waits for them, and what becomes of those that cannot be."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pytest

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="needs /proc")

PLACES = 64 + 1
"""What an engine works on side by side, and a queue of one."""

Starting = Callable[..., AbstractContextManager[Any]]


@contextmanager
def paused(running: Any) -> Iterator[None]:
    """Meanwhile the server and its hosts are stopped, and their clocks go on."""
    server = psutil.Process(running.server.process.pid)
    family = [server, *server.children(recursive=True)]
    try:
        for process in family:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in family:
            process.send_signal(signal.SIGCONT)


def kill(running: Any, wait_until: Any) -> None:
    running.host().kill()
    wait_until(lambda: running.engine()["state"] == "unloaded")


def test_the_queue_has_its_bounds_while_an_engine_loads(
    subject: Starting, wait_until: Any, error_of: Any
) -> None:
    with subject("--queue", "1", plan="ok hang") as running, ExitStack() as stack:
        kill(running, wait_until)
        body = json.dumps(running.speech("steps=1")).encode()
        for _ in range(PLACES):
            client = stack.enter_context(running.connect())
            client.sendall(
                b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: Bearer sk-test\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
        wait_until(lambda: running.queued() == PLACES)
        refused = running.speak("steps=1")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert "currently overloaded" in error_of(refused)["message"]
        assert running.queued() == PLACES
        stack.close()
        wait_until(lambda: running.queued() == 0)


def test_who_waits_too_long_for_an_engine_to_load_is_told_when_to_come_back(
    subject: Starting, wait_until: Any, error_of: Any
) -> None:
    with subject("--queue-timeout", "1", plan="ok hang") as running:
        kill(running, wait_until)
        late = running.speak("steps=1")
        assert late.status_code == 503
        assert late.headers["retry-after"] == "1"
        assert "waited too long" in error_of(late)["message"]


def test_what_a_request_asks_for_is_checked_while_its_engine_loads(
    subject: Starting, wait_until: Any
) -> None:
    with subject(plan="ok hang") as running:
        kill(running, wait_until)
        assert running.speak("steps=1", voice="nobody").status_code == 400


def test_an_engine_that_dies_at_every_opening_is_left_alone_and_comes_back(
    subject: Starting, wait_until: Any, error_of: Any
) -> None:
    with subject(plan="ok die die die ok") as running:
        kill(running, wait_until)
        opened = running.log.read_text().count("speech in")
        answers = [running.speak("first")]

        def refused() -> bool:
            answers.append(running.speak("again"))
            return bool(answers[-1].status_code == 503)

        wait_until(refused)
        assert {answer.status_code for answer in answers} == {500, 503}
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert "could not be opened" in error_of(answers[-1])["message"]
        wait_until(lambda: running.client.get("/readyz").status_code == 200)
        assert running.log.read_text().count("speech in") == opened + 4
        assert running.speak("steps=1").status_code == 200


def test_a_codec_that_cannot_be_loaded_costs_what_needs_it_alone(
    serve: Any, faulty_package: Path, tmp_path: Path
) -> None:
    (tmp_path / "av.py").write_text("raise ValueError('numpy.dtype size changed')")
    (tmp_path / "plan").write_text("ok")
    environment = {
        "PYTHONPATH": f"{faulty_package}:{tmp_path}",
        "SOUNDALIKE_FAULTY_PLAN": str(tmp_path / "plan"),
        "SOUNDALIKE_FAULTY_LOG": str(tmp_path / "log"),
    }
    with serve("--engine", "faulty", **environment) as server:
        key = {"authorization": "Bearer sk-test"}
        asked = {"model": "tts-1", "voice": "alloy", "input": "steps=1"}
        for _ in range(2):
            spoken = httpx.post(f"{server.base_url}/audio/speech", json=asked, headers=key)
            assert spoken.status_code == 500
        assert httpx.get(f"{server.base_url}/models", headers=key).status_code == 200
        assert httpx.get(f"{server.root}/readyz").json()["status"] == "ready"
        assert "codecs cannot be loaded" in "".join(server.output)


@pytest.mark.parametrize(("format_", "header"), [("pcm", 0), ("wav", 44)])
def test_minutes_of_sound_in_one_piece_come_through(
    subject: Starting, format_: str, header: int
) -> None:
    with subject() as running:
        host = running.host()
        spoken = running.speak("steps=2 samples=9000000", response_format=format_)
        assert spoken.content[header:] == bytes(18_000_000) + b"\1\0" * 9_000_000
        assert running.host() == host
        assert host.is_running()


def test_a_pause_of_the_whole_machine_is_no_hang(subject: Starting, wait_until: Any) -> None:
    """It is longer than a job may be stuck, and than an engine may take to open."""
    pause = 4.0
    with subject("--stall-timeout", "2.5", plan="ok slow ok") as running:
        with ThreadPoolExecutor(1) as pool:
            speaking = pool.submit(running.speak, "name=paused steps=1 pause=1")
            running.wait_told("begin paused")
            with paused(running):
                threading.Event().wait(pause)
            assert speaking.result().status_code == 200
            kill(running, wait_until)
            before = running.log.read_text().count("speech in")
            speaking = pool.submit(running.speak, "steps=1")
            wait_until(lambda: running.log.read_text().count("speech in") > before)
            with paused(running):
                threading.Event().wait(pause)
            assert speaking.result().status_code == 200
        assert "is killed" not in "".join(running.server.output)
