"""The server as a user starts it: its own process, a real port, real engines."""

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest

from soundalike.cli.banner import banner
from soundalike.cli.serve import _listen
from soundalike.served import served_models
from soundalike.settings import Settings

CHECKOUT = Path(__file__).parents[2]

NO_NETWORK = """
import socket, sys
real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

def told(address):
    with open({log!r}, "a") as log:
        print(sys.argv, address, file=log)
    raise OSError(f"no network in this test: {{address}}")

def connect(self, address):
    return real_connect(self, address) if self.family == socket.AF_UNIX else told(address)

def lookup(host, *rest, **options):
    return real_lookup(host, *rest, **options) if host in (None, "127.0.0.1") else told(host)

socket.socket.connect, socket.getaddrinfo = connect, lookup
"""


def test_make_serve_starts_a_server_that_the_printed_curl_line_reaches(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["make", "--no-print-directory", "serve", "PORT=0", f"VENV={sys.prefix}"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line)
            if line.strip().startswith("curl "):
                break
        curl = printed[-1].strip()
        assert "Base URL" in "".join(printed)
        subprocess.run(curl, shell=True, check=True, cwd=tmp_path, capture_output=True)
        assert (tmp_path / "speech.mp3").read_bytes()[:4] == bytes.fromhex("fff3c4c4")
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def test_the_start_and_the_main_job_need_no_network(
    model_store: Path, tmp_path: Path, serve: Any
) -> None:
    log = tmp_path / "attempts"
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK.format(log=str(log)))
    with serve("--models", str(model_store), PYTHONPATH=str(tmp_path)) as server:
        spoken = post(server.root, {"model": "tts-1", "voice": "alloy", "input": "Hello."})
        assert spoken[:2] == b"\xff\xf3"
    assert not log.exists(), log.read_text()


def post(root: str, body: dict[str, Any]) -> bytes:
    request = urllib.request.Request(
        f"{root}/v1/audio/speech",
        json.dumps(body).encode(),
        {"authorization": "Bearer sk-test", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        data: bytes = answer.read()
    return data


def test_sigterm_ends_the_server_and_its_hosts_with_exit_code_0(serve: Any) -> None:
    with serve("--engine", "stub") as server:
        children = subprocess.run(
            ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        assert len(children) == 2
        server.process.terminate()
        assert server.process.wait(20) == 0
    for child in children:
        assert not Path(f"/proc/{child}").exists()


def test_a_taken_port_is_one_clear_line(stub_server: Any) -> None:
    port = stub_server.root.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "soundalike", "serve", "--engine", "stub", "--port", port],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; "
        f"another port may be free: --port {int(port) + 1}, or PORT={int(port) + 1} with make\n"
    )


def test_a_port_that_two_servers_are_bound_to_is_one_clear_line() -> None:
    """The other may be bound at the same moment: a taken port shows only when both listen."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        settings = Settings(engine="stub", port=other.getsockname()[1])
        with _listen(settings) as first:
            assert first.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            with pytest.raises(OSError, match="in use"):
                other.listen()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        settings = Settings(engine="stub", port=other.getsockname()[1])
        bind = socket.socket.bind

        def bound_and_beaten(self: socket.socket, address: Any) -> None:
            bind(self, address)
            other.listen()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket.socket, "bind", bound_and_beaten)
            with pytest.raises(click.ClickException, match="cannot listen on"):
                _listen(settings)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OSError(errno.EADDRNOTAVAIL, "not here"), "not here; --host takes an address of this"),
        (socket.gaierror(socket.EAI_NONAME, "not known"), "not known; --host takes an address of"),
        (OSError(errno.EACCES, "not allowed"), "not allowed"),
    ],
)
def test_another_port_is_proposed_only_where_one_is_taken(
    failure: OSError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(socket.socket, "bind", fail)
    with pytest.raises(click.ClickException) as refused:
        _listen(Settings(host="192.0.2.1", port=80))
    assert refused.value.message.startswith(f"cannot listen on 192.0.2.1:80: {said}")
    assert "port may be free" not in refused.value.message


def test_the_banner_says_where_the_printed_line_takes_a_key_from() -> None:
    url = "http://127.0.0.1:8000/v1"
    settings = Settings(engine="stub", api_keys=("sk-a",))
    lines = click.unstyle(banner(settings, served_models(settings), url)).splitlines()
    (row,) = (line for line in lines if "API key" in line)
    assert "one of yours; the line below takes it from $OPENAI_API_KEY" in row
    (curl,) = (line for line in lines if line.startswith("  curl"))
    assert (
        f'curl -sS --fail-with-body {url}/audio/speech -H "Authorization: Bearer $OPENAI_API'
        in curl
    )


@pytest.mark.parametrize(
    ("host", "token", "all_addresses", "control"),
    [
        ("127.0.0.1", None, False, "/_soundalike to control"),
        ("0.0.0.0", "t", True, "/_soundalike to control, with the token"),
        ("::", None, True, "/_soundalike closed without SOUNDALIKE_CONTROL_TOKEN"),
        ("192.0.2.1", None, False, "/_soundalike closed without SOUNDALIKE_CONTROL_TOKEN"),
    ],
)
def test_the_banner_says_who_can_reach_what(
    host: str, token: str | None, all_addresses: bool, control: str
) -> None:
    settings = Settings(engine="stub", host=host, control_token=token)
    shown = banner(settings, served_models(settings), "http://127.0.0.1:8000/v1")
    words = " ".join(click.unstyle(shown).split())
    assert ("Listens on all addresses of this machine" in words) is all_addresses
    assert f"/s/NAME/v1 for each, {control} Try it:" in words


def test_missing_weights_are_told_with_the_way_to_get_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "soundalike", "serve", "--port", "0"),
            *("--models", str(tmp_path), "--whisper-model", "no-such-model"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    pull = f"soundalike pull MODEL --models {tmp_path}"
    assert done.stderr.splitlines() == [
        f"Error: no model is called 'no-such-model' in {tmp_path}",
        f"  -> first get whisper-base or whisper-tiny.en: {pull}",
    ]


def test_the_server_answers_while_it_transcribes(real_server: Any, tmp_path: Path) -> None:
    """The event loop never waits for an engine: health comes before the transcription does."""
    speech = post(
        real_server.root,
        {"model": "tts-1", "voice": "alloy", "input": "Hello there. " * 30},
    )
    path = tmp_path / "long.mp3"
    path.write_bytes(speech)
    order: list[str] = []

    def transcribe() -> None:
        subprocess.run(
            [
                *("curl", "-s", "-f", f"{real_server.base_url}/audio/transcriptions"),
                *("-H", "Authorization: Bearer sk-test", "-F", f"file=@{path}"),
                *("-F", "model=whisper-1"),
            ],
            check=True,
            capture_output=True,
        )
        order.append("transcription")

    transcribing = threading.Thread(target=transcribe)
    transcribing.start()
    for _ in range(20):
        with urllib.request.urlopen(f"{real_server.root}/healthz") as answer:
            assert answer.status == 200
        order.append("health")
    transcribing.join()
    assert order == ["health"] * 20 + ["transcription"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_killed_server_leaves_no_host_behind(serve: Any) -> None:
    import signal
    import time

    with serve("--engine", "stub") as server:
        children = subprocess.run(
            ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(20)
        for _ in range(100):
            if not any(_alive(child) for child in children):
                break
            time.sleep(0.1)
    assert not any(_alive(child) for child in children)


def _alive(pid: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_the_first_sound_leaves_before_the_last_is_made(serve: Any) -> None:
    """The body is many times what pipes, windows and sockets can hold, and is not read: what has
    come by then came while the rest was not made."""
    with serve("--engine", "stub") as server:
        host, _, port = server.root.removeprefix("http://").partition(":")
        body = json.dumps(
            {"model": "tts-1", "voice": "alloy", "input": "a sentence. " * 341, "speed": 0.25}
            | {"response_format": "pcm"}
        )
        with socket.create_connection((host, int(port))) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.sendall(
                f"POST /v1/audio/speech HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
                f"Authorization: Bearer sk-test\r\n\r\n{body}".encode()
            )
            answer = b""
            while len(answer) < 20_000:
                answer += connection.recv(4096)
            assert b"transfer-encoding: chunked" in answer.lower()
        # The client has gone; its job ends, and the server goes on.
        assert post(server.root, {"model": "tts-1", "voice": "alloy", "input": "Next."})
